"""Tests of the evaluation of a checkpoint."""

import os
import re
import shutil

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import presets
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import weights
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

RUNS = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}
WRITERS = {"video": tiny_runs.write_videos, "frame": tiny_runs.write_frames}


@pytest.fixture(params=RUNS)
def level(request) -> str:
    return request.param


@pytest.fixture
def validation(level, tmp_path) -> str:
    """The pattern of 30 videos that were not trained on."""
    return WRITERS[level](tmp_path / "data", 30, name="validate", start=40)


def numpy_metrics(p, y, top_k=20):
    """The metrics from their definitions, in float64."""
    p = p.astype(np.float64)
    order = np.argsort(-p, axis=1, kind="stable")
    kept = np.zeros(p.shape, bool)
    np.put_along_axis(kept, order[:, :top_k], True, axis=1)
    precision = [
        np.mean(y[row, order[row, : int(y[row].sum())]])
        for row in range(len(y))
    ]
    # scikit-learn's recall is that of the labels kept: scale to all.
    gap = sklearn_metrics.average_precision_score(y[kept], p[kept])
    gap *= y[kept].sum() / y.sum()
    classes = [c for c in range(y.shape[1]) if y[:, c].any()]
    cross_entropy = y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5)
    return {
        "gap": gap,
        "hit_at_1": np.mean(y[np.arange(len(y)), order[:, 0]]),
        "perr": np.mean(precision),
        "map": np.mean(
            [
                sklearn_metrics.average_precision_score(y[:, c], p[:, c])
                for c in classes
            ]
        ),
        "loss": -cross_entropy.sum(axis=1).mean(),
        "num_examples": len(y),
        "num_classes_with_positives": len(classes),
    }


def check_metrics(run, pattern, **kwargs):
    """Evaluates a run, compares its metrics with NumPy's, and returns all."""
    result = evaluation.evaluate_run(run.path, pattern, **kwargs)
    expected = numpy_metrics(
        tiny_runs.predictions_of(run, pattern),
        tiny_runs.features_of(run, pattern)["labels"],
        **kwargs,
    )
    assert set(result.metrics) == set(expected)
    for name, value in expected.items():
        assert result.metrics[name] == pytest.approx(value, rel=1e-5), name
    return result


def train_and_check(config, pattern, folder):
    """Trains, and returns the evaluations of the last step and the first."""
    run = tiny_runs.Run(str(folder / "run"), "", config)
    training.train(config, run.path)
    last = check_metrics(run, pattern)
    return last, evaluation.evaluate_run(run.path, pattern, step=0)


@pytest.mark.slow
@pytest.mark.parametrize("top_k", [20, 2])
def test_metrics(level, validation, top_k):
    run = RUNS[level]()
    result = check_metrics(run, validation, top_k=top_k)
    assert 0 < result.metrics["gap"] < 1
    assert result.model == ("MoeModel" if level == "video" else "DbofModel")
    assert (result.step, result.top_k) == (10, top_k)
    assert result.train_dir == run.path
    assert result.eval_data_pattern == validation
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    assert result.weights == weights.count_weights(model)


@pytest.mark.slow
def test_independent_of_batch_size_and_readers(level, validation):
    run = RUNS[level]()
    reference = evaluation.evaluate_run(run.path, validation).metrics
    for batch_size, num_readers in ((1, 1), (7, 3)):
        found = evaluation.evaluate_run(
            run.path, validation, batch_size=batch_size, num_readers=num_readers
        ).metrics
        assert found == pytest.approx(reference, rel=1e-6)


@pytest.mark.slow
def test_two_evaluations_agree():
    # Frames are not sampled at random.
    run = tiny_runs.frame_run()
    first, second = (
        evaluation.evaluate_run(run.path, run.pattern).metrics for _ in range(2)
    )
    assert first == second


@pytest.mark.slow
def test_frames_are_sampled_by_a_seed_where_one_is_given():
    run = tiny_runs.frame_run()

    def evaluate(seed, **kwargs):
        result = evaluation.evaluate_run(
            run.path, run.pattern, frame_seed=seed, **kwargs
        )
        assert result.frame_seed == seed
        return result.metrics["loss"]

    losses = [evaluate(seed) for seed in (None, 0, 1)]
    assert len(set(losses)) == 3
    # The frames of a video follow from the seed and its id alone.
    assert evaluate(1, batch_size=7) == pytest.approx(losses[2], rel=1e-6)


def test_a_seed_for_a_model_that_samples_no_frames():
    run = tiny_runs.video_run()
    with pytest.raises(
        ValueError,
        match="expected frame_seed with a model that looks at a sample of "
        "the frames. Received: frame_seed, model=MoeModel, which looks at all",
    ):
        evaluation.evaluate_run(run.path, run.pattern, frame_seed=1)


@pytest.mark.slow
def test_checkpoint_of_a_step():
    run = tiny_runs.video_run()
    first = evaluation.evaluate_run(run.path, run.pattern, step=0)
    last = evaluation.evaluate_run(run.path, run.pattern)
    assert (first.step, last.step) == (0, 10)
    assert last.metrics["loss"] < first.metrics["loss"]
    with pytest.raises(
        ValueError, match=r"expected one of the steps 0, 5, 10\. Received"
    ):
        evaluation.evaluate_run(run.path, run.pattern, step=3)


@pytest.mark.slow
def test_loss_is_that_of_the_run(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 8)
    config = tiny_runs.video_config(
        pattern, label_loss="HingeLoss", positive_weight=3.0, num_epochs=1
    )
    run = tiny_runs.Run(str(tmp_path / "run"), pattern, config)
    training.train(config, run.path)
    p = tiny_runs.predictions_of(run, pattern)
    y = tiny_runs.features_of(run, pattern)["labels"]
    terms = (1 + 2 * y) * np.maximum(0, 1 - (2 * y - 1) * p)
    expected = terms.sum(axis=1).mean()
    result = evaluation.evaluate_run(run.path, pattern)
    assert result.metrics["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_run_that_moved(tmp_path):
    # All that is known of the model is in the folder, wherever it is.
    run = tiny_runs.video_run()
    copy = tiny_runs.copy_run(run, tmp_path / "elsewhere")
    found = evaluation.evaluate_run(copy.path, run.pattern)
    reference = evaluation.evaluate_run(run.path, run.pattern)
    assert found.metrics == reference.metrics


@pytest.mark.slow
def test_log_report(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    run_dir = train_dir_lib.TrainDir(run.path)
    results = [
        evaluation.evaluate_run(run.path, run.pattern, step=step)
        for step in (5, 10)
    ]
    for result in results:
        evaluation.log_report(result, run_dir)
    events = tiny_runs.read_events(f"{run.path}/eval")
    # Nothing of what was skipped, where nothing was.
    assert sorted(events) == [
        f"metrics/{name}" for name in ("gap", "hit_at_1", "loss", "map", "perr")
    ]
    for tag, points in events.items():
        name = tag.removeprefix("metrics/")
        values = [result.metrics[name] for result in results]
        assert [step for step, _ in points] == [5, 10]
        np.testing.assert_allclose([v for _, v in points], values, rtol=1e-6)
    packed = shutil.copytree(
        presets.folder("yt8m_2018_video_100k"), tmp_path / "packed"
    )
    before = sorted(os.listdir(packed))
    evaluation.log_report(results[0], train_dir_lib.TrainDir(str(packed)))
    assert sorted(os.listdir(packed)) == before


def test_missing_data_comes_before_a_missing_run(tmp_path):
    with pytest.raises(readers.DataError, match="no file matches the pattern"):
        evaluation.evaluate_run(
            str(tmp_path / "no"), str(tmp_path / "validate*")
        )


@pytest.mark.slow
def test_no_labels(tmp_path):
    run = tiny_runs.video_run()
    pattern = tiny_runs.write_videos(tmp_path, 4, labels=None)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: expected labels to evaluate with. Received: "
            "none in the first 4 videos"
        ),
    ):
        evaluation.evaluate_run(run.path, pattern, batch_size=3)


@pytest.mark.slow
def test_first_video_may_have_no_label(tmp_path):
    run = tiny_runs.video_run()
    tiny_runs.write_videos(tmp_path, 1, num_files=1, name="a", labels=None)
    tiny_runs.write_videos(tmp_path, 5, num_files=1, name="b", start=1)
    result = evaluation.evaluate_run(run.path, str(tmp_path / "*"))
    assert result.metrics["num_examples"] == 6


@pytest.mark.slow
def test_bad_record(tmp_path):
    run = tiny_runs.video_run()
    pattern = tiny_runs.write_videos(tmp_path, 9, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    records[5] = record_makers.make_video_example(5, labels=[9])
    record_makers.write_tfrecord(file, records)
    with pytest.raises(
        readers.DataError,
        match=f"^{re.escape(file)}: record 5: expected labels .*Received: 9",
    ):
        evaluation.evaluate_run(run.path, pattern)


def test_data_of_the_other_level(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path, 4)
    with pytest.raises(
        readers.DataError,
        match="expected video-level features. Received: features that come fr",
    ):
        evaluation.evaluate_run(tiny_runs.video_run().path, pattern)


@pytest.mark.slow
def test_youtube8m_video_level(shared_data, tmp_path):
    """Trains on a shard of YouTube-8M and evaluates on another one."""
    folder = shared_data / "yt8m_2018_video"
    config = config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("mean_rgb", "mean_audio"), feature_sizes=(1024, 128)
        ),
        model=models.LogisticConfig(classifier_projection="circulant"),
        training=config_lib.TrainingConfig(
            train_data_pattern=str(folder / "validate0000.tfrecord"),
            batch_size=32,
            num_epochs=1,
            base_learning_rate=0.05,
            jit_compile=False,
        ),
    )
    pattern = str(folder / "validate0080.tfrecord")
    result, start = train_and_check(config, pattern, tmp_path)
    # More than the shares of the classes alone give.
    assert result.metrics["gap"] > 1.3 * start.metrics["gap"] > 0.04
    # Four circulants of 1152 for 3862 classes, and the biases.
    assert result.weights.total == 4 * 1152 + 3862


@pytest.mark.slow
def test_audioset_frame_level(shared_data, tmp_path):
    """Trains on a part of AudioSet and evaluates on another one."""
    source = tf.data.TFRecordDataset(
        str(shared_data / "audioset" / "bal_train.tfrecord")
    )
    records = [record.numpy() for record in source.take(400)]
    for name, part in (("train", records[:300]), ("test", records[300:])):
        record_makers.write_tfrecord(tmp_path / f"{name}.tfrecord", part)
    config = config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("audio_embedding",),
            feature_sizes=(128,),
            frame_features=True,
            num_classes=527,
        ),
        model=tiny_runs.dbof_config(iterations=5, dbof_cluster_size=128),
        training=config_lib.TrainingConfig(
            train_data_pattern=str(tmp_path / "train.tfrecord"),
            batch_size=32,
            num_epochs=2,
            jit_compile=False,
        ),
    )
    pattern = str(tmp_path / "test.tfrecord")
    result, start = train_and_check(config, pattern, tmp_path)
    assert result.metrics["gap"] > start.metrics["gap"]


def test_disk_that_is_too_small_is_refused_first(monkeypatch):
    run = tiny_runs.video_run()
    monkeypatch.setattr(
        evaluation.readers, "estimate_num_records", lambda files: 10**15
    )
    # Before anything is read.
    monkeypatch.setattr(evaluation.readers, "make_dataset", lambda *a, **k: [])
    with pytest.raises(OSError, match="expected room for the scores of about"):
        evaluation.evaluate_run(run.path, run.pattern)


@pytest.mark.slow
def test_events_that_cannot_be_written(tmp_path, caplog):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    result = evaluation.evaluate_run(run.path, run.pattern)
    # A file where the folder should be: root may write everywhere else.
    (tmp_path / "run" / "eval").write_text("")
    evaluation.log_report(result, train_dir_lib.TrainDir(run.path))
    (record,) = (r for r in caplog.records if "TensorBoard" in r.message)
    assert record.levelname == "WARNING"
    assert record.message.startswith(
        f"{run.path}/eval: TensorBoard's events can't be written: "
    )


@pytest.mark.slow
def test_several_checkpoints_are_evaluated_by_one_function():
    run = tiny_runs.video_run()
    # The last of the batches is smaller.
    evaluator = evaluation.Evaluator(run.path, run.pattern, batch_size=16)
    for step in (0, 10, 5):
        found = evaluator.evaluate(step)
        assert found == evaluation.evaluate_run(
            run.path, run.pattern, step=step, batch_size=16
        )
    assert evaluator._scorer.step.num_traces == 1


@pytest.mark.slow
def test_config_that_changes_between_two_checkpoints(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    evaluator = evaluation.Evaluator(run.path, run.pattern)
    assert evaluator.evaluate().model == "MoeModel"
    config = tiny_runs.video_config(run.pattern, num_epochs=1)
    training.train(config, run.path, start_new_model=True)
    found = evaluator.evaluate()
    assert (found.model, found.step) == ("LogisticModel", 5)
    assert found == evaluation.evaluate_run(run.path, run.pattern)


@pytest.mark.slow
def test_checkpoint_that_is_gone_or_broken(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    evaluator = evaluation.Evaluator(run.path, run.pattern)
    path = f"{run.path}/checkpoints/model.ckpt-"
    assert evaluator.evaluate_found(f"{path}10").step == 10
    # Deleted by training: it is not on the list any more, or still is.
    assert evaluator.evaluate_found(f"{path}7") is None
    os.remove(f"{path}0.index")
    assert evaluator.evaluate_found(f"{path}0") is None
    with open(f"{path}5.index", "wb") as file:
        file.write(b"no index")
    with pytest.raises(
        ValueError, match="expected a checkpoint that can be re"
    ):
        evaluator.evaluate_found(f"{path}5")

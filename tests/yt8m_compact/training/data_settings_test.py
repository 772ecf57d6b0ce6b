"""Tests of runs on segments, on halves of videos, and on damaged data."""

import dataclasses
import logging
import pathlib

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import class_priors


def _set_data(config, **kwargs):
    return dataclasses.replace(
        config, data=dataclasses.replace(config.data, **kwargs)
    )


def _segments(index):
    """Ratings of two segments of a video: of two classes and of one."""
    first = index % tiny_runs.NUM_CLASSES
    second = (index + 1 + index % 3) % tiny_runs.NUM_CLASSES
    return [
        (0, first, 1.0),
        (0, second, float(index % 2)),
        (3, second, float((index + 1) % 2)),
    ]


@pytest.fixture(scope="module")
def segment_config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segments")
    pattern = str(folder / "train.tfrecord")
    record_makers.write_tfrecord(
        pattern,
        [
            record_makers.make_frame_example(
                index,
                8,
                num_classes=tiny_runs.NUM_CLASSES,
                segments=_segments(index),
            )
            for index in range(40)
        ],
    )
    return _set_data(
        tiny_runs.frame_config(pattern, base_learning_rate=0.03),
        segment_labels=True,
    )


@pytest.fixture(scope="module")
def segment_run(segment_config, tmp_path_factory):
    run = tiny_runs.Run(
        str(tmp_path_factory.mktemp("segment_run") / "run"),
        segment_config.training.train_data_pattern,
        segment_config,
    )
    result = training.train(run.config, run.path)
    # 40 videos in batches of 8, twice, whatever their segments.
    assert result.step == 10
    return run


def _rated(run):
    """Labels, weights and predictions of all segments, in float64."""
    records = [
        record.numpy() for record in tf.data.TFRecordDataset(run.pattern)
    ]
    batch = run.config.reader(training=False).parse(tf.constant(records))
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    inputs = {name: batch[name] for name in model.input}
    p = model(inputs, training=False).numpy().astype(np.float64)
    return batch["labels"].numpy(), batch["label_weights"].numpy(), p


@pytest.mark.slow
def test_only_rated_classes_count_in_the_evaluation(segment_run):
    result = evaluation.evaluate_run(segment_run.path, segment_run.pattern)
    y, w, p = _rated(segment_run)
    assert len(y) == 80
    rated = w > 0
    precisions = [
        sklearn_metrics.average_precision_score(
            y[rated[:, c], c], p[rated[:, c], c]
        )
        for c in range(y.shape[1])
    ]
    terms = -np.log(np.where(y > 0, p, 1 - p) + 1e-5)
    best = [
        max(np.flatnonzero(row), key=lambda c: scores[c])
        for row, scores in zip(rated, p, strict=True)
    ]
    expected = {
        "map": np.mean(precisions),
        "gap": sklearn_metrics.average_precision_score(y[rated], p[rated]),
        "hit_at_1": np.mean(y[np.arange(len(y)), best]),
        "loss": (terms * w).sum(axis=1).mean(),
        "num_examples": 80,
    }
    for name, value in expected.items():
        assert result.metrics[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.slow
def test_training_learns_from_rated_classes_alone(segment_run, tmp_path):
    # What is rated stays; what is not becomes a label of the videos, which
    # segments don't use.
    changed = str(tmp_path / "train.tfrecord")
    record_makers.write_tfrecord(
        changed,
        [
            record_makers.make_frame_example(
                index, 8, labels=[0, 1, 2, 3, 4], segments=_segments(index)
            )
            for index in range(40)
        ],
    )
    config = tiny_runs.change_training(
        segment_run.config, train_data_pattern=changed
    )
    training.train(config, str(tmp_path / "run"))
    tiny_runs.assert_same_weights(str(tmp_path / "run"), segment_run.path)


@pytest.mark.slow
def test_unrated_classes_of_a_logistic_model_do_not_move(tmp_path):
    records = [
        record_makers.make_frame_example(
            index, 8, num_classes=5, segments=[(0, index % 3, 1.0)]
        )
        for index in range(16)
    ]
    pattern = record_makers.write_tfrecord(tmp_path / "a.tfrecord", records)
    config = _set_data(
        tiny_runs.frame_config(
            pattern,
            tiny_runs.dbof_config(video_level_classifier_model="LogisticModel"),
            num_epochs=1,
            classifier_bias="zeros",
            optimizer="GradientDescentOptimizer",
        ),
        segment_labels=True,
    )
    training.train(config, str(tmp_path / "run"))
    weights = tiny_runs.weights_of(str(tmp_path / "run"))
    bias = weights["classifier/bias"]
    assert (bias[:3] > 0).all()
    np.testing.assert_array_equal(bias[3:], 0)


@pytest.mark.slow
def test_priors_of_segments_are_shares_of_the_rated(segment_config):
    records = [_segments(index) for index in range(40)]
    counts, rated = np.zeros(5), np.zeros(5)
    for segments in records:
        # A segment that is rated twice for a class counts once, the last.
        for (_, label), score in {
            (start, label): score for start, label, score in segments
        }.items():
            counts[label] += score
            rated[label] += 1
    found = class_priors.count_class_priors(
        segment_config.reader(training=True),
        [segment_config.training.train_data_pattern],
        10_000,
        0,
    )
    np.testing.assert_allclose(found, (counts + 0.5) / (rated + 1))


@pytest.mark.slow
def test_split_videos_train_another_model_in_as_many_steps(tmp_path):
    run = tiny_runs.frame_run()
    config = tiny_runs.change_training(run.config, split_videos=True)
    result = training.train(config, str(tmp_path))
    assert result.step == 10
    first = tiny_runs.weights_of(run.path)
    second = tiny_runs.weights_of(str(tmp_path))
    assert any((first[name] != second[name]).any() for name in first)
    # Evaluation looks at whole videos.
    result = evaluation.evaluate_run(str(tmp_path), run.pattern)
    assert result.metrics["num_examples"] == 40


@pytest.fixture
def damaged(tmp_path):
    """Video-level files: one has a wrong record, one is cut off."""
    pattern = tiny_runs.write_videos(tmp_path / "data", 60)
    wrong = tmp_path / "data" / "train1.tfrecord"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(wrong))]
    records[3] = record_makers.make_video_example(labels=[7], num_classes=8)
    record_makers.write_tfrecord(wrong, records)
    cut = tmp_path / "data" / "train2.tfrecord"
    cut.write_bytes(cut.read_bytes()[:-9])
    return pattern


@pytest.mark.slow
def test_training_stops_at_damage_by_default(damaged, tmp_path):
    config = tiny_runs.video_config(damaged, classifier_bias="zeros")
    with pytest.raises(readers.DataError, match=r"train\d.tfrecord: record"):
        training.train(config, str(tmp_path / "run"))


@pytest.mark.slow
def test_training_and_evaluation_skip_damage_and_report(
    damaged, tmp_path, caplog, capsys
):
    config = tiny_runs.video_config(damaged, on_data_error="skip")
    caplog.set_level(logging.WARNING)
    trained = training.train(config, str(tmp_path / "run"))
    logged = sorted(
        pathlib.Path(message.split(":")[0]).name
        + message.partition(":")[2][:40]
        for message in (record.getMessage() for record in caplog.records)
        if message.startswith("skipped ")
    )
    assert len(logged) == 2
    assert logged[0].startswith("train1.tfrecord record 3: expected labels")
    assert logged[1].startswith("train2.tfrecord from record 19 to the end")
    assert [
        pathlib.Path(skipped.file).name for skipped in trained.skipped.files()
    ] == ["train1.tfrecord", "train2.tfrecord"]
    events = tiny_runs.read_events(str(tmp_path / "run" / "train"))
    size = len(record_makers.make_video_example(59, num_classes=5)) + 16 - 9
    assert events["skipped/files"][-1][1] == 2
    assert events["skipped/records"][-1][1] == 1
    assert events["skipped/bytes"][-1][1] == size

    with pytest.raises(readers.DataError, match=r"train\d.tfrecord: record"):
        evaluation.evaluate_run(str(tmp_path / "run"), damaged)
    result = evaluation.evaluate_run(
        str(tmp_path / "run"), damaged, on_data_error="skip"
    )
    assert result.metrics["num_examples"] == 58
    assert (result.skipped_records, result.skipped_bytes) == (1, size)
    assert result.skipped.files() == trained.skipped.files()
    assert capsys.readouterr().out == ""  # Programs print, the library doesn't.


@pytest.mark.slow
def test_an_empty_file_among_good_ones(tmp_path, caplog):
    pattern = tiny_runs.write_videos(tmp_path / "data", 60)
    empty = tmp_path / "data" / "train1.tfrecord"
    empty.write_bytes(b"")
    run = str(tmp_path / "run")
    message = f"^{empty}: expected a TFRecord file with at least one record"
    with pytest.raises(readers.DataError, match=message):
        training.train(tiny_runs.video_config(pattern), run)
    # At the start: there is no checkpoint, and not even a step was logged.
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    config = tiny_runs.video_config(pattern, on_data_error="skip")
    caplog.set_level(logging.WARNING)
    result = training.train(config, run)
    # 40 videos in batches of 8, twice.
    assert result.step == 10
    lines = result.skipped.to_text().splitlines()
    assert lines[2].split() == [str(empty), "0", "0"]
    assert lines[-1] == f"{empty}: The file is empty (0 bytes)."
    logged = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith(f"skipped {empty}: ") for text in logged) == 1
    events = tiny_runs.read_events(run + "/train")
    assert events["skipped/files"][-1][1] == 1
    assert events["skipped/records"][-1][1] == 0

    with pytest.raises(readers.DataError, match=message):
        evaluation.evaluate_run(run, pattern)
    result = evaluation.evaluate_run(run, pattern, on_data_error="skip")
    assert result.metrics["num_examples"] == 40
    assert result.skipped_files == 1
    assert [one.file for one in result.skipped.files()] == [str(empty)]


@pytest.mark.slow
def test_float_frames_train_a_model(tmp_path):
    rng = np.random.default_rng(0)
    file = record_makers.write_tfrecord(
        tmp_path / "a.tfrecord",
        [
            record_makers.make_float_frame_example(
                index,
                {"RGB/feature/floats": rng.uniform(-2, 2, (1 + index % 5, 6))},
                num_classes=5,
            )
            for index in range(16)
        ],
    )
    config = _set_data(
        tiny_runs.frame_config(file, num_epochs=1),
        feature_names=("RGB/feature/floats",),
        feature_sizes=(6,),
        float_frames=True,
    )
    training.train(config, str(tmp_path / "run"))
    result = evaluation.evaluate_run(str(tmp_path / "run"), file)
    assert result.metrics["num_examples"] == 16
    assert isinstance(config.model, models.DbofConfig)

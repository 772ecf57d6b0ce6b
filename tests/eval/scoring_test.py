"""Tests of what a model predicts of batches."""

import functools
import json

import numpy as np
import pytest
import tqdm

import local_mapper
import small_artefacts
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import scoring
from yt8m_compact.eval import spread_scoring
from yt8m_compact.inference import artefacts
from yt8m_compact.run import weight_choice


def _score(scorer, files, skipped=None):
    blocks = [
        (scored.ids, scored.predictions, scored.losses)
        for scored in scorer.score(files, 1, skipped)
    ]
    return [np.concatenate(values) for values in zip(*blocks, strict=True)]


def _make(run, batch_size=16, step=None):
    return scoring.scorer_of_run(
        run.path,
        step,
        weight_choice.RAW,
        batch_size=batch_size,
        frame_seed=None,
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_runs.video_run, tiny_runs.frame_run])
def test_a_video_has_one_score_in_any_batch(make):
    run = make()
    scorer = _make(run)
    files = readers.expand_patterns(run.pattern)
    together = _score(scorer, files)
    apart = [
        np.concatenate(values)
        for values in zip(
            *(_score(scorer, [file]) for file in files), strict=True
        )
    ]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, other)
    assert scorer.step.num_traces == 1
    ids, predictions, losses = together
    batch = tiny_runs.features_of(run, run.pattern)
    assert ids.tolist() == batch["id"].tolist()
    expected = tiny_runs.predictions_of(run, run.pattern)
    np.testing.assert_allclose(predictions, expected, rtol=1e-4)
    likelihood = np.where(batch["labels"], expected, 1 - expected)
    cross_entropy = -np.log(likelihood)
    np.testing.assert_allclose(losses, cross_entropy.sum(axis=1), rtol=1e-3)


@pytest.mark.slow
def test_real_videos_have_one_score(shared_data):
    files = [
        str(shared_data / "yt8m_2018_video" / f"validate000{number}.tfrecord")
        for number in range(3)
    ]
    scorer = scoring.scorer_of_run(
        "preset:yt8m_2018_video_350k",
        None,
        weight_choice.RAW,
        batch_size=100,
        frame_seed=None,
    )
    together = _score(scorer, files)
    assert len(together[0]) > 800
    apart = zip(*(_score(scorer, [file]) for file in files), strict=True)
    for one, values in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, np.concatenate(values))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "saved_model"])
def test_artefacts_score_each_video_alike(name):
    made = small_artefacts.make("video")
    path = made.path(name)
    scorer = scoring.scorer_of_artefact(path, batch_size=16, frame_seed=None)
    files = readers.expand_patterns(made.run.pattern)
    together = _score(scorer, files)
    apart = zip(*(_score(scorer, [file]) for file in files), strict=True)
    for one, values in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, np.concatenate(values))


def _evaluate(run, mapper, **kwargs):
    evaluator = evaluation.Evaluator(
        run.path, kwargs.pop("pattern", run.pattern), mapper=mapper, **kwargs
    )
    return evaluator.evaluate()


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_runs.video_run, tiny_runs.frame_run])
def test_the_same_metrics_by_many_processes(make):
    run = make()
    mapper = local_mapper.LocalMapper(times=2)
    found = [
        _evaluate(run, more, batch_size=16, top_k=3) for more in (None, mapper)
    ]
    texts = [json.dumps(one.to_dict()) for one in found]
    assert texts[0] == texts[1]
    assert found[0].to_text() == found[1].to_text()
    assert found[0].metrics["num_examples"] == 40
    assert len(mapper.tasks) == 3


@pytest.mark.slow
def test_what_is_left_out_by_many_processes(tmp_path):
    run = tiny_runs.video_run()
    pattern = tiny_runs.write_videos(tmp_path, 40)
    (tmp_path / "train00.tfrecord").touch()
    path = tmp_path / "train1.tfrecord"
    content = path.read_bytes()
    path.write_bytes(content[:400] + b"????" + content[404:])
    kwargs = {"pattern": pattern, "batch_size": 7}
    found = [
        _evaluate(run, more, on_data_error="skip", **kwargs)
        for more in (None, local_mapper.LocalMapper())
    ]
    assert found[0].to_dict() == found[1].to_dict()
    assert found[0].skipped.files() == found[1].skipped.files()
    assert found[0].skipped_records and found[0].skipped_files == 2
    path.with_name("train00.tfrecord").unlink()
    messages = []
    for more in (None, local_mapper.LocalMapper()):
        with pytest.raises(readers.DataError, match="train1.*record") as error:
            _evaluate(run, more, **kwargs)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.slow
def test_data_without_labels_by_many_processes(tmp_path):
    run = tiny_runs.video_run()
    pattern = tiny_runs.write_videos(tmp_path, 70, labels=None)
    for more in (None, local_mapper.LocalMapper()):
        with pytest.raises(
            readers.DataError, match="none in the first 64 videos; the test"
        ):
            _evaluate(run, more, pattern=pattern, batch_size=16)


@pytest.mark.slow
def test_the_same_metrics_of_an_artefact():
    made = small_artefacts.make("video")
    found = []
    for mapper in (None, local_mapper.LocalMapper()):
        evaluator = evaluation.Evaluator(None, made.run.pattern, mapper=mapper)
        found.append(
            evaluator.evaluate_artefact(*artefacts.load(made.path("litert")))
        )
    assert found[0].to_dict() == found[1].to_dict()


@pytest.mark.slow
def test_what_many_processes_do_not_do():
    run = tiny_runs.video_run()
    evaluator = evaluation.Evaluator(
        None, run.pattern, mapper=local_mapper.LocalMapper()
    )
    model = evaluation.train_dir_lib.TrainDir(run.path).restore_model()[1]
    with pytest.raises(ValueError, match="Received: .*a model in memory"):
        evaluator.evaluate_model(run.config, model)


@pytest.mark.slow
def test_another_model_in_a_process():
    run = tiny_runs.video_run()
    files = readers.expand_patterns(run.pattern)
    with (
        tqdm.tqdm(disable=True) as bar,
        pytest.raises(ValueError, match="expected the model that this began"),
    ):
        next(
            spread_scoring.score_files(
                _make(run),
                functools.partial(_make, run, step=5),
                local_mapper.LocalMapper(),
                files,
                None,
                bar,
            )
        )


def test_rows_of_a_model():
    rows = [scoring.full_rows(size) for size in (1, 64, 65, 100, 256)]
    assert rows == [64, 64, 128, 128, 256]

"""Tests of models and predictions that are evaluated on the same videos."""

import dataclasses

import numpy as np
import pytest

import local_mapper
import record_makers
import small_artefacts
import tiny_runs
from yt8m_compact import models
from yt8m_compact import predictions
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.eval import comparing
from yt8m_compact.eval import comparison
from yt8m_compact.eval import comparison_sources
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import same_videos
from yt8m_compact.eval import segment_evaluation
from yt8m_compact.inference import outputs
from yt8m_compact.inference import predictors
from yt8m_compact.run import config as config_lib


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_models_of_other_classes_are_not_compared(tmp_path, file):
    config = tiny_runs.video_config("missing*")
    data = dataclasses.replace(config.data, num_classes=4)
    for name, of_run in (
        ("one", config),
        ("other", dataclasses.replace(config, data=data)),
    ):
        (tmp_path / name).mkdir()
        config_lib.save(of_run, str(tmp_path / name / "config.json"))
    sources = [
        comparison_sources.Source("one", train_dir=str(tmp_path / "one"))
    ]
    if file:
        path = tmp_path / "other" / file
        path.touch()
        sources.append(comparison_sources.Source("other", model_file=str(path)))
    else:
        path = tmp_path / "other"
        sources.append(comparison_sources.Source("other", train_dir=str(path)))
    # Told before there is a look at models or data, which are not there.
    comparer = comparing.Comparer("missing*", num_draws=2)
    with pytest.raises(
        ValueError, match="Received: 4 classes of other, where one has 5"
    ):
        next(comparer.evaluate(sources))


def test_segments_are_not_compared_by_many_processes(tmp_path):
    config_lib.save(
        tiny_runs.video_config("missing*"), str(tmp_path / "config.json")
    )
    comparer = comparing.Comparer(
        "missing*", segment_map_k=5, mapper=local_mapper.LocalMapper()
    )
    source = comparison_sources.Source("one", train_dir=str(tmp_path))
    with pytest.raises(ValueError, match="expected no runner where MAP@K"):
        next(comparer.evaluate([source]))


@pytest.mark.slow
def test_checkpoints_that_are_missing_are_told_at_the_start():
    run = tiny_runs.video_run()
    sources = comparison_sources.make_sources([run.path], [10, 99], [])
    comparer = comparing.Comparer("missing*", num_draws=2)
    with pytest.raises(ValueError, match="one of the steps .*10. Rec.*step=99"):
        next(comparer.evaluate(sources))


@pytest.mark.slow
def test_predictions_beside_a_model():
    run = tiny_runs.video_run()
    features = tiny_runs.features_of(run, run.pattern)
    scores = tiny_runs.predictions_of(run, run.pattern)
    labels = features["labels"] > 0
    ids = np.asarray(features["id"]).astype(bytes)
    # Those of the model itself, the last video first.
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(labels, order, axis=1)
    num_labels = labels.sum(axis=1)
    in_first = np.arange(5) < num_labels[:, np.newaxis]
    best = ranked_videos.RankedVideos(
        np.take_along_axis(scores, order, axis=1)[:, :3],
        order[:, :3],
        hits[:, :3],
        num_labels,
        np.sum(hits & in_first, axis=1),
    ).take(np.arange(len(labels))[::-1])
    digests = same_videos.label_digests(*np.nonzero(labels), len(labels))
    comparer = comparing.Comparer(run.pattern, num_draws=20, top_k=3)
    list(
        comparer.evaluate(
            [comparison_sources.Source("run", train_dir=run.path)]
        )
    )
    comparer.add_predictions("file", ids[::-1], digests[::-1], best)
    compared = comparer.result()
    assert [member.name for member in compared.members] == ["run", "file"]
    assert (compared.num_videos, compared.top_k) == (40, 3)
    ((letter, found),) = compared.differences()
    assert letter == "B"
    for metric in ("gap", "hit_at_1", "perr"):
        assert found[metric].value == pytest.approx(0, abs=1e-6)
        assert found[metric].high == pytest.approx(0, abs=1e-6)
    digests[3] += np.uint64(1)
    with pytest.raises(ValueError, match="other labels of the video"):
        comparer.add_predictions("other", ids[::-1], digests[::-1], best)


# Of the videos a to d; b lists class 1 with the score 0.
FILE = "VideoId,LabelConfidencePairs\n"
ONE = FILE + "a,0 0.9 1 0.5\nb,2 0.8 1 0\nc,1 0.7\nd,0 0.6 2 0.4\n"
# In another order.
OTHER = FILE + "d,2 0.6\nc,0 0.9 1 0.3\nb,1 0.8\na,1 0.5 0 0.2\n"
LABELS = "VideoId,Labels\nc,1\na,0 1\nd,2\nb,1\n"


def _write(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in texts]


def _evaluate(labels, *predictions, **kwargs):
    kwargs = {"num_classes": 3, "num_draws": 30, "seed": 2, **kwargs}
    comparer = comparing.Comparer(labels, **kwargs)
    sources = comparison_sources.make_sources([], [None], [], predictions)
    found = list(comparer.evaluate(sources))
    return comparer.result(), [report for _, report in found]


def test_note_is_of_files_that_do_not_list_all_classes(tmp_path):
    text = FILE + "".join(f"{v},0 0.9 2 0.5 1 0.25\n" for v in "abcd")
    labels, one, full = _write(tmp_path, labels=LABELS, one=ONE, full=text)
    # Nobody said that there are three classes.
    compared, _ = _evaluate(labels, full, one, num_classes=3862)
    assert [one.num_listed for one in compared.members] == [None, 2]
    assert compared.listing_note().startswith("B: 2 classes of a video are")
    compared, _ = _evaluate(labels, full, full, num_classes=3862)
    assert compared.listing_note() == ""


def test_files_alone_by_hand(tmp_path):
    labels, one, other = _write(tmp_path, labels=LABELS, one=ONE, other=OTHER)
    compared, reports = _evaluate(labels, one, other, top_k=2)
    # Hit@1: of the one a and c, of the other a, b and d. PERR: of the one a, c
    # and no other; of the other a, b and d.
    a, b = compared.members
    assert a.metrics == pytest.approx(
        {
            # .9 *, .8, .7 *, .6, .5 *, .4 *, 0 *, of five labels.
            "gap": (1 + 2 / 3 + 3 / 5 + 4 / 6 + 5 / 7) / 5,
            "hit_at_1": 2 / 4,
            "perr": 2 / 4,
            # Class 0: a; class 1: c .7, a .5, b 0; class 2: b .8, d .4.
            "map": (1 + 1 + 1 / 2) / 3,
            "loss": None,
        }
    )
    assert b.metrics["hit_at_1"] == 3 / 4
    assert [report.metrics["gap"] for report in reports] == [
        a.metrics["gap"],
        b.metrics["gap"],
    ]
    assert (a.costs, a.num_listed) == (comparison.Costs(), 2)
    # The videos in the order of their ids, drawn by NumPy.
    rng = np.random.default_rng(2)
    drawn = [
        np.bincount(rng.integers(4, size=4), minlength=4) for _ in range(30)
    ]
    differences = [times @ [0, 1, -1, 1] / 4 for times in drawn]
    half = 1.96 * np.std(differences, ddof=1)
    ((_, found),) = compared.differences()
    assert found["hit_at_1"].value == 1 / 4
    assert found["hit_at_1"].high == pytest.approx(1 / 4 + half)
    # MAP: class 0 is a alone, first of one and second of the other: whatever is
    # drawn. Class 1 of the one: c, a and b, in this order, and nothing else.
    # Class 2: b, which has it not, above d.
    maps = []
    for of_a, of_b, of_c, of_d in drawn:
        precisions = [1.0] if of_a else []
        precisions += [1.0] if of_a + of_b + of_c else []
        precisions += [of_d / (of_b + of_d)] if of_d else []
        maps.append(np.mean(precisions))
    np.testing.assert_allclose(a.draws["map"], maps)
    assert (compared.num_videos, compared.num_segments) == (4, None)


def test_formats_are_paired(tmp_path):
    pytest.importorskip("pyarrow")
    labels, one, lines = _write(
        tmp_path,
        labels=LABELS,
        one=ONE,
        lines='{"id": "d", "classes": [2, 0], "scores": [0.4, 0.6]}\n'
        '{"id": "b", "classes": [1, 2], "scores": [0, 0.8]}\n'
        '{"id": "a", "classes": [0, 1], "scores": [0.9, 0.5]}\n'
        '{"id": "c", "classes": [1], "scores": [0.7]}\n',
    )
    parquet = str(tmp_path / "parquet")
    with predictions.writing_rows(
        parquet, predictions.Format.PARQUET
    ) as writer:
        for rows in predictions.read_rows(lines, 3):
            writer.write(rows)
    compared, _ = _evaluate(labels, one, lines, parquet)
    first, *others = compared.members
    for member in others:
        assert member.metrics == first.metrics
        for metric, draws in member.draws.items():
            np.testing.assert_array_equal(draws, first.draws[metric])
    assert len(others) == 2


SEGMENTS = "Class,Segments\n3,x:0 a:0 a:5\n1,b:5\n"
RATINGS = "SegmentId,Class,Score\na:0,3,0\na:5,3,1\nb:5,1,1\n"


def test_submissions_by_hand(tmp_path):
    labels, one, other = _write(
        tmp_path,
        labels=RATINGS,
        one=SEGMENTS,
        other="Class,Segments\n3,a:5 a:0 x:0\n1,c:0\n",
    )
    # Of 100,000 segments, the challenge's K, since nobody asks for another.
    compared, reports = _evaluate(labels, one, other, num_classes=5)
    a, b = compared.members
    assert a.metrics == {"map_at_k": (1 / 2 + 1) / 2}
    assert b.metrics == {"map_at_k": (1 + 0) / 2}
    assert reports[0].metrics["map_at_k"] == a.metrics["map_at_k"]
    assert (compared.num_videos, compared.num_segments) == (2, 3)
    # Two videos are drawn: both, or one of them twice.
    rng = np.random.default_rng(2)
    draws = []
    for _ in range(30):
        times = np.bincount(rng.integers(2, size=2), minlength=2)
        draws.append(({0: 1, 1: 3 / 4, 2: 1 / 2})[int(times[0])])
    np.testing.assert_array_equal(a.draws["map_at_k"], draws)
    assert "MAP@100,000" in compared.to_text()
    assert "3 rated segments of 2 videos" in compared.to_text()
    # Of two segments, the second of class 3 is a:0.
    compared, _ = _evaluate(labels, one, other, num_classes=5, segment_map_k=2)
    assert compared.members[0].metrics == {"map_at_k": (0 + 1) / 2}


def test_what_is_not_compared_with_segments(tmp_path):
    labels, one, other = _write(
        tmp_path, labels=RATINGS, one=SEGMENTS, other=ONE
    )
    message = (
        "expected predictions by class, Class,Segments, .*Received: predictions"
        " by video, csv, of other"
    )
    for kwargs in ({}, {"segment_map_k": 5}):
        with pytest.raises(ValueError, match=message):
            _evaluate(labels, one, other, **kwargs)
    with pytest.raises(ValueError, match="expected no report_dir where MAP@K"):
        _evaluate(labels, one, one, with_insight=True)
    with pytest.raises(ValueError, match="expected on_data_error=stop where"):
        _evaluate(labels, one, one, on_data_error="skip")
    with pytest.raises(ValueError, match="expected num_classes with pred"):
        _evaluate(labels, one, other, num_classes=None)


@pytest.mark.slow
def test_files_beside_models(tmp_path):
    made = small_artefacts.make("video")
    run = made.run
    paths = [
        str(tmp_path / f"out.{name}") for name in ("csv", "jsonl", "parquet")
    ]
    for path in paths:
        predictors.write_predictions(
            predictors.predictor_from_train_dir(run.path), run.pattern, path
        )
    comparer = comparing.Comparer(
        run.pattern, num_draws=20, top_k=3, with_starter_metrics=True
    )
    sources = comparison_sources.make_sources(
        [run.path], [None], [made.path("litert")], paths
    )
    # Models come first, whatever the order.
    list(comparer.evaluate(sources[::-1]))
    compared = comparer.result()
    assert [member.name for member in compared.members] == [
        "litert",
        sources[0].name,
        "out.parquet",
        "out.jsonl",
        "out.csv",
    ]
    for _, found in compared.differences():
        for difference in found.values():
            assert difference.value == pytest.approx(0, abs=1e-5)
            assert difference.high == pytest.approx(0, abs=1e-5)
        assert len(found) >= 4
    starter = [m.report["starter_metrics"] for m in compared.members]
    for values in starter[1:]:
        assert {**values, "loss": None} == pytest.approx(
            {**starter[0], "loss": None}, abs=1e-5
        )
    with open(paths[0], encoding="utf-8") as file:
        lines = file.readlines()
    with open(paths[0], "w", encoding="utf-8") as file:
        file.writelines(lines[:-2])
    comparer = comparing.Comparer(run.pattern, num_draws=20)
    with pytest.raises(readers.DataError, match="Received: none of 2 of them"):
        list(comparer.evaluate([sources[0], sources[2]]))


def _write_segments(tmp_path):
    """Writes 30 videos with 2 rated segments each; returns the pattern."""
    rng = np.random.default_rng(1)
    records = [
        record_makers.make_frame_example(
            index,
            20,
            num_classes=tiny_runs.NUM_CLASSES,
            segments=[
                (5 * start, int(rng.integers(4)), float(rng.integers(2)))
                for start in rng.choice(4, 2, replace=False).tolist()
            ],
        )
        for index in range(30)
    ]
    pattern = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(pattern, records)
    return pattern


@pytest.mark.slow
def test_segments_of_models_and_of_their_submission(tmp_path):
    made = small_artefacts.make("frame")
    pattern = _write_segments(tmp_path)
    submission = str(tmp_path / "segments.csv")
    predictors.write_predictions(
        predictors.predictor_from_train_dir(made.run.path, segments=True),
        pattern,
        submission,
        outputs.Output(predictions.Format.SEGMENTS),
    )
    sources = comparison_sources.make_sources(
        [made.run.path], [None], [made.path("litert")], [submission]
    )
    comparer = comparing.Comparer(pattern, num_draws=20)
    reports = dict(list(comparer.evaluate(sources)))
    compared = comparer.result()
    run, file, listed = compared.members
    alone = segment_evaluation.evaluate_segments(
        predictors.predictor_from_train_dir(made.run.path, segments=True),
        "run",
        pattern,
    )
    assert 0 < alone.metrics["map_at_k"] < 1
    # The run was trained on whole videos: it has no metrics of segments else.
    assert run.metrics == {"map_at_k": alone.metrics["map_at_k"]}
    assert reports[sources[0]].metrics == alone.metrics
    assert listed.metrics == run.metrics
    assert run.costs.num_weights == file.costs.num_weights > 0
    assert run.costs.milliseconds > 0 and file.costs.milliseconds > 0
    assert listed.costs == comparison.Costs()
    np.testing.assert_array_equal(
        listed.draws["map_at_k"], run.draws["map_at_k"]
    )
    assert file.metrics["map_at_k"] == pytest.approx(
        run.metrics["map_at_k"], abs=0.05
    )


@pytest.mark.slow
def test_metrics_of_segments_beside_map_at_k(tmp_path):
    pattern = _write_segments(tmp_path)
    config = tiny_runs.frame_config(
        pattern, models.FrameLevelLogisticConfig(), num_epochs=1
    )
    data = dataclasses.replace(config.data, segment_labels=True, max_frames=20)
    path = str(tmp_path / "run")
    training.train(dataclasses.replace(config, data=data), path)
    segments = (f"v{v:05d}:{s}" for v in range(30) for s in (0, 5, 10, 15))
    (submission,) = _write(
        tmp_path, csv=f"Class,Segments\n1,{' '.join(segments)}\n"
    )
    run, file = comparison_sources.make_sources(
        [path], [None], [], [submission]
    )
    comparer = comparing.Comparer(pattern, num_draws=20)
    list(comparer.evaluate([run]))
    compared = comparer.result()
    # Segments of a video are drawn together.
    assert (compared.num_videos, compared.num_segments) == (30, 60)
    assert "map_at_k" not in compared.members[0].metrics
    comparer = comparing.Comparer(pattern, num_draws=20)
    list(comparer.evaluate([run, file]))
    compared = comparer.result()
    of_run, of_file = compared.members
    assert [*of_run.draws] == [*comparison.METRICS]
    assert 0 < of_run.metrics["map_at_k"] < 1
    assert 0 < of_run.metrics["gap"] <= 1
    assert [*of_file.draws] == ["map_at_k"]
    assert (compared.num_videos, compared.num_segments) == (30, 60)
    sources = comparison_sources.make_sources(
        [path], [None], [], _write(tmp_path, csv=ONE)
    )
    comparer = comparing.Comparer(pattern, num_draws=20)
    with pytest.raises(ValueError, match="expected predictions by class"):
        list(comparer.evaluate(sources))

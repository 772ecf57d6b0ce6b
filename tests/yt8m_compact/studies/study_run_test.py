"""Tests of the file that keeps a run of a study."""

import dataclasses
import json

import pytest

import tiny_runs
from yt8m_compact.studies import study_run

RUN = study_run.StudyRun(
    name="a=1-seed=2",
    values={"a": 1, "b": "low_rank(rank=2)", "c": True, "d": 1e-05},
    seed=2,
    config=tiny_runs.video_config("data*", seed=2),
)
SCORE = study_run.Score(
    metrics={"gap": 0.25, "num_examples": 7},
    step=3,
    weights=10,
    dense_equivalent=40,
    num_bytes=44,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"score": SCORE},
        {"error": "it diverged"},
        {"config": None, "error": "no such values", "seed": None},
    ],
)
def test_a_run_is_read_as_it_was_written(tmp_path, changes):
    run = dataclasses.replace(RUN, **changes)
    path = str(tmp_path / run.name)
    study_run.save(run, path)
    assert study_run.load(path) == run
    assert run.is_done == bool(changes)


def test_percent_of_dense():
    assert SCORE.percent_of_dense == 25.0


def test_no_run(tmp_path):
    assert study_run.load(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content.pop("values"),
            "no 'values'; remove",
        ),
        (lambda content: content.pop("score"), "no 'score'; remove"),
        (
            lambda content: content.update(format_version=2),
            "Received: format_version=2; remove the folder to train the run",
        ),
        (lambda content: content["config"].pop("data"), "no data"),
        (lambda content: content.update(score={"gap": 1}), "argument 'gap'"),
        (lambda content: content.update(values=3), "not iterable"),
    ],
)
def test_a_broken_file(tmp_path, change, message):
    study_run.save(RUN, str(tmp_path))
    path = tmp_path / study_run.FILE
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        study_run.load(str(tmp_path))
    assert "expected what yt8m-train --study keeps" in str(caught.value)

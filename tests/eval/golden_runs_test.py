"""Runs of earlier versions are read, with the same scores."""

import json
import pathlib

import pytest

from yt8m_compact.eval import evaluation
from yt8m_compact.inference import predictors

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
RUNS = sorted(path.parent.name for path in GOLDEN.glob("*/config.json"))


def read_line(line: str) -> tuple[str, dict[int, float]]:
    video_id, pairs = line.split(",")
    values = pairs.split()
    scores = map(float, values[1::2])
    return video_id, dict(zip(map(int, values[::2]), scores, strict=True))


@pytest.fixture(params=RUNS)
def run(request) -> pathlib.Path:
    return GOLDEN / request.param


def expected_of(run: pathlib.Path) -> dict:
    return json.loads((run / "scores.json").read_text())


def test_both_levels_are_there():
    assert {"frame_level", "video_level"} <= set(RUNS)


def test_a_run_is_small(run):
    assert sum(p.stat().st_size for p in run.rglob("*") if p.is_file()) < 1e5


@pytest.mark.slow
def test_metrics(run):
    report = evaluation.evaluate_run(str(run), str(run / "records.tfrecord"))
    assert report.metrics == pytest.approx(
        expected_of(run)["metrics"], rel=0, abs=1e-6
    )


@pytest.mark.slow
def test_predictions(run, tmp_path):
    csv = tmp_path / "predictions.csv"
    predictors.write_csv(
        predictors.predictor_from_train_dir(str(run)),
        str(run / "records.tfrecord"),
        str(csv),
        top_k=5,
    )
    header, *lines = expected_of(run)["predictions"]
    found_header, *found_lines = csv.read_text().splitlines()
    assert found_header == header
    for found, line in zip(found_lines, lines, strict=True):
        video_id, scores = read_line(line)
        # Both are rounded to 6 digits.
        assert read_line(found) == (
            video_id,
            pytest.approx(scores, rel=0, abs=1e-6 + 1e-9),
        )

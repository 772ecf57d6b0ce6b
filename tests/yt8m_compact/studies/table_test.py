"""Tests of the tables of a study."""

import csv
import io

import pytest

from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run
from yt8m_compact.studies import table

STUDY = study_file.Study(
    score_data_pattern="more*",
    seeds=(0, 1),
    grid={"kind": ("dense", "circulant", "bad"), "rate": (0.5,)},
)


def make_run(kind: str, seed: int, gap: float | None, size: int = 40, **kwargs):
    score = None
    if gap is not None:
        score = study_run.Score(
            metrics={
                "gap": gap,
                "hit_at_1": gap / 2,
                "perr": 0.25,
                "map": 0.125,
                "loss": 3.5,
                "num_examples": 7,
                "num_classes_with_positives": 4,
            },
            step=9,
            weights=size // 4,
            dense_equivalent=20_000,
            num_bytes=size,
        )
    values = {"kind": kind, "rate": 0.5}
    name = f"kind={kind}-rate=0.5-seed={seed}"
    return study_run.StudyRun(name, values, seed, None, score, **kwargs)


RUNS = [
    make_run("circulant", 0, 0.5),
    make_run("circulant", 1, 0.6),
    make_run("dense", 0, 0.75, 80_000),
    make_run("dense", 1, None, error="it diverged"),
    make_run("bad", 0, None),
]


def test_text():
    lines = table.to_text(STUDY, RUNS).splitlines()
    assert (
        lines[0].split()
        == (
            "kind rate runs GAP@20 Hit@1 PERR MAP parameters % of dense bytes"
        ).split()
    )
    # The best one first. Of .5 and .6 the mean is .55, and the deviations from
    # it are .05: sqrt((.05^2 + .05^2) / 1) = .0707. Hit@1 has half of both.
    assert lines[2].split() == (
        "dense 0.5 1 0.7500 0.3750 0.2500 0.1250 20,000 100.00 80,000".split()
    )
    assert lines[3].split() == (
        "circulant 0.5 2 0.5500 ± 0.0707 0.2750 ± 0.0354 0.2500 ± 0.0000 "
        "0.1250 ± 0.0000 10 0.05 40".split()
    )
    assert lines[4:] == [
        "",
        "failed:",
        "  kind=dense-rate=0.5-seed=1: it diverged",
        "",
        "left to do: 1 of 5 runs",
    ]


def test_text_of_80_columns():
    text = table.to_text(STUDY, RUNS, 80)
    assert text.splitlines()[:4] == [
        "kind       rate  runs           GAP@20            Hit@1  parameters"
        "   bytes",
        "---------  ----  ----  ---------------  ---------------  ----------"
        "  ------",
        "dense      0.5      1           0.7500           0.3750      20,000"
        "  80,000",
        "circulant  0.5      2  0.5500 ± 0.0707  0.2750 ± 0.0354          10"
        "      40",
    ]
    assert (
        "(--verbosity=1 and wider terminals show: % of dense, MAP, PERR)"
        in text.splitlines()
    )


def test_the_metric_of_the_study_decides():
    study = study_file.Study(
        score_data_pattern="a", metric="map", grid={"kind": ("a", "b")}
    )
    one, two = make_run("a", 0, 0.5), make_run("b", 0, 0.25)
    two.score.metrics["map"] = 0.5
    lines = table.to_text(study, [one, two]).splitlines()
    assert lines[0].split()[:5] == ["kind", "MAP", "GAP@20", "Hit@1", "PERR"]
    assert [line.split()[:3] for line in lines[2:]] == [
        ["b", "0.5000", "0.2500"],
        ["a", "0.1250", "0.5000"],
    ]


def test_nothing_done():
    assert table.to_text(STUDY, RUNS[-1:]) == "left to do: 1 of 1 runs"


def test_trials_that_are_not_known_yet_are_left_to_do():
    search = study_file.Search({"kind": study_file.Choices(("dense",))}, 10)
    study = study_file.Study(
        score_data_pattern="a", seeds=(0, 1), search=search
    )
    text = table.to_text(study, RUNS)
    assert text.endswith("left to do: 16 of 20 runs")


def test_csv():
    rows = list(csv.DictReader(io.StringIO(table.to_csv(STUDY, RUNS))))
    assert [row["run"] for row in rows] == [run.name for run in RUNS[:4]]
    assert rows[2] == {
        "run": "kind=dense-rate=0.5-seed=0",
        "kind": "dense",
        "rate": "0.5",
        "seed": "0",
        "gap": "0.75",
        "hit_at_1": "0.375",
        "perr": "0.25",
        "map": "0.125",
        "loss": "3.5",
        "num_examples": "7",
        "num_classes_with_positives": "4",
        "step": "9",
        "weights": "20000",
        "dense_equivalent": "20000",
        "bytes": "80000",
        "error": "",
    }
    assert (rows[3]["gap"], rows[3]["error"]) == ("", "it diverged")


def test_mean_and_deviation():
    dense, circulant = table.combine(RUNS, "gap")
    assert circulant.mean("gap") == pytest.approx(0.55)
    assert circulant.deviation("gap") == pytest.approx(0.005**0.5)
    assert dense.deviation("gap") is None
    assert (dense.num_bytes, circulant.num_bytes) == (80_000, 40)

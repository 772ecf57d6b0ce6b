"""Tests of the comparison of models."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import comparison
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import report

DRAWS = bootstrap.Draws(60, num_draws=50, seed=3)


def _member(name, noise, costs=None, losses=True, seed=0):
    """A model of 60 videos, all of them with the same labels."""
    labels = np.random.default_rng(9).random((60, 8)) < 0.3
    rng = np.random.default_rng(seed)
    scores = np.clip(labels + noise * rng.standard_normal(labels.shape), 0, 1)
    with metrics_lib.EvaluationMetrics(8, top_k=3) as metrics:
        metrics.update(
            scores, labels, rng.random(60) + noise if losses else None
        )
        map_draws = bootstrap.MapDraws(DRAWS)
        values = metrics.result(map_draws.on_class)
        best = metrics.best_classes()
    draws = comparison.draw_metrics(best, DRAWS, map_draws)
    costs = costs or comparison.Costs()
    return comparison.Member(name, values, draws, costs), best


def _compare(*members):
    return comparison.Comparison(
        members, 60, "data/*.tfrecord", top_k=3, num_draws=50, seed=3
    )


def test_differences_are_paired():
    # The same draws of both: what is hard for both cancels out.
    one, _ = _member("one", 0.5)
    other, _ = _member("other", 0.52)
    found = comparison.subtract(other, one)
    assert list(found) == ["gap", "hit_at_1", "perr", "map", "loss"]
    for metric, difference in found.items():
        value = other.metrics[metric] - one.metrics[metric]
        assert difference.value == pytest.approx(value)
        half = 1.96 * np.std(
            [
                a - b
                for a, b in zip(
                    other.draws[metric], one.draws[metric], strict=True
                )
            ],
            ddof=1,
        )
        assert difference.low == pytest.approx(value - half)
        assert difference.high == pytest.approx(value + half)
    listed = dataclasses.replace(other, num_listed=3)
    assert [*comparison.subtract(listed, one)] == [
        m for m in found if m != "map"
    ]
    assert "map" in comparison.subtract(listed, listed)
    unpaired = np.hypot(one.half_width("gap"), other.half_width("gap"))
    assert found["gap"].high - found["gap"].low < unpaired
    same = comparison.subtract(one, one)
    assert same["map"] == comparison.Difference(0, 0, 0)


def test_draws_of_metrics():
    member, best = _member("one", 0.5)
    for metric, draws in member.draws.items():
        assert draws.shape == (50,)
        # The mean of draws is about the metric.
        assert np.mean(draws) == pytest.approx(member.metrics[metric], abs=0.1)
    drawn = np.repeat(best.precision, DRAWS.counts[:, 4])
    assert member.draws["perr"][4] == pytest.approx(drawn.mean())


def test_predictions_of_which_the_best_are_known():
    member, best = _member("one", 0.5)
    found = comparison.member_of_predictions("file", best, DRAWS)
    for metric in ("gap", "hit_at_1", "perr", "loss"):
        assert found.metrics[metric] == pytest.approx(
            member.metrics[metric], abs=1e-12
        )
        np.testing.assert_array_equal(found.draws[metric], member.draws[metric])
    assert found.metrics["map"] is None
    compared = _compare(member, found)
    assert "map" not in comparison.subtract(found, member)
    assert compared.difference_rows()[0][4] == "-"
    assert compared.to_dict()["members"][1]["metrics"]["map"] is None


def test_predictions_without_labels():
    best = ranked_videos.RankedVideos(
        np.ones((2, 1)),
        np.zeros((2, 1), int),
        np.zeros((2, 1), bool),
        np.zeros(2, int),
        np.zeros(2, int),
    )
    with pytest.raises(ValueError, match="num_positives of at least 1"):
        comparison.member_of_predictions(
            "file", best, bootstrap.Draws(2, num_draws=2)
        )


def test_text():
    draws = {"gap": np.array([0.4, 0.6]), "hit_at_1": np.array([0.5, 0.5])}
    costs = comparison.Costs(17811544, 4452886, 4449024, 1500, 1.2345)
    members = (
        comparison.Member("dense", {"gap": 0.5, "hit_at_1": 0.5}, draws, costs),
        comparison.Member(
            "b",
            {"gap": 0.54, "hit_at_1": 0.25},
            {"gap": np.array([0.45, 0.63]), "hit_at_1": np.array([0.5, 0.5])},
        ),
    )
    text = comparison.Comparison(members, 1234, "x", top_k=7).to_text()
    # 1.96 * sqrt(2) / 10, and of differences .05 and .03, 1.96 * .01 * sqrt(2)
    assert (
        text
        == """\
model       GAP@7     Hit@1
-------  --------  --------
A dense    0.5000    0.5000
         +-0.2772  +-0.0000
B b        0.5400    0.2500
         +-0.2495  +-0.0000

model         bytes    parameters            multiply-adds    ms a video
-------  ----------  ------------  -----------------------  ------------
A dense  17,811,544     4,452,886  4,449,024 + 1,500/frame          1.23
B b               -             -                        -             -

B - A: GAP@7 +0.0400 [+0.0123, +0.0677]
B - A: Hit@1 -0.2500 [-0.2500, -0.2500]

1,234 videos; +- and [] are 95 % intervals of 200 draws of as many videos, of
differences on the same draws"""
    )


def test_text_of_all_metrics_fits_80_columns():
    # The most digits that are usual, names of any length, and the loss.
    draws = {name: np.array([0.4, 0.6]) for name in comparison.METRICS}
    costs = comparison.Costs(1_717_811_544, 10**9 - 1, 999_999_999, 0, 123.456)
    starter = {name: 0.25 for name in comparison.METRICS_OF_VIDEOS}
    members = [
        comparison.Member(
            "a/folder/with a long name/of 40 letters",
            {**dict.fromkeys(draws, 0.5), "loss": 12.3456},
            draws,
            costs,
            {"starter_metrics": starter},
        ),
        comparison.Member(
            "file.csv", {"gap": 0.5, "map": 0.25}, {}, num_listed=20
        ),
    ]
    compared = comparison.Comparison(
        tuple(members),
        1234,
        "x",
        num_segments=5678,
        segment_map_k=100_000,
    )
    lines = compared.to_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == [
        "A  a/folder/with a long name/of 40 letters",
        "B  file.csv",
    ]
    assert lines[3].split() == (
        "model GAP@20 Hit@1 PERR MAP loss MAP@100,000".split()
    )
    assert lines[7].split() == ["B", "0.5000", "-", "-", "0.2500", "-", "-"]
    (head,) = [line for line in lines if line.startswith("starter code")]
    assert head.split()[2:] == "GAP@20 Hit@1 PERR MAP loss".split()
    text = " ".join(lines)
    assert "5,678 rated segments of 1,234 videos; +- and [] are" in text
    assert "B: 20 classes of a video are listed at most. MAP takes" in text
    # The table of a page has a line a model.
    headers, rows = compared.table()
    assert headers[-4:] == [
        "bytes",
        "parameters",
        "multiply-adds",
        "ms a video",
    ]
    assert rows[0][1] == "0.5000 +-0.2772"
    assert rows[1][3:7] == ["-", "0.2500", "-", "-"]


def test_one_model_has_no_letter_and_no_differences():
    member, _ = _member("one", 0.5, losses=False)
    compared = _compare(member)
    assert compared.titles == ["one"]
    assert compared.differences() == []
    assert " - A" not in compared.to_text()
    assert "loss" not in compared.to_text()


def test_json(tmp_path):
    one, _ = _member("one", 0.5, comparison.Costs(num_bytes=7))
    other, _ = _member("other", 0.6)
    path = str(tmp_path / "comparison.json")
    report.write_json(_compare(one, other), path)
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    first, second = values["members"]
    assert (first["letter"], second["letter"]) == ("A", "B")
    assert first["costs"]["num_bytes"] == 7
    assert second["costs"]["milliseconds"] is None
    low, high = first["intervals"]["gap"]
    assert (low + high) / 2 == pytest.approx(first["metrics"]["gap"])
    (difference,) = values["differences"]
    assert (difference["of"], difference["minus"]) == ("B", "A")
    assert difference["metrics"]["map"]["value"] == pytest.approx(
        second["metrics"]["map"] - first["metrics"]["map"]
    )
    assert values["num_draws"] == 50
    assert values["num_videos"] == 60


def test_letters():
    member, _ = _member("one", 0.5)
    letters = _compare(*[member] * 28).letters
    assert letters[:2] + letters[25:] == ["A", "B", "Z", "A1", "B1"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a", "runs/b/"], ["a", "b"]),
        (["x/run", "y/run", "z"], ["x/run", "y/run", "z"]),
        (["run", "a/run"], ["run", "a/run"]),
        (["runs/a", "runs/a"], ["a", "a"]),
        (["gs://x/m.tflite"], ["m.tflite"]),
    ],
)
def test_short_names(paths, names):
    assert comparison.short_names(paths) == names


@pytest.mark.slow
def test_needs_no_tensorflow():
    # Predictions of others are compared where it is not wanted.
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from yt8m_compact.eval import comparison, metrics, same_videos\n"
        "from yt8m_compact.eval.insight import report_folder\n"
        "with metrics.EvaluationMetrics(2) as found:\n"
        "    found.update(np.eye(2), np.eye(2))\n"
        "    assert found.result()['gap'] == 1\n"
        "assert not {'tensorflow', 'keras'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Tests of the picture of the front."""

import dataclasses

import pytest

from benchmarks.front import picture
from benchmarks.front import results
from benchmarks.front import summary

ROW = results.Row(
    data="yt8m",
    split="test",
    family="dense",
    case="dense/1024@float32",
    precision="float32",
    places="",
    weights=5_000_000,
    bytes=20_000_000,
    metric="gap",
    value=0.71,
    low=0.7,
    high=0.72,
    gap=0.71,
    map=0.3,
    seed=0,
    steps=600,
    row_ms=1.3,
    date="2026-11-26",
)


def point(**kwargs) -> summary.Point:
    return summary.Point((dataclasses.replace(ROW, **kwargs),))


BEST = point()
SMALL = point(
    family="to a budget", precision="binary", bytes=200_000, value=0.692
)


def test_what_one_gains_is_said_beside_each_point():
    assert picture.describe(BEST, BEST) == (
        "dense, float32\n20 MB, .710, 1.3 ms"
    )
    # .692 / .71 is .9746.
    assert picture.describe(SMALL, BEST) == (
        "0.2 MB, .692, 1.3 ms\n1/100 of the bytes, 97.5 %"
    )


def test_floats_and_what_is_chosen_are_lines_of_their_own():
    int8 = point(precision="int8", bytes=5_000_000)
    earlier = point(family="earlier recipe", precision="int4")
    low_rank = point(family="low_rank", precision="int4")
    mean = point(family="teacher", bytes=0)
    best = point(family="best dense")
    some = [mean, BEST, int8, SMALL, earlier, low_rank, best]
    assert picture.families(some) == {
        "dense, float32": [BEST, best],
        "dense, fewer bits": [int8],
        "structure and bits chosen for a budget": [SMALL, earlier],
        "low rank, fewer bits": [low_rank],
    }


@pytest.mark.slow
def test_a_picture_is_drawn(tmp_path):
    path = tmp_path / "front.png"
    picture.draw({"yt8m": [BEST, SMALL], "audioset": [BEST]}, path)
    assert path.stat().st_size > 10_000

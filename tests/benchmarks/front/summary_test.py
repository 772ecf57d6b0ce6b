"""Tests of means, fronts and tables."""

import dataclasses

from benchmarks.front import results
from benchmarks.front import summary

_ROW = results.Row(
    data="yt8m",
    split="test",
    family="dense",
    case="a@float32",
    precision="float32",
    places="",
    weights=1000,
    bytes=20_000_000,
    metric="gap",
    value=0.7,
    low=0.69,
    high=0.71,
    gap=0.7,
    map=0.3,
    seed=0,
    steps=1,
    row_ms=1.0,
    date="2026-11-26",
)


def _row(case, family, precision, size, value, **kwargs):
    return dataclasses.replace(
        _ROW,
        case=case,
        family=family,
        precision=precision,
        bytes=size,
        value=value,
        low=value - 0.01,
        high=value + 0.01,
        **kwargs,
    )


def _points():
    rows = [
        _ROW,
        _row("b@binary", "low_rank", "binary", 300_000, 0.680, seed=0),
        _row("b@binary", "low_rank", "binary", 310_000, 0.690, seed=1),
        _row("c@int8", "low_rank", "int8", 900_000, 0.684),
        _row("d@int4", "low_rank", "int4", 90_000, 0.656),
        _row("e@float32", "teacher", "float32", 21_000_000, 0.694),
        _row("mean", "teacher", "float32", 0, 0.72),
        _row("f", "low_rank", "int8", 1, 0.9, split="validation"),
        _row("g", "low_rank", "int8", 1, 0.9, data="audioset"),
    ]
    return summary.points(rows, "yt8m", "test")


def test_points_are_means_of_seeds():
    points = {point.first.case: point for point in _points()}
    assert list(points) == [
        "a@float32", "b@binary", "c@int8", "d@int4", "e@float32", "mean",
    ]  # fmt: skip
    point = points["b@binary"]
    assert round(point.value, 9) == 0.685
    assert round(point.half_interval, 9) == 0.01
    assert point.bytes == 310_000


def test_front_and_reference():
    points = _points()
    # c is larger than b, and no better.
    assert [p.first.case for p in summary.front(points)] == [
        "d@int4", "b@binary", "a@float32",
    ]  # fmt: skip
    assert summary.reference(points).first.case == "a@float32"
    assert summary.reference(points[1:4]) is None
    assert summary.best_dense(points) == summary.reference(points)
    best = _row("h@float32", "best dense", "float32", 20_000_000, 0.704)
    points.append(summary.Point((best,)))
    assert summary.reference(points).first.case == "a@float32"
    assert summary.best_dense(points).first.case == "h@float32"


def test_tables():
    points = _points()
    aims = summary.format_aims(points).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in aims]
    # .7 - .015 where .004, .022 and .045 may be lost.
    assert [(row[0], row[1], row[2], row[6], row[9]) for row in cells] == [
        ("2.60 MB", "dense - .000", "b@binary", "-0.0150", "no"),
        ("1.00 MB", "dense - .004", "b@binary", "-0.0150", "no"),
        ("0.35 MB", "dense - .010", "b@binary", "-0.0150", "no"),
        ("0.19 MB", "dense - .022", "d@int4", "-0.0440", "no"),
        ("0.10 MB", "dense - .045", "d@int4", "-0.0440", "yes"),
    ]
    # Of one seed, and no more than that.
    lucky = _row("i@int8", "low_rank", "int8", 300_000, 0.699)
    aims = summary.format_aims([*points, summary.Point((lucky,))])
    assert "i@int8" not in aims and "b@binary" in aims
    # .656 of .704: the best one decides.
    best = _row("h@float32", "best dense", "float32", 20_000_000, 0.704)
    aims = summary.format_aims([*points, summary.Point((best,))])
    last = [cell.strip() for cell in aims.splitlines()[-1].split("|")[1:-1]]
    assert last[6:] == ["-0.0440", "-0.0480", "1", "no"]
    table = summary.format_points(points)
    (row,) = [line for line in table.splitlines() if line.startswith("| b ")]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "b", "binary", "1,000", "0.310", ".6850", "±.0100", "-0.0150", "2",
        "1.00",
    ]  # fmt: skip

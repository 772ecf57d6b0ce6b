"""Tests of the file of what was measured."""

import dataclasses

import pytest

from benchmarks.front import results

ROW = results.Row(
    data="yt8m",
    split="test",
    family="low_rank",
    case="low_rank/16@int4",
    precision="int4",
    places="hidden_projection=low_rank(rank=16)@int4, or so",
    weights=1234,
    bytes=700,
    metric="gap",
    value=0.512345,
    low=0.5,
    high=0.525,
    gap=0.512345,
    map=0.25,
    seed=1,
    steps=600,
    row_ms=0.123456,
    date="2026-11-26",
)


def test_rows_are_added(tmp_path):
    path = tmp_path / "folder" / "front.csv"
    assert results.read(path) == []
    other = dataclasses.replace(ROW, seed=2, value=0.25)
    results.append(path, ROW)
    results.append(path, other)
    rounded = {"value": 0.51235, "gap": 0.51235, "row_ms": 0.1235}
    assert results.read(path) == [
        dataclasses.replace(ROW, **rounded),
        dataclasses.replace(other, **{**rounded, "value": 0.25}),
    ]
    assert ROW.key == ("yt8m", "test", "low_rank/16@int4", 1)
    assert path.read_text().count("data,split,") == 1


def test_other_columns(tmp_path):
    path = tmp_path / "front.csv"
    path.write_text("data,score\nyt8m,1\n")
    with pytest.raises(ValueError, match="columns data, split,.*data, score"):
        results.read(path)

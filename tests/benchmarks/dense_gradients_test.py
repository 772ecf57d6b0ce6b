"""Tests of the benchmark of gradients of dense products."""

import re

from benchmarks import dense_gradients


def test_a_table(capsys):
    dense_gradients.main(["--shapes=8x6x10,300x6x10", "--rounds=2"])
    out = capsys.readouterr().out
    rows = re.findall(r"^\| (\d\S+) +\|.*\| +(\S+) \|$", out, re.MULTILINE)
    assert [shape for shape, _ in rows] == ["8x6x10", "300x6x10"]
    assert all(float(error) < 1e-5 for _, error in rows)

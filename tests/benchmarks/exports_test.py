"""Tests of the benchmark of exported files, on a tiny network."""

import os
import re

import pytest

from benchmarks import exports


@pytest.mark.slow
def test_a_network(tmp_path, capsys):
    exports.measure_network("tiny", str(tmp_path), rounds=1)
    files = {
        name: os.path.getsize(tmp_path / name)
        for name in os.listdir(tmp_path)
        if name.endswith(".tflite")
    }
    assert len(files) == 7
    output = capsys.readouterr().out
    for name, size in files.items():
        label = name.removesuffix(".tflite")
        assert re.search(rf"^\| {label} +\| {size:,} ", output, re.MULTILINE)
    # Of each operator some time, and all of it in the end.
    times = re.findall(r"^\| [A-Z_]+ +\| ([\d.]+) ", output, re.MULTILINE)
    assert len(times) > 5 and all(float(value) >= 0 for value in times)
    (total,) = re.findall(r"([\d.]+) ms of operators", output)
    assert float(total) > 0
    # Nothing is made again.
    before = {name: os.stat(tmp_path / name).st_mtime_ns for name in files}
    exports.measure_network("tiny", str(tmp_path), rounds=1)
    assert before == {
        name: os.stat(tmp_path / name).st_mtime_ns for name in files
    }

"""Tests of the benchmark of exported files, on a tiny network."""

import re

import pytest

from benchmarks import exports


@pytest.mark.slow
def test_a_network(tmp_path, capsys):
    exports.measure_network("tiny", str(tmp_path), rounds=1)
    files = [path for path in sorted(tmp_path.glob("*/*")) if path.is_file()]
    sizes = {
        folder.name: sum(p.stat().st_size for p in files if p.parent == folder)
        for folder in {path.parent for path in files}
    }
    assert len(sizes) == 11
    assert sum(path.suffix == ".tflite" for path in files) == 7
    output = capsys.readouterr().out
    for label, size in sizes.items():
        assert re.search(rf"^\| {label} +\| {size:,} ", output, re.MULTILINE)
    # Of each operator some time, and all of it in the end.
    times = re.findall(r"^\| [A-Z_]+ +\| ([\d.]+) ", output, re.MULTILINE)
    assert len(times) > 5 and all(float(value) >= 0 for value in times)
    (total,) = re.findall(r"([\d.]+) ms of operators", output)
    assert float(total) > 0
    # Nothing is made again.
    before = {path: path.stat().st_mtime_ns for path in files}
    exports.measure_network("tiny", str(tmp_path), rounds=1)
    assert before == {path: path.stat().st_mtime_ns for path in files}

"""Tests that the snippets of docs/python.md run, one after the other."""

import os
import re

import numpy as np
import pytest

import project_file
import tiny_runs

_SIZES = {"mean_rgb": 1024, "mean_audio": 128}


@pytest.mark.slow
def test_snippets_run(tmp_path, monkeypatch, capsys):
    for name, start in (("train", 0), ("validate", 100), ("test", 200)):
        tiny_runs.write_videos(
            tmp_path / "data", name=name, start=start, feature_sizes=_SIZES
        )
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    dense_labels = rng.random([60, 100]) < 0.03
    dense_labels[:, 3] = True
    names = {
        "features": rng.normal(size=[60, 12]).astype(np.float32),
        "labels": [np.flatnonzero(row).tolist() for row in dense_labels],
        "dense_labels": dense_labels,
    }
    text = (project_file.ROOT / "docs" / "python.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 5
    for snippet in snippets:
        exec(compile(snippet, "docs/python.md", "exec"), names)
    assert os.path.getsize("curves.png") > 1000
    assert names["step"] > 0
    assert len(names["found"].ids) == 40
    assert names["scores"].shape == (60, 100)
    shown = {name for row in names["names"] for name, _ in row}
    assert "Game" in shown
    values = names["values"]
    for name, value in names["report"].metrics.items():
        if name in values:
            assert value == pytest.approx(values[name], abs=1e-6)
    assert len(names["history"]["map"]) == 2
    assert "('Game', " in capsys.readouterr().out

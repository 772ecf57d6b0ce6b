"""Tests that the notebook runs, and that it is kept with its plots only."""

import os
import pathlib
import re

import nbclient
import nbformat
import pytest

import project_file
import yt8m_compact

_PATH = project_file.ROOT / "examples" / "compact_video_classifier.ipynb"
_MAX_BYTES = 300_000


def _outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def _num_plots(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in one.get("data", {}) for one in _outputs(notebook))


def _texts(notebook: nbformat.NotebookNode) -> str:
    """What the cells print, without the log."""
    return "".join(
        output.text
        for output in _outputs(notebook)
        if output.output_type == "stream" and output.name == "stdout"
    )


def test_is_kept_with_its_plots_and_small():
    assert _PATH.stat().st_size < _MAX_BYTES
    notebook = nbformat.read(_PATH, as_version=4)
    nbformat.validate(notebook)
    assert _num_plots(notebook) == 2
    kinds = {output.output_type for output in _outputs(notebook)}
    assert "error" not in kinds
    logs = [one for one in _outputs(notebook) if one.get("name") == "stderr"]
    assert logs == []
    # Nothing of the machine that it ran on.
    assert not re.search(r"/(tmp|home|root|Users)/", _PATH.read_text())


@pytest.mark.slow
def test_runs(tmp_path, monkeypatch):
    root = pathlib.Path(yt8m_compact.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.fspath(root))
    notebook = nbformat.read(_PATH, as_version=4)
    before = _texts(notebook)
    nbclient.NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": os.fspath(tmp_path)}},
    ).execute()
    assert _num_plots(notebook) == 2
    # As it was when it was kept, but for the machine.
    kept, found = _gaps(before), _gaps(_texts(notebook))
    assert found == pytest.approx(kept, abs=0.03)
    taught = found["one-bit weights, taught"]
    assert taught > found["dense"] - 0.05
    assert found["LiteRT"] == pytest.approx(taught, abs=0.01)


def _gaps(text: str) -> dict[str, float]:
    """Reads GAP@20 of each model, and of the file, in what was printed."""
    rows = re.findall(r"^(.+?) +[\d,]+ kB   GAP@20 ([\d.]+)$", text, re.M)
    of_file = re.findall(r"GAP@20 of the (LiteRT) file: ([\d.]+)", text)
    assert len(rows) == 4
    return {name: float(gap) for name, gap in [*rows, *of_file]}

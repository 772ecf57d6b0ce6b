"""Every public thing has an example in its docstring, and examples run."""

import ast
import doctest
import importlib

import numpy as np
import pytest

import build_file
import yt8m_compact as yt8m

# Their examples need a run on disk: their own tests make it, and run them.
_WITH_A_RUN = {
    "yt8m_compact.api.fitting",
    "yt8m_compact.api.opening",
    "yt8m_compact.compression.run_compression",
    "yt8m_compact.training.loop",
}
# Their examples take over half a second of processor time.
_SLOW = {
    "yt8m_compact.api.classifier",
    "yt8m_compact.compression.model_compression",
    "yt8m_compact.datasets.pool",
    "yt8m_compact.eval.evaluation",
    "yt8m_compact.eval.global_average_precision",
    "yt8m_compact.inference.artefacts.artefact",
    "yt8m_compact.inference.artefacts.keras_file",
    "yt8m_compact.inference.artefacts.litert",
    "yt8m_compact.inference.artefacts.measuring",
    "yt8m_compact.inference.artefacts.onnx",
    "yt8m_compact.inference.artefacts.openvino",
    "yt8m_compact.inference.artefacts.saved_model",
    "yt8m_compact.inference.exports.keras_file",
    "yt8m_compact.inference.exports.litert",
    "yt8m_compact.inference.exports.onnx",
    "yt8m_compact.inference.exports.openvino",
    "yt8m_compact.inference.exports.saved_model",
    "yt8m_compact.inference.predictors",
    "yt8m_compact.inference.serving",
    "yt8m_compact.readers.dataset",
    "yt8m_compact.readers.errors",
    "yt8m_compact.readers.frame_level",
    "yt8m_compact.readers.score_files",
    "yt8m_compact.readers.skipped",
    "yt8m_compact.readers.video_level",
    "yt8m_compact.studies.runner",
}


def _with_examples() -> list:
    found = []
    for module in build_file.modules():
        if (
            module in _WITH_A_RUN
            or ">>> " not in build_file.source(module).read_text()
        ):
            continue
        marks = [pytest.mark.slow] if module in _SLOW else []
        found.append(pytest.param(module, marks=marks))
    return found


def _public(room: str) -> list[tuple[str, str]]:
    """Returns the names that a room exports, each with its module.

    Those of a module, in the place of a room, are what it defines.
    """
    tree = ast.parse(build_file.source(f"yt8m_compact.{room}").read_text())
    public = [
        (node.name, f"yt8m_compact.{room}")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        package, _, module = node.module.partition(".")
        if package != "yt8m_compact" or not module:
            continue
        for name in node.names:
            if name.name == "*":
                public.extend(_public(module))
            else:
                public.append((name.name, node.module))
    return public


def _docstrings(module: str) -> dict[str, str]:
    """Returns those of the functions and classes of a module."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.parse(build_file.source(module).read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize(
    "room",
    [
        "api",
        "compression",
        "datasets",
        "evaluation",
        "inference.artefacts",
        "inference.predictors",
        "inference.serving",
        "layers",
        "models",
        "ops",
        "predictions",
        "presets",
        "readers",
        "run",
        "structures",
        "studies",
        "training",
    ],
)
def test_every_public_thing_has_an_example(room):
    public = _public(room)
    without = []
    for name, module in public:
        docstrings = _docstrings(module)
        # A constant has no docstring.
        if name in docstrings and ">>> " not in docstrings[name]:
            without.append(f"{module}.{name}")
    assert public
    assert not without, f"{len(without)} without: {', '.join(without)}"


@pytest.mark.parametrize("module", _with_examples())
def test_examples(module, tmp_path, monkeypatch):
    # Examples may write files, by names alone.
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(
        importlib.import_module(module),
        extraglobs={"np": np, "yt8m": yt8m},
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert found.attempted > 0
    assert found.failed == 0

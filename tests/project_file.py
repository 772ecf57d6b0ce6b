"""Reads pyproject.toml."""

import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def read_project_file() -> dict:
    """Returns pyproject.toml as a dict."""
    # Python 3.10 has no tomllib, but there pytest brings tomli.
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    toml = importlib.import_module(name)
    return toml.loads((ROOT / "pyproject.toml").read_text())

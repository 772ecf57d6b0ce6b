"""Reads pyproject.toml."""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def read_project_file() -> dict:
    """Returns pyproject.toml as a dict."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())

"""Tests that the library speaks of arguments, and prints nothing."""

import ast
import pathlib
import re

import pytest

from yt8m_compact import datasets

_FILES = sorted(pathlib.Path(datasets.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_no_text_names_a_flag_and_nothing_is_printed(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"(?<!\w)--\w|\bflags?\b", node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"

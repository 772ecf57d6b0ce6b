"""One dialect of docstrings and of errors in the whole tree."""

import ast
import inspect
import re

import pytest

import build_file

ROOT = build_file.ROOT
FILES = build_file.python_files()
PACKAGE = [path for path in FILES if path.startswith("yt8m_compact/")]

_SECTION = re.compile(
    r"(Args|Attributes|Examples?|Input shape|Notes?|Output shape|Raises"
    r"|References?|Returns|Yields):"
)
# What users see of these is the message.
_ERRORS = ("DataError", "DownloadError", "UsageError", "ValueError")


def wrong_sections(text: str) -> list[str]:
    """Lists the sections of a docstring that 4 spaces do not indent."""
    lines = [line for line in inspect.cleandoc(text).splitlines() if line]
    return [
        line
        for line, after in zip(lines, lines[1:], strict=False)
        if _SECTION.fullmatch(line) and not re.match(r" {4}\S", after)
    ]


def wrong_errors(source: str) -> list[str]:
    """Lists the messages that say only one of what was expected and received.

    One that says neither is part of another message, or is around one.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Raise) or not isinstance(
            node.exc, ast.Call
        ):
            continue
        name = ast.unparse(node.exc.func).rpartition(".")[2]
        text = "".join(
            part.value
            for part in ast.walk(node.exc)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
        says = "expected" in text, "Received:" in text
        if name in _ERRORS and says[0] != says[1]:
            found.append(f"line {node.lineno}: {text}")
    return found


def foreign_words(source: str) -> list[str]:
    """Lists texts that tell in other words what was received.

    Messages that a graph raises are no `raise` of Python.
    """
    return [
        f"line {node.lineno}: {node.value}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"(^|, )found ", node.value)
    ]


@pytest.mark.parametrize("path", FILES)
def test_sections_of_docstrings_are_indented_by_four_spaces(path):
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in nodes:
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        assert not wrong_sections(text or ""), getattr(node, "name", path)


@pytest.mark.parametrize("path", PACKAGE)
def test_errors_say_what_was_expected_and_received(path):
    source = (ROOT / path).read_text()
    assert not wrong_errors(source)
    assert not foreign_words(source)


def test_wrong_sections_are_found():
    assert wrong_sections("A.\n\n    Args:\n      x: y\n") == ["Args:"]
    assert not wrong_sections("A.\n\n    Args:\n        x: y\n")


def test_wrong_errors_are_found():
    source = 'raise ValueError(f"expected {a}, found {b}")'
    assert wrong_errors(source) == ["line 1: expected , found "]
    assert not wrong_errors('raise ValueError(f"expected {a}. Received: {b}")')
    assert not wrong_errors('raise ValueError(f"{where}: {error}")')
    assert foreign_words(source) == ["line 1: , found "]
    assert not foreign_words('raise ValueError("not found in a")')

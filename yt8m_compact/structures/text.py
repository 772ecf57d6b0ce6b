"""Reads structures from text."""

import ast
import dataclasses
from typing import Any

from yt8m_compact import names
from yt8m_compact.structures import registry
from yt8m_compact.structures import structure
from yt8m_compact.structures import sum_structure

# Longer than any sum with its arguments.
_MAX_LENGTH = 4096


def get(
    identifier: str | structure.Structure,
) -> structure.Structure:
    """Returns a structure, from text or from itself.

    Text is a name, with arguments if need be, or a sum of those:
    `low_rank(rank=64) + diagonal_circulant`. `str` of a structure writes it.

    Args:
        identifier: a text or a structure.

    Returns:
        The structure.

    Raises:
        ValueError: if the text is none of a structure, or a name or an argument
            is unknown or wrong; it lists what there is.
    """
    if isinstance(identifier, structure.Structure):
        return identifier
    if not isinstance(identifier, str):
        raise ValueError(
            "expected a structure or its text, such as 'low_rank(rank=64) + "
            f"diagonal_circulant'. Received: structure={identifier!r}"
        )
    terms = _terms(identifier)
    if len(terms) == 1:
        return _read_term(terms[0], identifier)
    return sum_structure.Sum(
        tuple(_read_term(term, identifier) for term in terms)
    )


def signatures() -> tuple[str, ...]:
    """Lists the structures there are, with what their arguments default to.

    Returns:
        The texts, such as `low_rank(rank=32)`, and the names that are short for
        others.
    """
    texts = []
    for name, cls in registry.STRUCTURES.items():
        arguments = ", ".join(
            f"{field.name}={field.default!r}"
            for field in dataclasses.fields(cls)
        )
        texts.append(f"{name}({arguments})" if arguments else name)
    return (*texts, *registry.ALIASES)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def _malformed(text: str, reason: str) -> ValueError:
    return ValueError(
        "expected the text of a structure, such as 'low_rank(rank=64) + "
        f"diagonal_circulant'. Received: structure={_shown(text)} ({reason})"
    )


def _terms(text: str) -> list[ast.expr]:
    """Parses a text and cuts it at the plus signs."""
    if len(text) > _MAX_LENGTH:
        raise _malformed(text, f"{len(text)} characters")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    # ValueError: null bytes. The others: nested too deep for Python's parser.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _malformed(text, "not an expression") from None
    # Not by recursion, which hundreds of parts would exhaust.
    terms, stack = [], [node]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            stack += [node.right, node.left]
        else:
            terms.append(node)
    return terms


def _read_term(node: ast.expr, text: str) -> structure.Structure:
    """Makes one part of a sum."""
    keywords = []
    if isinstance(node, ast.Call):
        if node.args or any(k.arg is None for k in node.keywords):
            raise _malformed(text, "arguments need names: rank=64")
        keywords, node = node.keywords, node.func
    if not isinstance(node, ast.Name):
        raise _malformed(text, "not a sum of names and arguments")
    name = node.id
    if name in registry.ALIASES:
        alias = registry.ALIASES[name]
        if keywords:
            raise ValueError(
                f"expected {name} without arguments: it is short for {alias}, "
                f"which takes them. Received: structure={_shown(text)}"
            )
        return alias
    if name not in registry.STRUCTURES:
        known = (*registry.STRUCTURES, *registry.ALIASES)
        raise ValueError(
            f"expected a structure, one of {', '.join(known)}. Received: "
            f"structure={_shown(name)}{names.suggestion(name, known)}"
        )
    cls = registry.STRUCTURES[name]
    known = tuple(field.name for field in dataclasses.fields(cls))
    arguments = {}
    for keyword in keywords:
        if keyword.arg not in known:
            raise ValueError(
                f"expected arguments of {name}: {', '.join(known) or 'none'}. "
                f"Received: argument={_shown(keyword.arg)}"
                f"{names.suggestion(keyword.arg, known)}"
            )
        if keyword.arg in arguments:
            raise _malformed(text, f"{keyword.arg} twice")
        arguments[keyword.arg] = _literal(keyword.value, text)
    return cls(**arguments)


def _literal(node: ast.expr, text: str) -> Any:
    """Reads a number, True, False or None."""
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    if negative:
        node = node.operand
    if isinstance(node, ast.Constant):
        value = node.value
        if type(value) in (int, float):
            return -value if negative else value
        if not negative and (value is None or isinstance(value, bool)):
            return value
    raise _malformed(text, "arguments are numbers, True, False or None")

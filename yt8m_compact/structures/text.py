"""Reads structures from text."""

import ast
from collections.abc import Iterable, Mapping
import dataclasses
from typing import Any

from yt8m_compact import names
from yt8m_compact.structures import precisions
from yt8m_compact.structures import registry
from yt8m_compact.structures import structure
from yt8m_compact.structures import sum_structure

# Longer than any sum with its arguments.
_MAX_LENGTH = 4096


def get(
    identifier: str | structure.Structure,
) -> structure.Structure:
    """Returns a structure, from text or from itself.

    Text is a name, with arguments if need be, or a sum of those, each with a
    precision behind `@` if need be: `low_rank(rank=64)@int4 +
    diagonal_circulant`; `(low_rank + diagonal_circulant)@int8` is that of both.
    `str` of a structure writes it.

    Example:
        >>> text = "low_rank(rank=64)@int4 + circulant"
        >>> structure = yt8m.structures.get(text)
        >>> structure.parts[1]
        Circulant(pad_input=False)
        >>> str(structure) == text
        True

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
    return _read(_parsed(identifier), identifier)


def signatures() -> tuple[str, ...]:
    """Lists the structures there are, with what their arguments default to.

    Example:
        >>> [text for text in yt8m.structures.signatures() if "rank" in text]
        ['low_rank(rank=32)', 'toeplitz_like(displacement_rank=2)',
            'low_rank_plus_circulant']

    Returns:
        The texts, such as `low_rank(rank=32)`, and the names that are short for
        others.
    """
    return (*_signatures(registry.STRUCTURES), *registry.ALIASES)


def precision_signatures() -> tuple[str, ...]:
    """Lists the precisions there are, with what their arguments default to.

    Example:
        >>> yt8m.structures.precision_signatures()[:2]
        ('float32(packed=False)', 'bfloat16(packed=False)')

    Returns:
        The texts, such as `int4(packed=False, block_size=None)`.
    """
    return tuple(_signatures(precisions.PRECISIONS))


def _signatures(classes: Mapping[str, type]) -> list[str]:
    texts = []
    for name, cls in classes.items():
        arguments = ", ".join(
            f"{field.name}={field.default!r}"
            for field in dataclasses.fields(cls)
        )
        texts.append(f"{name}({arguments})" if arguments else name)
    return texts


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def _malformed(text: str, reason: str) -> ValueError:
    return ValueError(
        "expected the text of a structure, such as 'low_rank(rank=64) + "
        f"diagonal_circulant'. Received: structure={_shown(text)} ({reason})"
    )


def _parsed(text: str) -> ast.expr:
    if len(text) > _MAX_LENGTH:
        raise _malformed(text, f"{len(text)} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    # ValueError: null bytes. The others: nested too deep for Python's parser.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _malformed(text, "not an expression") from None


def _read(node: ast.expr, text: str) -> structure.Structure:
    """Makes a structure: a sum is cut at the plus signs."""
    # Not by recursion, which hundreds of parts would exhaust.
    terms, stack = [], [node]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            stack += [node.right, node.left]
        else:
            terms.append(node)
    return sum_structure.sum_of(_read_term(term, text) for term in terms)


def _read_term(node: ast.expr, text: str) -> structure.Structure:
    """Makes one part of a sum, with its precision."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        if isinstance(node.left, ast.BinOp) and isinstance(
            node.left.op, ast.MatMult
        ):
            raise _malformed(text, "two precisions of one structure")
        name, arguments = _read_call(node.right, text)
        cls = _known("precision", name, precisions.PRECISIONS, ())
        return _read(node.left, text) @ _made(cls, name, arguments, text)
    name, arguments = _read_call(node, text)
    if name in registry.ALIASES:
        alias = registry.ALIASES[name]
        if arguments:
            raise ValueError(
                f"expected {name} without arguments: it is short for {alias}, "
                f"which takes them. Received: structure={_shown(text)}"
            )
        return alias
    cls = _known("structure", name, registry.STRUCTURES, registry.ALIASES)
    return _made(cls, name, arguments, text)


def _read_call(node: ast.expr, text: str) -> tuple[str, list[ast.keyword]]:
    """Reads a name with its arguments."""
    keywords = []
    if isinstance(node, ast.Call):
        if node.args or any(k.arg is None for k in node.keywords):
            raise _malformed(text, "arguments need names: rank=64")
        keywords, node = node.keywords, node.func
    if not isinstance(node, ast.Name):
        raise _malformed(text, "not a sum of names and arguments")
    return node.id, keywords


def _known(
    noun: str,
    name: str,
    classes: Mapping[str, type],
    aliases: Iterable[str],
) -> type:
    """Finds the class of a name."""
    if name not in classes:
        known = (*classes, *aliases)
        raise ValueError(
            f"expected a {noun}, one of {', '.join(known)}. Received: "
            f"{noun}={_shown(name)}{names.suggestion(name, known)}"
        )
    return classes[name]


def _made(cls: type, name: str, keywords: list[ast.keyword], text: str) -> Any:
    """Makes a value of its class and arguments."""
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

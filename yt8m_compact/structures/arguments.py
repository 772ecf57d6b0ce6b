"""Arguments of values that have a text form: checks, and the text."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m_compact import settings


def check(value: Any) -> None:
    """Checks every argument, by its type.

    Args:
        value: a dataclass of ints above 0, floats above 0 and at most 1, None
            where that is the default, and bools.

    Raises:
        ValueError: if an argument is wrong.
    """
    for field, kind in zip(
        dataclasses.fields(value),
        settings.field_types(type(value)).values(),
        strict=True,
    ):
        argument = getattr(value, field.name)
        if kind is bool:
            if not isinstance(argument, bool):
                raise ValueError(
                    "expected True or False. Received: "
                    f"{field.name}={argument!r}"
                )
        elif kind is float:
            share = check_share(field.name, argument)
            # As text it is the same, whatever type of number it was.
            object.__setattr__(value, field.name, share)
        elif argument is not None or kind is int:
            check_positive(field.name, argument)


def check_positive(name: str, value: Any) -> int:
    """Checks an argument that counts something.

    Example:
        >>> yt8m.structures.check_positive("rank", 64)
        64
        >>> yt8m.structures.check_positive("rank", 0)
        Traceback (most recent call last):
            ...
        ValueError: expected a positive int. Received: rank=0

    Args:
        name: the argument's name.
        value: its value.

    Returns:
        The value.

    Raises:
        ValueError: if it is not a positive int.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"expected a positive int. Received: {name}={value!r}")
    return value


def check_share(name: str, value: Any) -> float:
    """Checks an argument that is a share of something.

    Args:
        name: the argument's name.
        value: its value.

    Returns:
        The value, a float.

    Raises:
        ValueError: if it is not a number above 0 and at most 1.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= 1:
        raise ValueError(
            "expected a number above 0 and at most 1. Received: "
            f"{name}={value!r}"
        )
    return float(value)


def to_text(name: str, value: Any) -> str:
    """Writes a value as text, without arguments at their default.

    Args:
        name: what its text begins with.
        value: a dataclass.

    Returns:
        The text: `low_rank(rank=64)`, or the name alone.
    """
    given = ", ".join(
        f"{field.name}={getattr(value, field.name)!r}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default
    )
    return f"{name}({given})" if given else name

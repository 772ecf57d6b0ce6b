"""Values for settings that are allowed and are not the defaults."""

import dataclasses
from typing import Any, TypeVar

from yt8m_compact import structures

T = TypeVar("T")


def other_value(field: dataclasses.Field) -> Any:
    """Returns a value of a field that is allowed and not the default."""
    value = field.default
    if field.metadata["parse"]:  # A structure: a sum of two, with an argument.
        return value + structures.LowRank(3)
    if field.metadata["choices"] and isinstance(value, tuple):
        return tuple(c for c in field.metadata["choices"] if c not in value)
    if field.metadata["choices"]:
        return next(c for c in field.metadata["choices"] if c != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "other"
    if isinstance(value, tuple):
        return (7, 8) if isinstance(value[0], int) else ("a", "b")
    if isinstance(value, float):
        return value / 2
    if value is None:
        return True if "bool" in str(field.type) else 7
    return value + 1


def make_with_other_values(cls: type[T]) -> T:
    """Makes an instance of a settings class with no default left."""
    return cls(**{f.name: other_value(f) for f in dataclasses.fields(cls)})

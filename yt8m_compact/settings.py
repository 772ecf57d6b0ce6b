"""Frozen dataclasses of settings: their fields, checks, and JSON form."""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def setting(
    default: Any,
    help_text: str,
    *,
    choices: typing.Sequence[str] | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    is_pattern: bool = False,
) -> Any:
    """Declares a field of a settings dataclass, which is also a flag.

    Args:
      default: the default value.
      help_text: one or two sentences, the flag's help.
      choices: the values allowed, for strings; for tuples of strings, the
        values of which there must be one or several, each once.
      minimum: the smallest number allowed.
      above: a bound that the number must exceed.
      maximum: the largest number allowed.
      is_pattern: whether a string names files, in which a flag takes `~` for
        the home folder.

    Returns:
      A `dataclasses.field`.
    """
    metadata = {
        "help": help_text,
        "choices": tuple(choices) if choices else None,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "is_pattern": is_pattern,
    }
    return dataclasses.field(default=default, metadata=metadata)


def check(config: Any) -> None:
    """Checks every field of a settings dataclass against its declaration.

    Args:
      config: an instance of a dataclass whose fields are `setting`s.

    Raises:
      ValueError: naming the field, what was expected and what was received.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        problem = _type_problem(field.type, value) or _bound_problem(
            field.metadata, value
        )
        if problem:
            raise ValueError(
                f"{type(config).__name__}: expected {field.name} to be "
                f"{problem}. Received: {field.name}={value!r}"
            )


def _type_problem(annotation: Any, value: Any) -> str | None:
    if isinstance(annotation, types.UnionType):
        options = typing.get_args(annotation)
        problems = [_type_problem(option, value) for option in options]
        return None if None in problems else " or ".join(problems)
    if annotation is type(None):
        return None if value is None else "null"
    if typing.get_origin(annotation) is tuple:
        item = typing.get_args(annotation)[0]
        if isinstance(value, tuple) and all(
            _type_problem(item, entry) is None for entry in value
        ):
            return None
        return f"a list of {item.__name__}"
    if annotation is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number and math.isfinite(value) else "a finite number"
    if type(value) is annotation:
        return None
    names = {bool: "true or false", int: "a whole number", str: "a string"}
    return names.get(annotation, annotation.__name__)


def _bound_problem(
    metadata: typing.Mapping[str, Any], value: Any
) -> str | None:
    choices = metadata.get("choices")
    if choices and isinstance(value, tuple):
        if not value or set(value) - {*choices} or len(set(value)) < len(value):
            return f"one or several of {', '.join(choices)}, each once"
    elif choices and value not in choices:
        return f"one of {', '.join(choices)}"
    if not isinstance(value, int | float):
        return None
    minimum, above = metadata.get("minimum"), metadata.get("above")
    maximum = metadata.get("maximum")
    if minimum is not None and value < minimum:
        return f"at least {minimum}"
    if above is not None and value <= above:
        return f"above {above}"
    if maximum is not None and value > maximum:
        return f"at most {maximum}"
    return None


def to_dict(config: Any) -> dict[str, Any]:
    """Writes a settings dataclass as a dict that JSON can hold.

    Args:
      config: an instance of a dataclass whose fields are `setting`s.

    Returns:
      The fields by name, in order; tuples become lists.
    """
    values = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
    }
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def from_dict(cls: type[T], values: Any, where: str) -> T:
    """Reads a settings dataclass back from its JSON form.

    Args:
      cls: the dataclass.
      values: what `to_dict` wrote.
      where: what to call the source in errors, such as a file and a key.

    Returns:
      An instance of `cls`.

    Raises:
      ValueError: if a field is missing, unknown, or has a wrong value.
    """
    if not isinstance(values, dict):
        raise ValueError(
            f"{where}: expected an object with the fields of {cls.__name__}. "
            f"Received: {json.dumps(values)[:80]}"
        )
    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(values) - set(known))
    missing = [name for name in known if name not in values]
    if unknown or missing:
        raise ValueError(
            f"{where}: expected exactly the fields of {cls.__name__}: "
            f"{', '.join(known)}. Received: unknown={unknown}, "
            f"missing={missing}. The file was written by another version, or "
            "changed by hand; evaluate a run with the version that trained it."
        )
    try:
        return cls(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
            }
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error

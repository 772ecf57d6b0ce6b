"""Frozen dataclasses of settings: their fields, checks, and JSON form."""

from collections.abc import Callable
import dataclasses
import functools
import json
import sys
import types
import typing
from typing import Any, TypeVar

from yt8m_compact import names

T = TypeVar("T")

_LARGEST = sys.float_info.max


def setting(
    default: Any,
    help_text: str,
    *,
    choices: typing.Sequence[str] | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    parse: Callable[[Any], Any] | None = None,
    is_pattern: bool = False,
    is_path: bool = False,
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
        parse: for values that have a text form, which flags and JSON hold and
            `str` writes: makes the value of a text, and leaves a value as it
            is. Its ValueError says what there is. The field takes both forms,
            and holds the value.
        is_pattern: whether a string names files, in which a flag takes `~` for
            the home folder.
        is_path: whether a string names one file or folder, likewise.

    Returns:
        A `dataclasses.field`.
    """
    metadata = {
        "help": help_text,
        "choices": tuple(choices) if choices else None,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "parse": parse,
        "is_pattern": is_pattern,
        "is_path": is_path,
    }
    if parse is not None:
        default = parse(default)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """Looks up the types of a dataclass's fields.

    `field.type` is a text where annotations are not evaluated, as in modules
    whose imports are lazy.

    Args:
        cls: a dataclass.

    Returns:
        The types by the names of the fields.
    """
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def check(config: Any) -> None:
    """Checks every field of a settings dataclass against its declaration.

    Values that were given as text are put in its place.

    Args:
        config: an instance of a dataclass whose fields are `setting`s.

    Raises:
        ValueError: naming the field, what was expected and what was received.
    """
    kinds = field_types(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.metadata["parse"]:
            _set_parsed(config, field, value)
            continue
        problem = _type_problem(kinds[field.name], value) or _bound_problem(
            field.metadata, value
        )
        if problem:
            raise ValueError(
                f"{type(config).__name__}: expected {field.name} to be "
                f"{problem}. Received: {field.name}={value!r:.200}"
            )


def _set_parsed(config: Any, field: dataclasses.Field, value: Any) -> None:
    try:
        parsed = field.metadata["parse"](value)
    except ValueError as error:
        raise ValueError(
            f"{type(config).__name__}, {field.name}: {error}"
        ) from error
    object.__setattr__(config, field.name, parsed)  # It is frozen.


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
        # Python has whole numbers that are no float, JSON and flags too.
        finite = number and -_LARGEST <= value <= _LARGEST
        return None if finite else "a finite number"
    if type(value) is annotation:
        return None
    words = {bool: "true or false", int: "a whole number", str: "a string"}
    return words.get(annotation, annotation.__name__)


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
        The fields by name, in order; tuples become lists, and values with a
        text form their text.
    """
    return {
        field.name: _to_json(field, getattr(config, field.name))
        for field in dataclasses.fields(config)
    }


def _to_json(field: dataclasses.Field, value: Any) -> Any:
    if field.metadata["parse"]:
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def from_dict(cls: type[T], values: Any, where: str) -> T:
    """Reads a settings dataclass back from its JSON form.

    A field that is missing takes its default, so that a later version, which
    may have added it, reads what this one writes. One that is unknown may mean
    anything, and is refused.

    Args:
        cls: the dataclass.
        values: what `to_dict` wrote.
        where: what to call the source in errors, such as a file and a key.

    Returns:
        An instance of `cls`.

    Raises:
        ValueError: if a field is unknown, has a wrong value, or is missing and
            has no default.
    """
    if not isinstance(values, dict):
        raise ValueError(
            f"{where}: expected an object with the fields of {cls.__name__}. "
            f"Received: {json.dumps(values)[:80]}"
        )
    fields = dataclasses.fields(cls)
    known = [field.name for field in fields]
    for name in sorted(set(values) - set(known)):
        raise ValueError(
            f"{where}: expected fields of {cls.__name__}: {', '.join(known)}. "
            f"Received: {name}={json.dumps(values[name])[:80]}"
            f"{names.suggestion(name, known)}"
        )
    for field in fields:
        needed = (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        )
        if needed and field.name not in values:
            raise ValueError(
                f"{where}: expected {field.name}, which has no default. "
                f"Received: {', '.join(values) or 'no field'}"
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

"""absl flags from the fields of settings dataclasses, and back."""

from collections.abc import Callable, Sequence
import dataclasses
import re
import types
import typing
from typing import Any, TypeVar

from absl import flags

from yt8m_compact import path_flags
from yt8m_compact import settings
from yt8m_compact import usage_error

T = TypeVar("T")
_Number = TypeVar("_Number", int, float)

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}
# What settings say of themselves where a flag gave them a wrong value.
_SETTING = re.compile(r"(?:\w+Config: )?expected (?P<name>\w+)(?= to be )")
# Where two do not fit each other.
_CLASS = re.compile(r"\w+Config: (?=expected )")
# And where it has a text form, whose reader says what was wrong.
_TEXT_SETTING = re.compile(r"\w+Config, (?P<name>\w+)(?=: expected )")

# What came first: a file, say, or the class of settings in it.
_PLACE = re.compile(r"\S+: ")
# Up to what is received, that itself, and what to do then.
_ERROR = re.compile(
    r"(?P<expected>.*?)(?P<received>\bReceived:.*?(?=; |\. |$)|(?=; )|$)"
    r"(?P<advice>.*)",
    re.DOTALL,
)
# What is quoted, but for apostrophes, and arguments: those of structures.
_LITERAL = r"(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)\"[^\"\n]*\"(?!\w)|\w+\([^()\n]*\)"
# A setting in a text, and not a part of a path or of another name.
_NAME = re.compile(
    rf"(?P<literal>{_LITERAL})|"
    r"(?<![\w'\"./-])(?P<name>[a-z]\w*)(?![\w'\"/-]|:(?! )|\.\w)"
    r"(?:=(?P<value>True|False)\b)?"
)
# A setting as config.json has it, by its section.
_IN_SECTION = re.compile(
    r"(?<![\w'\"./-])(?P<section>data|model|training)\.(?P<name>\w+)(?=: )"
)
# One that helps readers of a program that has no flag of this name little.
_ASIDE = re.compile(r" \((?P<name>\w+)=(?:True|False)\)")
_SET = re.compile(r"\bset $")


def define(
    cls: type,
    flag_values: flags.FlagValues,
    names: Sequence[str] | None = None,
) -> None:
    """Defines flags of the names, defaults and helps of a dataclass's fields.

    Args:
        cls: A dataclass whose fields are `settings.setting`s.
        flag_values: Where to define them.
        names: The fields, all if None.
    """
    for field in dataclasses.fields(cls):
        if names is None or field.name in names:
            define_field(
                cls, field, field.default, field.metadata["help"], flag_values
            )


def define_field(
    cls: type,
    field: dataclasses.Field,
    default: Any,
    help_text: str,
    flag_values: flags.FlagValues,
) -> None:
    """Defines a flag of the name and type of a field.

    Args:
        cls: A dataclass.
        field: One of its `settings.setting`s.
        default: The flag's default.
        help_text: The flag's help.
        flag_values: Where to define it.
    """
    kind = _plain_type(settings.field_types(cls)[field.name])
    metadata = field.metadata
    arguments = (field.name, default, help_text)
    if metadata["parse"]:
        # The settings class reads it, and names the field in its error.
        flags.DEFINE_string(
            field.name,
            None if default is None else str(default),
            help_text,
            flag_values=flag_values,
        )
    elif metadata["choices"] and kind is str:
        flags.DEFINE_enum(
            field.name,
            default,
            metadata["choices"],
            help_text,
            flag_values=flag_values,
        )
    elif metadata["is_pattern"]:
        path_flags.define_pattern(*arguments, flag_values=flag_values)
    elif metadata["is_path"]:
        path_flags.define_path(*arguments, flag_values=flag_values)
    elif typing.get_origin(kind) is tuple:
        default = None if default is None else [str(item) for item in default]
        flags.DEFINE_list(
            field.name, default, help_text, flag_values=flag_values
        )
    else:
        _DEFINE[kind](*arguments, flag_values=flag_values)


def read(cls: type[T], flag_values: flags.FlagValues) -> T:
    """Reads settings from the flags that `define` defined.

    Args:
        cls: The dataclass.
        flag_values: The parsed flags; a field without a flag, or whose flag is
            None, takes its default.

    Returns:
        An instance of it.

    Raises:
        UsageError: If a value does not fit, by the name of its flag.
    """
    values = {}
    for field in dataclasses.fields(cls):
        value = None
        if field.name in flag_values:
            value = flag_values[field.name].value
        if value is None:
            continue
        kind = settings.field_types(cls)[field.name]
        if typing.get_origin(kind) is tuple:
            if typing.get_args(kind)[0] is int:
                value = whole_numbers(flag_values, field.name)
            elif typing.get_args(kind)[0] is float:
                value = numbers(flag_values, field.name)
            else:
                value = tuple(text.strip() for text in value)
        values[field.name] = value
    try:
        return cls(**values)
    except ValueError as error:
        text = name_flags(str(error), flag_values)
        raise usage_error.UsageError(text) from error


def whole_numbers(flag_values: flags.FlagValues, name: str) -> tuple[int, ...]:
    """Reads a flag of whole numbers above 0, comma-separated.

    Args:
        flag_values: The parsed flags.
        name: A flag of a list.

    Returns:
        The numbers.

    Raises:
        UsageError: If the flag is anything else.
    """
    return _parse(flag_values, name, _whole_number, "whole numbers above 0")


def numbers(flag_values: flags.FlagValues, name: str) -> tuple[float, ...]:
    """Reads a flag of numbers, comma-separated.

    Args:
        flag_values: The parsed flags.
        name: A flag of a list.

    Returns:
        The numbers.

    Raises:
        UsageError: If the flag is anything else.
    """
    return _parse(flag_values, name, float, "numbers")


def _parse(
    flag_values: flags.FlagValues,
    name: str,
    parse: Callable[[str], _Number],
    kind: str,
) -> tuple[_Number, ...]:
    texts = [text.strip() for text in flag_values[name].value]
    try:
        return tuple(map(parse, texts))
    except ValueError:
        raise usage_error.UsageError(
            f"expected --{name} to be a comma-separated list of {kind}. "
            f"Received: {name}={','.join(texts)!r}"
        ) from None


def _whole_number(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise ValueError(text)
    return int(text)


def name_flags(text: str, flag_values: flags.FlagValues) -> str:
    """Names the settings of an error as they are typed.

    Args:
        text: An error, such as those of `settings.check`, or a line of a log.
        flag_values: The flags of the program.

    Returns:
        The text; settings that are flags, where it begins with one and in what
        it says to do, are the flags. What was received stays as it is, but for
        names with their section, `training.batch_size: 8`.
    """
    text = _IN_SECTION.sub(lambda match: _flag_of(match, flag_values), text)
    match = _TEXT_SETTING.match(text)
    if match is not None and match["name"] in flag_values:
        text = f"--{match['name']}{text[match.end() :]}"
    match = _SETTING.match(text)
    if match is not None and match["name"] in flag_values:
        text = f"expected --{match['name']}{text[match.end() :]}"
    parts = _ERROR.match(text)
    expected, advice = parts["expected"], parts["advice"]
    match = _CLASS.match(expected)
    if match is not None:
        named = _name_all(expected[match.end() :], flag_values)
        # The class says whose settings they are, where none is a flag.
        expected = named if "--" in named else expected
    elif not _PLACE.match(text):
        expected = _name_all(expected, flag_values)
    return expected + parts["received"] + _name_all(advice, flag_values)


def _flag_of(match: re.Match[str], flag_values: flags.FlagValues) -> str:
    section, name = match["section"], match["name"]
    if (section, name) == ("model", "name"):
        name = "model"
    return f"--{name}" if name in flag_values else match[0]


def _name_all(text: str, flag_values: flags.FlagValues) -> str:
    """Names all settings of a text, but for those that may be plain words."""

    def name(match: re.Match[str]) -> str:
        found = match["name"]
        if match["literal"] is not None:
            return match[0]
        is_set = match["value"] or match.string.startswith("=", match.end())
        is_word = (
            "_" not in found
            and not is_set
            and not _SET.search(text[: match.start()])
        )
        if found not in flag_values or is_word:
            return match[0]
        no = "no" if match["value"] == "False" else ""
        return f"--{no}{found}"

    def keep(match: re.Match[str]) -> str:
        return match[0] if match["name"] in flag_values else ""

    return _NAME.sub(name, _ASIDE.sub(keep, text))


def _plain_type(annotation: Any) -> Any:
    """Strips `| None` from an annotation."""
    if isinstance(annotation, types.UnionType):
        args = typing.get_args(annotation)
        return next(arg for arg in args if arg is not type(None))
    return annotation

"""Flags that name files, in which `~` is the home folder as in a shell.

No shell replaces the `~` of `--train_dir=~/runs`. The value of these flags is
what a shell would have made of it.
"""

import os
from typing import Any

from absl import flags

from yt8m_compact import files


class _PathParser(flags.ArgumentParser):
    """Reads a path."""

    def parse(self, argument: str) -> str:
        return files.expand_user(super().parse(argument))


class _PathsParser(flags.ListParser):
    """Reads paths, comma-separated."""

    def __init__(self) -> None:
        super().__init__()
        self.syntactic_help = ""  # Its errors say more.

    def parse(self, argument: str | list[str]) -> list[str]:
        return [files.expand_user(path) for path in super().parse(argument)]


class _PatternParser(flags.ArgumentParser):
    """Reads patterns of files, comma-separated, as one text."""

    def parse(self, argument: str) -> str:
        return expand_pattern(super().parse(argument))


def expand_pattern(text: str) -> str:
    """Replaces `~` at the start of each part by the home folder.

    Args:
        text: Patterns, comma-separated, or the name of a file that exists.

    Returns:
        The patterns.

    Raises:
        ValueError: If there is no such user.
    """
    if "," in text and os.path.lexists(os.path.expanduser(text)):
        return os.path.expanduser(text)
    return ",".join(
        files.expand_user(part.strip()) if part.strip()[:1] == "~" else part
        for part in text.split(",")
    )


def define_path(
    name: str,
    default: str | None,
    help_text: str,
    *,
    flag_values: flags.FlagValues,
    **kwargs: Any,
) -> None:
    """Defines a flag that names a file or a folder.

    Args:
        name: The flag.
        default: Its default.
        help_text: Its help.
        flag_values: Where to define it.
        **kwargs: Other arguments of `flags.DEFINE`, such as `required`.
    """
    _define(_PathParser, name, default, help_text, flag_values, kwargs)


def define_repeated_path(
    name: str, help_text: str, *, flag_values: flags.FlagValues
) -> None:
    """Defines a flag that names a file or a folder each time it is given.

    Its value is the list of them, None if it was not given. A comma is part of
    a name.

    Args:
        name: The flag.
        help_text: Its help.
        flag_values: Where to define it.
    """
    _define_multi(_PathParser(), name, help_text, flag_values)


def define_repeated_pattern(
    name: str, help_text: str, *, flag_values: flags.FlagValues
) -> None:
    """Defines a flag of patterns of files, comma-separated, each time anew.

    Its value is the list of what it was given, None if it was not.

    Args:
        name: The flag.
        help_text: Its help.
        flag_values: Where to define it.
    """
    _define_multi(_PatternParser(), name, help_text, flag_values)


def _define_multi(
    parser: flags.ArgumentParser,
    name: str,
    help_text: str,
    flag_values: flags.FlagValues,
) -> None:
    flags.DEFINE_multi(
        parser,
        flags.ArgumentSerializer(),
        name,
        None,
        help_text,
        flag_values=flag_values,
    )


def define_pattern(
    name: str,
    default: str | None,
    help_text: str,
    *,
    flag_values: flags.FlagValues,
    **kwargs: Any,
) -> None:
    """Defines a flag of patterns of files, as `define_path`."""
    _define(_PatternParser, name, default, help_text, flag_values, kwargs)


def define_paths(
    name: str,
    default: list[str] | None,
    help_text: str,
    *,
    flag_values: flags.FlagValues,
    **kwargs: Any,
) -> None:
    """Defines a flag of several files, comma-separated, as `define_path`."""
    _define(
        _PathsParser,
        name,
        default,
        help_text,
        flag_values,
        {"serializer": flags.CsvListSerializer(","), **kwargs},
    )


def _define(
    parser: type[flags.ArgumentParser],
    name: str,
    default: Any,
    help_text: str,
    flag_values: flags.FlagValues,
    kwargs: dict[str, Any],
) -> None:
    flags.DEFINE(
        parser(),
        name,
        default,
        help_text,
        flag_values=flag_values,
        serializer=kwargs.pop("serializer", flags.ArgumentSerializer()),
        **kwargs,
    )

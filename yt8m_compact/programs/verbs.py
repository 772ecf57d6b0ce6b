"""Programs of several verbs, each with flags of its own.

Verbs are sub-commands of argparse, their flags are absl's. argparse takes fewer
command lines than absl: flags of a verb before the verb, `-flag`, `--flag=true`
and values that begin with a dash are put as it wants them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses
from typing import Any, Protocol

from absl import flags
from absl.flags import argparse_flags

from yt8m_compact import flag_errors
from yt8m_compact import flag_help
from yt8m_compact import names
from yt8m_compact import program

_HELP = {"h": "help", "?": "help", "help": "help"}
_ARGPARSE = {"helpshort", "helpfull"}


class Verb(Protocol):
    """A module that is one verb.

    Its documentation is the verb's help, whose first line says what it does.
    `NEEDED` names the flags that can't be left out, `main` returns the exit
    status.
    """

    __doc__: str | None
    NEEDED: tuple[str, ...]
    define_flags: Callable[[flags.FlagValues], None]
    main: Callable[[flags.FlagValues], int]


def parse(
    prog: str,
    doc: str | None,
    verbs: Mapping[str, Verb],
    line: Sequence[str],
) -> program.Parsed:
    """Parses a command line.

    Args:
        prog: The name of the program.
        doc: What it does, the start of its `--help`.
        verbs: The verbs by name.
        line: The arguments after the program's name.

    Returns:
        What to do.

    Raises:
        ValueError: If there is no such verb, or a flag is not one of its, has
            no value or a wrong one, or is missing.
        absl.flags.Error: If a file of flags can't be read.
    """
    defined = {name: _defined_flags(verb) for name, verb in verbs.items()}
    split = _split(line, defined)
    parser = _make_parser(prog, doc, verbs, defined)
    if not split.words or split.words[0] not in verbs:
        parser.parse_known_args([*split.shared, *split.own])  # --help
        raise _verb_error(verbs, split.words)
    name = split.words[0]
    _, unknown = parser.parse_known_args([*split.shared, name, *split.own])
    if unknown:
        raise _flag_error(prog, name, unknown[0], defined)
    if len(split.words) > 1:
        raise _verb_error(verbs, split.words)
    flag_values = defined[name]
    for flag in verbs[name].NEEDED:
        program.expect_given(flag_values, flag)
    return program.Parsed(flag_values, lambda: verbs[name].main(flag_values))


def _defined_flags(verb: Verb) -> flags.FlagValues:
    flag_values = flags.FlagValues()
    verb.define_flags(flag_values)
    return flag_values


@dataclasses.dataclass(frozen=True)
class _Line:
    """A command line in parts: flags of all verbs, of one verb, and words."""

    shared: list[str] = dataclasses.field(default_factory=list)
    own: list[str] = dataclasses.field(default_factory=list)
    words: list[str] = dataclasses.field(default_factory=list)


def _split(
    line: Sequence[str], defined: Mapping[str, flags.FlagValues]
) -> _Line:
    """Splits a command line, and writes each flag as argparse reads it."""
    split = _Line()
    rest = iter(flags.FLAGS.read_flags_from_files(list(line), force_gnu=True))
    for text in rest:
        if text == "--":
            split.words.extend(rest)
        elif not text.startswith("-") or text == "-":
            split.words.append(text)
        else:
            name = text.removeprefix("-").removeprefix("-")
            name, equals, value = name.partition("=")
            part = split.own
            flag = _find(name, defined.values())
            if flag is None:
                flag = _find(name, [flags.FLAGS])
                if flag is not None or name == "undefok":
                    part = split.shared
            part.append(_written(name, value if equals else None, flag, rest))
    return split


def _find(
    name: str, all_values: Sequence[flags.FlagValues]
) -> flags.Flag | None:
    """Finds the flag of a name, or the one that `no` stands before."""
    for flag_values in all_values:
        if name in _HELP or name in _ARGPARSE:
            return None
        if name in flag_values:
            return flag_values[name]
        if name.startswith("no") and name[2:] in flag_values:
            if flag_values[name[2:]].boolean:
                return flag_values[name[2:]]
    return None


def _written(
    name: str, value: str | None, flag: flags.Flag | None, rest: Iterator[str]
) -> str:
    """Writes a flag with its value, which may be the next of the rest."""
    takes_value = name == "undefok" or (flag is not None and not flag.boolean)
    if value is None and takes_value:
        value = _value(name, rest)
    if flag is None:
        name = _HELP.get(name, name)
    elif name in (flag.name, flag.short_name):
        name = flag.name
        if value is not None:
            parsed = _parse_value(flag, value)
            if flag.boolean:
                name, value = name if parsed else f"no{name}", None
    return f"--{name}" if value is None else f"--{name}={value}"


def _parse_value(flag: flags.Flag, value: str) -> Any:
    """Parses the value of a flag before argparse does, for a better error."""
    try:
        return flag.parser.parse(value)
    except ValueError as error:
        raise ValueError(flag_errors.wrong_value(flag, value, error)) from error


def _value(name: str, rest: Iterator[str]) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise ValueError(
            f"expected --{name} to have a value, such as --{name}=VALUE. "
            f"Received: --{name}"
        ) from None


class _Parser(argparse_flags.ArgumentParser):
    """A parser whose help is given, and whose errors are ours."""

    def __init__(self, *, help_text: str, **kwargs) -> None:
        super().__init__(allow_abbrev=False, **kwargs)
        self._help_text = help_text

    def format_help(self) -> str:
        return self._help_text + "\n"

    def error(self, message: str) -> None:
        raise ValueError(f"expected flags as --help says. Received: {message}")


def _make_parser(
    prog: str,
    doc: str | None,
    verbs: Mapping[str, Verb],
    defined: Mapping[str, flags.FlagValues],
) -> _Parser:
    parser = _Parser(prog=prog, help_text=_program_help(prog, doc, verbs))
    subparsers = parser.add_subparsers()
    for name, verb in verbs.items():
        subparsers.add_parser(
            name,
            help_text=_verb_help(verb, defined[name]),
            inherited_absl_flags=defined[name],
        )
    return parser


def _program_help(prog: str, doc: str | None, verbs: Mapping[str, Verb]) -> str:
    width = max(map(len, verbs))
    return "\n".join(
        [
            (doc or "").strip(),
            "",
            "Usage:",
            f"  {prog} VERB [flags]",
            f"  {prog} VERB --help",
            "",
            "Verbs:",
            *(
                line
                for name, verb in verbs.items()
                for line in flag_help.wrap(
                    f"  {name:{width}}  {_first_line(verb.__doc__)}",
                    " " * (width + 4),
                )
            ),
            "",
            "Every verb has absl's flags, too, such as --verbosity=1, which "
            "shows where an",
            f"error comes from; {prog} --helpfull lists them.",
        ]
    )


def _first_line(doc: str | None) -> str:
    return (doc or "").partition("\n")[0]


def _verb_help(verb: Verb, flag_values: flags.FlagValues) -> str:
    entries = [
        flag_help.entry_of(flag_values[name], name in verb.NEEDED)
        for name in flag_values
    ]
    doc = (verb.__doc__ or "").strip()
    return f"{doc}\n\n{flag_help.section('flags', entries)}"


def _verb_error(verbs: Mapping[str, Verb], words: Sequence[str]) -> ValueError:
    unknown = [word for word in words if word not in verbs]
    near = names.suggestion(unknown[0], verbs) if unknown else ""
    return ValueError(
        f"expected one verb, of {', '.join(verbs)}, and flags. Received: "
        f"{' '.join(words) or 'no verb'}{near}"
    )


def _flag_error(
    prog: str,
    verb: str,
    text: str,
    defined: Mapping[str, flags.FlagValues],
) -> ValueError:
    """Says of a flag that a verb does not have what there is instead."""
    name = text.removeprefix("--").partition("=")[0]
    flag = _find(name, defined.values())
    see = f"{prog} {verb} --help"
    if flag is not None:
        given = text.removeprefix("--")
        return ValueError(
            f"expected no --{flag.name}: {verb} does not use it; see `{see}`. "
            f"Received: {given}"
        )
    known = {
        name: values[name]
        for values in (defined[verb], flags.FLAGS)
        for name in values
    }
    return ValueError(
        flag_errors.unknown_flag(name, known, whose=verb, see=see)
    )

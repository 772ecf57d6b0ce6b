"""What to say of a command line whose flags are wrong."""

from __future__ import annotations

from collections.abc import Mapping
import re

from absl import flags

from yt8m_compact import flag_help
from yt8m_compact import names

# What absl says of a flag that is needed, of one that does not take another
# value, and of a value that is refused.
_NEEDED = "must have a value other than None"
_TWICE = re.compile(r": already defined as .*", re.DOTALL)
_WRONG = re.compile(r"flag --(?P<name>\w+)=(?P<rest>.*)", re.DOTALL)


def wrong_value(flag: flags.Flag, value: str, error: Exception | None) -> str:
    """Says which values a flag takes.

    Args:
        flag: the flag.
        value: what it was given.
        error: what its parser said.

    Returns:
        A sentence, and what was received.
    """
    choices = flag_help.choices_of(flag)
    if choices:
        expected = f"one of {', '.join(choices)}"
    elif flag.boolean:
        expected = "true or false"
    elif flag.parser.syntactic_help:
        expected = flag.parser.syntactic_help
    else:  # A path, say, whose errors say what was expected.
        return f"--{flag.name}: {error}"
    return (
        f"expected --{flag.name} to be {expected}. Received: "
        f"{flag.name}={value!r}{names.suggestion(value, choices)}"
    )


def unknown_flag(
    name: str, known: Mapping[str, flags.Flag], *, whose: str, see: str
) -> str:
    """Says of a flag that there is not which one was probably meant.

    Args:
        name: the flag, without dashes.
        known: the flags that there are.
        whose: the program or verb.
        see: the command that lists them.

    Returns:
        A sentence, and what was received.
    """
    meant = names.suggestion(name, known, "--")
    if not meant and name.startswith("no"):
        switches = [one for one, flag in known.items() if flag.boolean]
        meant = names.suggestion(name[2:].lstrip("_-"), switches, "--no")
    return f"expected a flag of {whose}; see `{see}`. Received: --{name}{meant}"


def not_given(flag: flags.Flag) -> str:
    """Says of a flag that can't be empty what it is for."""
    return (
        f"expected --{flag.name}. {flag_help.text_of(flag)} Received: "
        f"{flag.name}={flag.value!r}"
    )


def of_absl(
    error: flags.Error, flag_values: flags.FlagValues, program: str
) -> str:
    """Writes an error of absl's as those of settings are.

    Args:
        error: what parsing raised.
        flag_values: the flags.
        program: the name of the program.

    Returns:
        What was expected, and what was received.
    """
    see = f"{program} --help"
    text = " ".join(str(error).split())
    without_model = no_model(error, flag_values, program)
    if without_model:
        return f"expected no --model: {without_model}. Received: --model"
    if isinstance(error, flags.UnrecognizedFlagError):
        known = {
            name: flag_values[name] for name in flag_values if len(name) > 1
        }
        return unknown_flag(error.flagname, known, whose=program, see=see)
    wrong = _WRONG.match(str(error))
    if wrong is not None and wrong["name"] in flag_values:
        flag = flag_values[wrong["name"]]
        if is_incomplete(error):
            return not_given(flag)
        if not flag.allow_overwrite and _TWICE.search(wrong["rest"]):
            value = _TWICE.sub("", wrong["rest"])
            return (
                f"expected --{flag.name} once, with several separated by "
                f"commas. Received: {flag.serialize()} --{flag.name}={value}"
            )
        if isinstance(error.__context__, Exception):
            value = wrong["rest"].removesuffix(f": {error.__context__}")
            return wrong_value(flag, value, error.__context__)
    return f"{text}; see `{see}`"


def no_model(
    error: flags.Error, flag_values: flags.FlagValues, program: str
) -> str:
    """Says where the model of a program comes from that has no `--model`.

    Args:
        error: what parsing raised.
        flag_values: the flags.
        program: the name of the program.

    Returns:
        A sentence without its full stop; empty where the error is another one.
    """
    if not (
        isinstance(error, flags.UnrecognizedFlagError)
        and error.flagname == "model"
    ):
        return ""
    name = error.flagvalue.partition("=")[2] or "DbofModel"
    source = "trains two models of its own"
    if "train_dir" in flag_values:
        source = "reads the model and its settings from --train_dir"
    return (
        f"{program} {source}; what the settings of a model mean: "
        f"`yt8m-train --help --model={name}`"
    )


def is_incomplete(error: flags.Error) -> bool:
    """Whether a flag was not given that can't be left out."""
    return _NEEDED in str(error)

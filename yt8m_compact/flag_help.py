"""How flags are listed by `--help`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import dataclasses
import re
import textwrap

from absl import flags

_MAX_COLUMNS = 80
_BRIEF = 200  # signs of a text that the short help has as it is
# Up to a full stop, not that of a number or of an abbreviation.
_SENTENCE = re.compile(r".*?\.(?= [A-Z(]|$)", re.DOTALL)
# What absl adds to the text of flags that may be given several times.
_REPEATED = re.compile(r";\s+repeat this option to specify a list of values$")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A flag in a list.

    Attributes:
        name: its name.
        text: what it does.
        default: its default as it is typed; None is not shown.
        choices: the values that there are, if it has some only.
        is_boolean: whether `--noNAME` turns it off.
        is_needed: whether it can't be left out.
    """

    name: str
    text: str
    default: str | None = None
    choices: Sequence[str] = ()
    is_boolean: bool = False
    is_needed: bool = False

    def brief(self) -> Entry:
        """Returns the flag with the first sentence of a long text."""
        if len(self.text) <= _BRIEF:
            return self
        first = _SENTENCE.match(self.text)
        return dataclasses.replace(self, text=first[0]) if first else self

    def lines(self) -> list[str]:
        """Writes the flag, in the width of the terminal."""
        notes = []
        if self.is_needed:
            notes.append("needed")
        if self.choices:
            notes.append(f"one of {', '.join(self.choices)}")
        if self.default:
            notes.append(f"default: {self.default}")
        no = "[no]" if self.is_boolean else ""
        text = f"  --{no}{self.name}: {self.text}"
        return wrap(f"{text} ({'; '.join(notes)})" if notes else text)


def choices_of(flag: flags.Flag) -> Sequence[str]:
    """Lists the values that a flag takes, where it takes some only."""
    parser = flag.parser
    found = getattr(parser, "enum_values", None)
    found = found or getattr(parser, "member_names", None) or ()
    return [name for name in found if name]


def text_of(flag: flags.Flag) -> str:
    """Returns what a flag does, without what absl adds to it."""
    return _REPEATED.sub("", flag.help)


def entry_of(flag: flags.Flag, is_needed: bool = False) -> Entry:
    """Makes the entry of a flag.

    Args:
        flag: the flag.
        is_needed: whether it can't be left out.

    Returns:
        The entry.
    """
    choices = choices_of(flag)
    text = text_of(flag)
    if choices:  # absl's own way to list them comes first.
        text = re.sub(r"^<[^<>]*>: ", "", text)
    default = flag.default_as_str
    if default is not None:
        default = default[1:-1]
    return Entry(
        name=flag.name,
        text=text,
        default=None if is_needed else default,
        choices=choices,
        is_boolean=flag.boolean,
        is_needed=is_needed,
    )


def section(heading: str, entries: Iterable[Entry]) -> str:
    """Writes flags under a heading.

    Args:
        heading: the heading.
        entries: the flags.

    Returns:
        Lines.
    """
    lines = [f"{heading}:"]
    for entry in entries:
        lines += entry.lines()
    return "\n".join(lines)


def wrap(text: str, indent: str = "    ") -> list[str]:
    """Breaks a text into lines, between words.

    Args:
        text: the text.
        indent: what lines but the first begin with.

    Returns:
        The lines, which fit into the terminal, and into 80 columns.
    """
    return textwrap.wrap(
        text,
        min(flags.get_help_width(), _MAX_COLUMNS),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

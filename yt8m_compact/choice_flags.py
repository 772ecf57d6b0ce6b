"""Flags that choose several of the names that there are."""

from collections.abc import Sequence

from absl import flags

from yt8m_compact import names


class _ChoicesParser(flags.ListParser):
    """Reads names, comma-separated, each of which is known and comes once."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__()
        self.syntactic_help = ""  # Its errors say more.
        self._choices = tuple(choices)

    def parse(self, argument: str | list[str]) -> list[str]:
        chosen = super().parse(argument)
        for name in chosen:
            if name not in self._choices:
                raise ValueError(
                    f"expected some of {', '.join(self._choices)}. Received: "
                    f"{name!r}{names.suggestion(name, self._choices)}"
                )
        if not chosen or len({*chosen}) < len(chosen):
            raise ValueError(
                f"expected some of {', '.join(self._choices)}, each once. "
                f"Received: {','.join(chosen)!r}"
            )
        return chosen


def define_choices(
    name: str,
    default: Sequence[str],
    choices: Sequence[str],
    help_text: str,
    *,
    flag_values: flags.FlagValues,
) -> None:
    """Defines a flag of one or more names, comma-separated.

    Args:
        name: The flag.
        default: Its default.
        choices: The names that there are.
        help_text: Its help.
        flag_values: Where to define it.
    """
    flags.DEFINE(
        _ChoicesParser(choices),
        name,
        list(default),
        f"{help_text} There are {', '.join(choices)}.",
        flag_values=flag_values,
        serializer=flags.CsvListSerializer(","),
    )

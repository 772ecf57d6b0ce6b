"""What `--help` and `--helpfull` of a program show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import dataclasses

from absl import flags

from yt8m_compact import flag_help

_OTHERS = "other flags"
_SHARED = "flags of every program"
NOT_SUPPORTED = "flags of the starter code that are not supported"


@dataclasses.dataclass(frozen=True)
class HelpPages:
    """The short help, the full one, and that of one model.

    Attributes:
        common: the flags that most people need, by theme, which are the short
            help; if empty, that has all flags.
        needed: the flags that can't be left out.
        describe_model: writes the settings of the model of a name; None where
            the program makes no models.
    """

    common: Mapping[str, Sequence[str]] = dataclasses.field(
        default_factory=dict
    )
    needed: Sequence[str] = ()
    describe_model: Callable[[str], str] | None = None

    def short(
        self, program: str, flag_values: flags.FlagValues, own: Sequence[str]
    ) -> str:
        """Writes the flags that most people need.

        Args:
            program: the program's name.
            flag_values: all flags.
            own: the names of those of the program.

        Returns:
            Sections, and where there is more.
        """
        groups = self.common or self._by_group(flag_values, own)
        shown = sum(
            len(names)
            for group, names in groups.items()
            if group != NOT_SUPPORTED
        )
        more = [
            f"All {len(own)} flags: {program} --helpfull"
            if shown < len(own)
            else f"Flags of every program: {program} --helpfull",
            "What TensorFlow logs, and where an error comes from: "
            "--verbosity=1",
        ]
        if self.describe_model is not None:
            more.append(
                f"Settings of a model: {program} --help --model=DbofModel"
            )
        ends = [line for text in more for line in flag_help.wrap(text, "  ")]
        sections = [
            flag_help.section(
                group,
                [entry.brief() for entry in self._entries(flag_values, names)],
            )
            for group, names in groups.items()
            if group != NOT_SUPPORTED
        ]
        return "\n\n".join([*sections, "\n".join(ends)])

    def full(self, flag_values: flags.FlagValues, own: Sequence[str]) -> str:
        """Writes all flags.

        Args:
            flag_values: all flags.
            own: the names of those of the program.

        Returns:
            Sections.
        """
        shared = {flag_values[name].name for name in flag_values} - {*own}
        groups = {**self._by_group(flag_values, own), _SHARED: sorted(shared)}
        return "\n\n".join(
            flag_help.section(group, self._entries(flag_values, names))
            for group, names in groups.items()
        )

    def _entries(
        self, flag_values: flags.FlagValues, names: Sequence[str]
    ) -> list[flag_help.Entry]:
        return [
            flag_help.entry_of(flag_values[name], name in self.needed)
            for name in names
        ]

    def _by_group(
        self, flag_values: flags.FlagValues, own: Sequence[str]
    ) -> dict[str, list[str]]:
        """Sorts the flags of a program by theme; those of no theme are last."""
        themes = {
            name: group
            for group, names in self.common.items()
            for name in names
        }
        groups: dict[str, list[str]] = {group: [] for group in self.common}
        for name in own:
            theme = getattr(flag_values[name], "group", None)
            theme = theme or themes.get(name, _OTHERS)
            groups.setdefault(theme, []).append(name)
        for last in (_OTHERS, NOT_SUPPORTED):
            if last in groups:
                groups[last] = groups.pop(last)
        if [*groups] == [_OTHERS]:
            return {"flags": groups[_OTHERS]}
        return {group: names for group, names in groups.items() if names}


def set_group(flag_values: flags.FlagValues, name: str, group: str) -> None:
    """Says under which heading `--helpfull` lists a flag.

    Args:
        flag_values: where the flag is defined.
        name: its name.
        group: the heading.
    """
    flag_values[name].group = group

"""Tables of text that fit into a terminal."""

from collections.abc import Sequence
import dataclasses
import math
import textwrap

_GAP = "  "
_DOTS = "..."
# A name is cut to no less: three signs of each end say which it is.
_MIN_NAME = 9


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        header: what is above it.
        cells: its texts, a row each.
        is_name: whether it holds names, which begin at the left and may be cut
            in the middle; others are numbers, which end at the right.
        rank: 0 if it is always shown; of the others, those of the highest ranks
            are left out first.
    """

    header: str
    cells: Sequence[str]
    is_name: bool = False
    rank: int = 0

    def width(self) -> int:
        """How many signs the widest line has."""
        return max(map(len, (*self.header.split("\n"), *self.cells)))

    def with_two_lines(self) -> "Column":
        """Breaks the header where both halves are shortest."""
        words = self.header.split(" ")
        breaks = [
            (" ".join(words[:i]), " ".join(words[i:]))
            for i in range(1, len(words))
        ]
        if not breaks:
            return self
        best = min(breaks, key=lambda pair: max(map(len, pair)))
        return dataclasses.replace(self, header="\n".join(best))

    def with_cut_names(self, width: int) -> "Column":
        """Cuts the middle out of names that are longer."""
        return dataclasses.replace(
            self, cells=[_cut(cell, width) for cell in self.cells]
        )


def to_text(columns: Sequence[Column], max_columns: int | None = None) -> str:
    """Writes a table.

    Where it is too wide, headers get two lines; then columns are left out that
    may be, which a line below says; then names are cut in the middle.

    Args:
        columns: the columns, of as many cells each.
        max_columns: how wide it may be; None for as wide as it is.

    Returns:
        Lines: headers, a rule, and the rows.
    """
    limit = math.inf if max_columns is None else max_columns
    shown, left_out = [*columns], []
    if _width(shown) > limit:
        shown = [column.with_two_lines() for column in shown]
    while _width(shown) > limit:
        optional = max(shown, key=lambda column: column.rank)
        if not optional.rank:
            break
        shown.remove(optional)
        left_out.append(optional.header.replace("\n", " "))
    shown = _cut_names(shown, limit)
    lines = _lines(shown)
    if left_out:
        note = (
            f"(--verbosity=1 and wider terminals show: {', '.join(left_out)})"
        )
        lines += textwrap.wrap(note, max_columns, subsequent_indent=" ")
    return "\n".join(lines)


def _cut_names(columns: list[Column], limit: float) -> list[Column]:
    """Cuts the longest names until they fit, as little as that takes."""
    longest = max(column.width() for column in columns)
    for most in range(longest, _MIN_NAME - 1, -1):
        cut = [
            column.with_cut_names(most) if column.is_name else column
            for column in columns
        ]
        if _width(cut) <= limit:
            break
    return cut if _width(columns) > limit else columns


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    kept = width - len(_DOTS)
    head = (kept + 1) // 2
    return f"{text[:head]}{_DOTS}{text[len(text) - kept + head :]}"


def _width(columns: Sequence[Column]) -> int:
    widths = [column.width() for column in columns]
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _lines(columns: Sequence[Column]) -> list[str]:
    widths = [column.width() for column in columns]
    headers = [column.header.split("\n") for column in columns]
    height = max(map(len, headers))
    above = [[""] * (height - len(lines)) + lines for lines in headers]
    rows = [*zip(*above, strict=True), ["-" * width for width in widths]]
    rows += zip(*(column.cells for column in columns), strict=True)
    return [
        _GAP.join(
            f"{cell:{'<' if column.is_name else '>'}{width}}"
            for cell, column, width in zip(row, columns, widths, strict=True)
        ).rstrip()
        for row in rows
    ]

"""CSV of labels as people write them: lists of labels, or 0 and 1 by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import dataclasses

from yt8m_compact.predictions import csv_rows
from yt8m_compact.predictions import label_reader
from yt8m_compact.readers import errors

# How a first line begins that is a header; pandas leaves the index unnamed.
_ID_COLUMNS = ("id", "video_id", "videoid", "")
# Columns of lists of labels.
_LIST_COLUMNS = ("labels", "label", "classes", "class", "")
_CELLS = {
    "0": False,
    "1": True,
    "0.0": False,
    "1.0": True,
    "false": False,
    "true": True,
}


@dataclasses.dataclass(frozen=True)
class LabelCsv:
    """What a CSV of labels says.

    Attributes:
        path: The file.
        columns: The name or number of the class of each column, where there is
            0 or 1 for each class; empty where lines list labels.
        lines: Number and cells of each line that is no header.
    """

    path: str
    columns: tuple[str, ...]
    lines: Sequence[tuple[int, list[str]]]

    def rows(self) -> Iterator[tuple[int, str, list[str]]]:
        """Reads the lines.

        Yields:
            The number of each, the id, and the labels: names or numbers of
            classes, as texts.

        Raises:
            DataError: If a line is anything else; the error names it, and the
                column of what is neither 0 nor 1.
        """
        for line, row in self.lines:
            video_id = row[0].strip()
            if not video_id or len(row) < 2:
                raise errors.DataError(
                    f"{self.path}: line {line}: expected an id and labels, "
                    f"such as 'abcd,3 17'. Received: {','.join(row)!r:.80}"
                )
            if self.columns:
                yield line, video_id, self._read_hot(line, row[1:])
            else:
                yield line, video_id, self._read_list(line, row[1:])

    def expect_columns(self, reader: label_reader.LabelReader) -> None:
        """Has a reader of labels know the classes of the columns.

        Args:
            reader: What reads the labels.

        Raises:
            DataError: If one is no class, or that of another column.
        """
        places: dict[tuple[int, ...], int] = {}
        for place, name in enumerate(self.columns, 2):
            where = f"{self.path}: line 1, column {place}"
            classes = reader.read([name], where)
            if len(classes) != 1 or classes in places:
                received = f"{name!r:.80}"
                if classes in places:
                    received += f", the class of column {places[classes]}"
                raise errors.DataError(
                    f"{where}: expected a name or number of a class, of each "
                    f"class once. Received: {received}"
                )
            places[classes] = place

    def _read_hot(self, line: int, cells: list[str]) -> list[str]:
        if len(cells) != len(self.columns):
            raise errors.DataError(
                f"{self.path}: line {line}: expected 0 or 1 for each of the "
                f"{len(self.columns)} classes that line 1 names. Received: "
                f"{len(cells)} cells"
            )
        labels = []
        for place, (name, cell) in enumerate(
            zip(self.columns, cells, strict=True), 2
        ):
            value = _CELLS.get(cell.strip().lower())
            if value is None:
                raise errors.DataError(
                    f"{self.path}: line {line}, column {place} ({name:.40}): "
                    "expected 0 or 1, whether the video is of that class; "
                    "where lines list labels, line 1 is to be 'id,labels'. "
                    f"Received: {cell!r:.80}"
                )
            if value:
                labels.append(name)
        return labels

    def _read_list(self, line: int, cells: list[str]) -> list[str]:
        values = [cell.strip() for cell in cells]
        if len({*values}) < len(values) and {*values} <= {"0", "1"}:
            raise errors.DataError(
                f"{self.path}: line {line}: expected numbers of classes, each "
                "once; where there is 0 or 1 for each class, line 1 is to be "
                "'id' and the names or numbers of all classes. Received: "
                f"{','.join(values)!r:.80}"
            )
        texts = (text.strip() for cell in cells for text in cell.split(";"))
        return [text for text in texts if text]


def is_header(line: str) -> bool:
    """Whether the first line of a CSV is a header, and not of a video.

    Args:
        line: The line.
    """
    name, comma, _ = line.partition(",")
    return bool(comma) and name.strip().lower() in _ID_COLUMNS


def read(path: str) -> LabelCsv:
    """Reads a CSV of labels.

    Args:
        path: The file. Lines of an id and labels: numbers of classes, between
            spaces, semicolons or commas, or names, between semicolons or
            commas; the first may be a header such as `id,labels`. Or, with a
            header of `id` and two or more names or numbers of classes, lines of
            an id and 0 or 1 for each.

    Returns:
        What it says, of which lines are checked when they are read.

    Raises:
        ValueError: If it is no CSV, or there is none.
    """
    lines = csv_rows.read_rows(path)
    number, first = lines[0]
    if number != 1 or not is_header(",".join(first)):
        return LabelCsv(path, (), lines)
    columns = tuple(name.strip() for name in first[1:])
    if len(columns) == 1 or all(
        name.lower() in _LIST_COLUMNS for name in columns
    ):
        columns = ()
    return LabelCsv(path, columns, lines[1:])

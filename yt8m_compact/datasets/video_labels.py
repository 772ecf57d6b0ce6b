"""The labels of videos, from a CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from yt8m_compact.datasets import csv_rows
from yt8m_compact.datasets.sources import parquet_files


def read_labels(
    path: str,
    num_classes: int,
    vocabulary: Mapping[str, int | None] | None = None,
) -> dict[str, tuple[int, ...]]:
    r"""Reads the labels of videos.

    Args:
        path: CSV, `id,labels` in every line: numbers of classes, separated by
            spaces, semicolons or commas; or names, separated by semicolons or
            commas. A first line that starts with `id` or `VideoId` is a header.
            Or Parquet (`.parquet`, `.pq`) with columns `id` and `labels`:
            numbers, names, lists of them, or texts as in a CSV.
        num_classes: Labels must be below this number.
        vocabulary: From `read_vocabulary`.

    Returns:
        Labels by id, in increasing order.

    Raises:
        ValueError: If a line does not fit; the message names it.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("labels.csv").write_text("abcd,17 3\nefgh,Guitar")
        >>> yt8m.datasets.read_labels("labels.csv", 3862, {"guitar": 11})
        {'abcd': (3, 17), 'efgh': (11,)}
    """
    labels: dict[str, tuple[int, ...]] = {}
    places: dict[str, str] = {}
    is_parquet = path.lower().endswith((".parquet", ".pq"))
    rows = _read_label_rows(path) if is_parquet else _read_label_lines(path)
    for place, video_id, cells in rows:
        where = f"{path}: {place}"
        if video_id in labels:
            raise ValueError(
                f"{where}: expected every id once. Received: "
                f"{video_id!r:.80}, which is in {places[video_id]} too"
            )
        classes = set()
        for cell in cells:
            for text in filter(None, map(str.strip, cell.split(";"))):
                classes |= _classes(text, vocabulary or {}, where)
        outside = [label for label in classes if not 0 <= label < num_classes]
        if outside or not classes:
            raise ValueError(
                f"{where}: expected one or more labels from 0 to "
                f"{num_classes - 1}. Received: {','.join(cells)!r:.80}"
            )
        labels[video_id] = tuple(sorted(classes))
        places[video_id] = place
    return labels


def _read_label_lines(path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yields the line, the id and the labels' texts of a CSV."""
    for line, row in csv_rows.read_rows(path):
        video_id = row[0].strip()
        if line == 1 and video_id.lower() in ("id", "video_id", "videoid"):
            continue
        if not video_id or len(row) < 2:
            raise ValueError(
                f"{path}: line {line}: expected an id and labels, such as "
                f"'abcd,3 17'. Received: {','.join(row)!r:.80}"
            )
        yield f"line {line}", video_id, row[1:]


def _read_label_rows(path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yields the row, the id and the labels' texts of a Parquet file."""
    for row, video_id, values in parquet_files.read_rows(path, ["labels"]):
        value = values["labels"].as_py()
        cells = value if isinstance(value, list) else [value]
        if not all(type(cell) in (int, str) for cell in cells):
            raise ValueError(
                f"{path}: row {row}: expected numbers or names of classes as "
                f"'labels'. Received: {value!r:.80}"
            )
        yield f"row {row}", video_id, [str(cell) for cell in cells]


def _classes(
    text: str, vocabulary: Mapping[str, int | None], where: str
) -> set[int]:
    words = [text] if text.lower() in vocabulary else text.split()
    classes = set()
    for word in words:
        label = vocabulary.get(word.lower(), csv_rows.parse_index(word))
        if label is None:
            kind = (
                "a name of several classes"
                if word.lower() in vocabulary
                else ("neither")
            )
            raise ValueError(
                f"{where}: expected numbers of classes, or names of the "
                f"vocabulary ({len(vocabulary)} names). Received: {word!r:.80},"
                " "
                f"{kind}"
            )
        classes.add(label)
    return classes

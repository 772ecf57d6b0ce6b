"""The labels of videos, from a file of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.datasets import conversion
from yt8m_compact.datasets.sources import array_files
from yt8m_compact.datasets.sources import hdf5_files
from yt8m_compact.datasets.sources import parquet_files
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import label_csv
from yt8m_compact.predictions import label_reader
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

_LABELS = "labels"


def read_labels(
    path: str,
    num_classes: int | None = None,
    vocabulary: Mapping[str, int | None] | None = None,
    *,
    reader: label_reader.LabelReader | None = None,
) -> dict[str, tuple[int, ...]]:
    r"""Reads the labels of videos.

    Args:
        path: CSV, `id,labels` in every line: numbers of classes, separated by
            spaces, semicolons or commas; or names, separated by semicolons or
            commas. A first line that starts with `id` or `VideoId` is a header;
            where that has two or more names or numbers of classes, such as
            `id,cat,dog`, lines have 0 or 1 for each of them. Or Parquet
            (`.parquet`, `.pq`) with columns `id` and `labels`: numbers, names,
            lists of them, or texts as in a CSV. Or arrays (`.npz`, `.h5`,
            `.hdf5`) `ids` and `labels`, a class of each video or `[videos,
            num_classes]` of 0 and 1; or an array of these (`.npy`), whose ids
            are lines of a .txt file of that name.
        num_classes: Labels must be below this number; None if any will do.
        vocabulary: From `read_vocabulary`.
        reader: What reads them, in the place of these two.

    Returns:
        Labels by id, in increasing order; without videos of which 0 is said of
        all classes.

    Raises:
        ValueError: If a line does not fit; the message names it.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("labels.csv").write_text("abcd,17 3\nefgh,Guitar")
        >>> yt8m.datasets.read_labels("labels.csv", 3862, {"guitar": 11})
        {'abcd': (3, 17), 'efgh': (11,)}
    """
    if reader is None:
        reader = label_reader.LabelReader(num_classes, vocabulary)
    labels: dict[str, tuple[int, ...]] = {}
    places: dict[str, str] = {}
    by_class = conversion.kind_of(path) in ("npy", "npz", "hdf5")
    table = _read_csv(path)
    if table is not None:
        table.expect_columns(reader)
        by_class = bool(table.columns)
    for place, video_id, value in _read_values(path, table):
        where = f"{path}: {place}"
        if video_id in places:
            raise ValueError(
                f"{where}: expected every id once. Received: "
                f"{video_id!r:.80}, which is in {places[video_id]} too"
            )
        places[video_id] = place
        classes = reader.read(value, where)
        if not by_class:
            reader.expect_some(classes, value, where)
        if classes:
            labels[video_id] = classes
    return labels


def find_label_names(path: str) -> tuple[str, ...]:
    r"""Finds the names of the classes that the labels of videos name.

    Example:
        >>> with open("labels.csv", "w") as file:
        ...     file.writelines(["id,labels\n", "abcd,dog;cat\n"])
        >>> find_label_names("labels.csv")
        ('cat', 'dog')

    Args:
        path: As of `read_labels`.

    Returns:
        As of `label_reader.find_names`.

    Raises:
        ValueError: If there are none.
    """
    table = _read_csv(path)
    values = _read_values(path, table)
    if table is not None and table.columns:
        # Those of which there is no video, too.
        values = [("line 1", "", [*table.columns])]
    return label_reader.find_names(
        (f"{path}: {place}", value) for place, _, value in values
    )


def _read_csv(path: str) -> label_csv.LabelCsv | None:
    """Reads a CSV, as any file is that is nothing else; or returns None."""
    is_csv = conversion.kind_of(path) == "mediapipe"
    return label_csv.read(path) if is_csv else None


def _read_values(
    path: str, table: label_csv.LabelCsv | None
) -> Iterator[tuple[str, str, Any]]:
    """Yields where the labels of a video are, its id, and the labels."""
    if table is not None:
        return _read_lines(table)
    kind = conversion.kind_of(path)
    if kind == "parquet":
        return _read_rows(path)
    if kind == "npy":
        arrays = {_LABELS: array_files.load_npy(path)}
        ids = array_files.read_ids([path])
        if ids is not None:
            arrays["ids"] = np.array(ids)
        return _read_arrays(path, arrays)
    if kind == "npz":
        names = (_LABELS, *source_video.ID_NAMES)
        return _read_arrays(path, array_files.load_npz(path, names)[0])
    names = (_LABELS, *source_video.ID_NAMES)
    with hdf5_files.opening(path) as file:
        found = hdf5_files.datasets(file, names)
        arrays = {name: found[name][()] for name in found}
    return _read_arrays(path, arrays)


def _read_lines(
    table: label_csv.LabelCsv,
) -> Iterator[tuple[str, str, Any]]:
    for line, video_id, labels in table.rows():
        yield f"line {line}", video_id, labels


def _read_rows(path: str) -> Iterator[tuple[str, str, Any]]:
    for row, video_id, values in parquet_files.read_rows(path, [_LABELS]):
        value = values[_LABELS].as_py()
        if value is None:
            raise errors.DataError(
                f"{path}: row {row}: expected numbers or names of classes as "
                "'labels'. Received: None"
            )
        yield f"row {row}", video_id, value


def _read_arrays(
    path: str, arrays: Mapping[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    key = next((key for key in source_video.ID_NAMES if key in arrays), None)
    if key is None or _LABELS not in arrays:
        is_alone = conversion.kind_of(path) == "npy"
        beside = " in a .txt file of its name" if is_alone else ""
        raise errors.DataError(
            f"{path}: expected arrays 'ids'{beside} and '{_LABELS}'. Received: "
            f"{', '.join(arrays) or 'neither'}"
        )
    ids = source_video.read_ids(arrays[key], path, key)
    values = source_video.split_labels(arrays[_LABELS], path, _LABELS, len(ids))
    for row, (video_id, value) in enumerate(zip(ids, values, strict=True)):
        yield f"row {row}", video_id, value

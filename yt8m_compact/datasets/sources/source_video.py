"""A video as an extractor wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.readers import errors
from yt8m_compact.readers import ids as ids_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf

# Names of ids in files of arrays.
ID_NAMES = (*ids_lib.ID_KEYS, "ids")
# How many frames each video of a stack has; `lengths_clip` of one feature.
LENGTHS = "lengths"
# Rows of a stack are read together until they are as many bytes.
_BLOCK_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is read of the files of an extractor.

    Attributes:
        features: What the features are called there.
        ids: What the ids may be called there.
        labels: What the labels are called there; None if they are elsewhere.
        video_level: Whether there is a vector of each video, not frames.
        frame_order: The column by which the frames of a video are sorted, of
            tables of a frame a row; None if they are in order.
    """

    features: tuple[str, ...]
    ids: tuple[str, ...] = ID_NAMES
    labels: str | None = None
    video_level: bool = False
    frame_order: str | None = None

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of all arrays that files of arrays may have of it."""
        lengths = (f"{LENGTHS}_{name}" for name in self.features)
        labels = () if self.labels is None else (self.labels,)
        return (*self.features, *labels, *self.ids, LENGTHS, *lengths)


@dataclasses.dataclass(frozen=True)
class SourceVideo:
    """A video as an extractor wrote it, which nothing was checked of.

    Attributes:
        where: What to call it in errors: the file, and the row if there are
            several.
        video_id: Its id.
        features: What the file has of each feature, by its name there:
            `[frames, size]`, or `[size]` at video level.
        found: What else the file has, for the error if a feature is not there.
        labels: What the file has as its labels: numbers or names of classes, or
            a bool or float for each class; None if there is nothing.
    """

    where: str
    video_id: str
    features: Mapping[str, np.ndarray]
    found: str = ""
    labels: Any = None


def split_arrays(
    arrays: Mapping[str, Any],
    where: str,
    name: str,
    wanted: Wanted,
    *,
    ids: Sequence[str] | None = None,
    found: str = "",
    how_to_name: str,
) -> Iterator[SourceVideo]:
    """Yields the videos of a file of arrays: one, or a stack of them.

    Stacks are `[videos, size]`; of frames `[videos, frames, size]`, with a
    number of frames of each video, `lengths`, if they are filled up; or
    `[frames, size]` of all videos one after the other, which `lengths` takes
    apart.

    Args:
        arrays: What the file has of `wanted.arrays`, by name.
        where: What to call the file in errors.
        name: The id of its video, if the file does not tell.
        wanted: What is read.
        ids: The ids, if not among the arrays.
        found: What the file has, for errors.
        how_to_name: What to do if a stack has no ids, for the error.

    Yields:
        The videos, in order.

    Raises:
        DataError: If there are not as many ids, lengths or labels as videos.
    """
    key = next((key for key in wanted.ids if key in arrays), None)
    if ids is None and key is not None:
        ids = read_ids(arrays[key], where, key)
    features = {key: arrays[key] for key in wanted.features if key in arrays}
    found = found or _describe(features)
    labels = None if wanted.labels is None else arrays.get(wanted.labels)
    rank = 1 if wanted.video_level else 2
    is_flat = not wanted.video_level and any(
        _lengths_key(key, arrays) and len(array.shape) == rank
        for key, array in features.items()
    )
    is_stack = is_flat or any(
        len(array.shape) == rank + 1 for array in features.values()
    )
    if not is_stack:
        if ids is not None and len(ids) != 1:
            raise errors.DataError(
                f"{where}: expected one id of one video. Received: {len(ids)} "
                f"ids, and {found}; stacks are [videos, frames, size], or have "
                f"an array '{LENGTHS}', or are [videos, size] with level=video"
            )
        yield SourceVideo(
            where,
            ids[0] if ids else name,
            {key: array[()] for key, array in features.items()},
            found,
            None if labels is None else labels[()],
        )
        return
    if ids is None and not is_flat:
        # One video, as a batch of one.
        if all(array.shape[0] == 1 for array in features.values()):
            ids = [name]
    if ids is None:
        raise errors.DataError(
            f"{where}: expected the ids of the videos of a stack; "
            f"{how_to_name}. Received: {found}"
        )
    rows = {
        key: _split(array, arrays, where, key, len(ids), rank)
        for key, array in features.items()
    }
    if labels is None and wanted.labels is not None:
        raise errors.DataError(
            f"{where}: expected labels of the videos as '{wanted.labels}'. "
            f"Received: {found}"
        )
    if labels is not None:
        rows[None] = split_labels(labels, where, wanted.labels, len(ids))
    for row, video_id in enumerate(ids):
        values = {key: next(parts) for key, parts in rows.items()}
        yield SourceVideo(
            f"{where}: row {row}",
            video_id,
            {key: values[key] for key in features},
            found,
            values.get(None),
        )


def _lengths_key(name: str, arrays: Mapping[str, Any]) -> str | None:
    """Returns what the numbers of frames of a feature are called."""
    own = f"{LENGTHS}_{name}"
    return next((key for key in (own, LENGTHS) if key in arrays), None)


def _split(
    array: Any,
    arrays: Mapping[str, Any],
    where: str,
    name: str,
    number: int,
    rank: int,
) -> Iterator[np.ndarray]:
    """Takes a stack of one feature apart; refuses one of other videos."""
    shape = list(array.shape)
    key = _lengths_key(name, arrays) if rank == 2 else None
    if key is None:
        _expect_rows(array, where, name, number, rank + 1)
        return _rows(array)
    lengths = _read_lengths(arrays[key], where, key, number)
    if len(shape) == rank:
        if sum(lengths) != shape[0]:
            raise errors.DataError(
                f"{where}: expected as many frames of '{name}' as all of "
                f"'{key}' together, {sum(lengths)}. Received: shape={shape}"
            )
        return _parts(array, lengths)
    _expect_rows(array, where, name, number, rank + 1)
    longest = int(np.argmax(lengths)) if lengths else 0
    if lengths and lengths[longest] > shape[1]:
        raise errors.DataError(
            f"{where}: row {longest}: expected '{key}' to be at most the "
            f"{shape[1]} frames of '{name}'. Received: {lengths[longest]}"
        )
    rows = zip(_rows(array), lengths, strict=True)
    return (row[:length] for row, length in rows)


def _expect_rows(
    array: Any, where: str, name: str, number: int, rank: int
) -> None:
    shape = list(array.shape)
    if len(shape) != rank or shape[0] != number:
        raise errors.DataError(
            f"{where}: expected {number} rows of '{name}', one for each "
            f"id, {'[videos, size]' if rank == 2 else '[videos, frames, size]'}"
            f". Received: shape={shape}"
        )


def _rows(array: Any) -> Iterator[np.ndarray]:
    """Yields the rows of a stack, of which some are in memory at a time."""
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, array.shape[0], step):
        yield from np.asarray(array[start : start + step])


def _parts(array: Any, lengths: Sequence[int]) -> Iterator[np.ndarray]:
    """Yields parts of an array of these lengths, one after the other."""
    start = 0
    for length in lengths:
        yield np.asarray(array[start : start + length])
        start += length


def _read_lengths(array: Any, where: str, key: str, number: int) -> list[int]:
    values = np.asarray(array)
    if values.shape != (number,) or values.dtype.kind not in "iu":
        raise errors.DataError(
            f"{where}: expected a whole number of frames for each of the "
            f"{number} ids as '{key}'. Received: shape={list(values.shape)}, "
            f"dtype={values.dtype}"
        )
    wrong = np.flatnonzero(values < 1)
    if wrong.size:
        raise errors.DataError(
            f"{where}: row {wrong[0]}: expected '{key}' to be a frame or more. "
            f"Received: {values[wrong[0]]}"
        )
    return values.tolist()


def split_labels(
    array: Any, where: str, name: str, number: int
) -> Iterator[Any]:
    """Yields the labels of each video of a stack.

    Args:
        array: A class of each video, or `[videos, num_classes]` of 0 and 1.
        where: What to call the file in errors.
        name: What the array is called.
        number: How many videos there are.

    Yields:
        What `LabelReader.read` takes.

    Raises:
        DataError: If it is anything else.
    """
    if array.shape[:1] != (number,) or len(array.shape) > 2:
        raise errors.DataError(
            f"{where}: expected labels of {number} videos as '{name}': a class "
            "of each, or [videos, num_classes]. Received: "
            f"shape={list(array.shape)}"
        )
    values = np.asarray(array)
    if values.ndim == 2 and values.dtype.kind in "iu":
        wrong = np.argwhere((values != 0) & (values != 1))
        if wrong.size:
            row, column = wrong[0]
            raise errors.DataError(
                f"{where}: row {row}: expected 0 or 1 for each class as "
                f"'{name}', [videos, num_classes]. Received: "
                f"{values[row, column]} of class {column}"
            )
        values = values.astype(bool)
    return iter(values)


def as_numbers(array: Any) -> Any:
    """Makes numbers of what NumPy's files have of bfloat16.

    They say that values are two bytes, and not what of.

    Args:
        array: An array of a file.

    Returns:
        The same values; those of two bytes as bfloat16, which float32 holds.
    """
    if array.dtype == np.dtype("V2"):
        values = np.ascontiguousarray(array).view(tf.bfloat16.as_numpy_dtype)
        return values.astype(np.float32)
    return array


def _describe(arrays: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {list(array.shape)}" for name, array in arrays.items()
    )


def read_ids(array: Any, where: str, key: str) -> list[str]:
    """Reads an array of ids.

    Args:
        array: Texts or whole numbers.
        where: What to call the file in errors.
        key: What the array is called.

    Returns:
        The ids, as texts.

    Raises:
        DataError: If it is anything else.
    """
    values = np.asarray(array).reshape(-1)
    ids = []
    for row, value in enumerate(values.tolist()):
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str | int) or value == "":
            raise errors.DataError(
                f"{where}: row {row}: expected a text or a whole number as "
                f"'{key}'. Received: {value!r:.80}"
            )
        ids.append(str(value))
    return ids

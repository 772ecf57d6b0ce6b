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

# Names of ids in files of arrays.
ID_NAMES = (*ids_lib.ID_KEYS, "ids")


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
    """

    where: str
    video_id: str
    features: Mapping[str, np.ndarray]
    found: str = ""


def split_arrays(
    arrays: Mapping[str, Any],
    where: str,
    name: str,
    *,
    video_level: bool,
    ids: Sequence[str] | None = None,
    how_to_name: str,
) -> Iterator[SourceVideo]:
    """Yields the videos of a file of arrays.

    Args:
        arrays: What the file has, by name.
        where: What to call the file in errors.
        name: The id of its video, if the file does not tell.
        video_level: Whether `[videos, size]` are videos; if not, there is one.
        ids: The ids, if not among the arrays.
        how_to_name: What to do if a stack has no ids, for the error.

    Yields:
        The videos, in order.

    Raises:
        DataError: If there are not as many ids as videos.
    """
    key = next((key for key in ID_NAMES if key in arrays), None)
    if ids is None and key is not None:
        ids = _read_ids(arrays[key], where, key)
    features = {key: a for key, a in arrays.items() if key not in ID_NAMES}
    found = ", ".join(
        f"{name} {list(array.shape)}" for name, array in features.items()
    )
    stacks = {key: a for key, a in features.items() if len(a.shape) == 2}
    if not video_level or not stacks:
        if ids is not None and len(ids) != 1:
            raise errors.DataError(
                f"{where}: expected one id of one video. Received: {len(ids)} "
                "ids; set level to video for a stack of videos"
            )
        yield SourceVideo(where, ids[0] if ids else name, dict(features), found)
        return
    if ids is None:
        raise errors.DataError(
            f"{where}: expected the ids of the videos of a stack; "
            f"{how_to_name}. Received: {found}"
        )
    for key, array in features.items():
        if len(array.shape) != 2 or len(array) != len(ids):
            raise errors.DataError(
                f"{where}: expected {len(ids)} rows of '{key}', one for each "
                f"id. Received: shape={list(array.shape)}"
            )
    for row, video_id in enumerate(ids):
        yield SourceVideo(
            f"{where}: row {row}",
            video_id,
            {key: array[row] for key, array in features.items()},
            found,
        )


def _read_ids(array: Any, where: str, key: str) -> list[str]:
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

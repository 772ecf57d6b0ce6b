"""Scores of videos in memory, to be looked up by their ids."""

from collections.abc import Sequence

import numpy as np

from yt8m_compact.readers import errors
from yt8m_compact.readers import id_index

_SHOWN = 3


class ScoreTable:
    """The classes with the highest scores of each video, sorted by id.

    Args:
        keys: bytes `[videos]`, from `id_index.keys_of`.
        classes: int `[videos, k]`.
        scores: float16 `[videos, k]`, their scores.
        where: What to call the source in errors.

    Raises:
        DataError: If a video has two scores that differ.

    Example:
        >>> table = yt8m.readers.ScoreTable(
        ...     np.array([b"efgh", b"abcd"]),
        ...     np.array([[7, 3], [5, 1]]),
        ...     np.array([[0.75, 0.5], [1.0, 0.25]], np.float16),
        ...     where="the teacher",
        ... )
        >>> classes, scores, known = table.look_up([b"abcd", b"none"])
        >>> classes[0].tolist(), scores[0].tolist(), known.tolist()
        ([5, 1], [1.0, 0.25], [True, False])
    """

    def __init__(
        self,
        keys: np.ndarray,
        classes: np.ndarray,
        scores: np.ndarray,
        *,
        where: str,
    ) -> None:
        self._index = id_index.IdIndex(keys)
        order = self._index.order
        self._classes, self._scores = classes[order], scores[order]
        self._where = where
        again = self._index.repeated()
        differ = again[
            (self._classes[again] != self._classes[again + 1]).any(axis=1)
            | (self._scores[again] != self._scores[again + 1]).any(axis=1)
        ]
        if len(differ):
            key = bytes(self._index.keys[differ[0]])
            raise errors.DataError(
                f"{where}: expected the scores of each video once. Received: "
                f"two that differ of {key!r}; predict each file once, all with "
                "one model"
            )

    def __len__(self) -> int:
        """Returns the number of rows, those of a video given twice too."""
        return len(self._index)

    @property
    def top_k(self) -> int:
        """How many scores a video has."""
        return self._classes.shape[1]

    def look_up(
        self, ids: Sequence[bytes]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Looks up videos.

        Args:
            ids: Their ids, in any order.

        Returns:
            Classes int32 and scores float32, `[videos, top_k]`; and bool
            `[videos]`, whether there are any. Classes and scores of a video
            that has none mean nothing.
        """
        rows, found = self._index.find(ids)
        return (
            self._classes[rows].astype(np.int32),
            self._scores[rows].astype(np.float32),
            found,
        )

    def describe_misses(self, ids: Sequence[bytes], found: np.ndarray) -> str:
        """Says which videos have no scores.

        Args:
            ids: What was looked up.
            found: What was found of them.

        Returns:
            The message of an error, "" if all were found.
        """
        missed = [
            video_id.decode(errors="replace")
            for video_id, there in zip(ids, found, strict=True)
            if not there
        ]
        if not missed:
            return ""
        return (
            f"{self._where}: expected the scores of all videos to train on. "
            f"Received: {len(missed):,} of {len(ids):,} videos have no scores, "
            f"such as {', '.join(missed[:_SHOWN])}, among {len(self):,} videos "
            "with scores. Predict all files to train on, and name them all: "
            "yt8m-predict --format=teacher"
        )

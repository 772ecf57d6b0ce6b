"""Ratings of segments in memory: which class is in which segment, or is not."""

from collections.abc import Sequence

import numpy as np

from yt8m_compact.readers import errors
from yt8m_compact.readers import id_index

_SHIFT = 32


class RatingTable:
    """What people said of some segments of videos, a class each time.

    Args:
        segments: bytes `id:start`, of each rating.
        classes: int `[ratings]`, the class that was asked for.
        positive: bool `[ratings]`, whether it is there.
        where: what to call the source in errors.

    Raises:
        DataError: if a segment has two ratings of a class that differ.

    Example:
        >>> table = yt8m.predictions.RatingTable(
        ...     [b"abcd:35", b"abcd:40", b"abcd:40"],
        ...     classes=np.array([7, 7, 3]),
        ...     positive=np.array([True, False, True]),
        ...     where="my ratings",
        ... )
        >>> table.num_segments, table.positives()
        (2, {3: 1, 7: 1})
        >>> rated = table.ratings_of(7, [b"abcd:40", b"abcd:35", b"none:0"])
        >>> [part.tolist() for part in rated]
        [[1, 0], [False, True]]
    """

    def __init__(
        self,
        segments: Sequence[bytes],
        classes: np.ndarray,
        positive: np.ndarray,
        *,
        where: str,
    ) -> None:
        self.where = where
        numbers: dict[bytes, int] = {}
        rows = [numbers.setdefault(one, len(numbers)) for one in segments]
        self._numbers = numbers
        codes = (np.array(rows, np.int64) << _SHIFT) | np.asarray(
            classes, np.int64
        )
        self._codes, first = np.unique(codes, return_index=True)
        self._positive = np.asarray(positive, bool)[first]
        places = np.searchsorted(self._codes, codes)
        differ = self._positive[places] != positive
        if differ.any():
            index = int(np.argmax(differ))
            raise errors.DataError(
                f"{where}: expected one rating of a class in a segment. "
                f"Received: two that differ, of class {classes[index]} in "
                f"{segments[index].decode(errors='replace')}"
            )

    def __len__(self) -> int:
        """Returns the number of ratings."""
        return len(self._codes)

    @property
    def num_segments(self) -> int:
        """The number of segments that have a rating."""
        return len(self._numbers)

    def positives(self) -> dict[int, int]:
        """Counts in how many segments each class is, if it is in any."""
        classes, _ = self.positive_segments()
        found, counts = np.unique(classes, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    def ratings_of(
        self, label: int, segments: Sequence[bytes]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ratings of a class, of those segments that have one.

        Args:
            label: the class.
            segments: ids, in any order.

        Returns:
            In their order, others left out: int64 `[rated]`, the numbers of the
            segments, and bool, their ratings.
        """
        numbers = self._numbers
        rows = [numbers[one] for one in segments if one in numbers]
        rows = np.array(rows, np.int64)
        codes = (rows << _SHIFT) | label
        places = np.searchsorted(self._codes, codes)
        places = np.minimum(places, len(self._codes) - 1)
        rated = self._codes[places] == codes
        return rows[rated], self._positive[places[rated]]

    def positive_segments(self) -> tuple[np.ndarray, np.ndarray]:
        """Lists what is in which segment.

        Returns:
            int64 `[positives]` each: the classes, in any order, and the numbers
            of the segments.
        """
        codes = self._codes[self._positive]
        return codes & ((1 << _SHIFT) - 1), codes >> _SHIFT

    def videos(self) -> np.ndarray:
        """Numbers the videos of the segments, in the order of their ids.

        Returns:
            int64 `[segments]`, the number of the video that each segment is of.
        """
        ids = [one.rpartition(b":")[0] for one in self._numbers]
        return np.unique(id_index.keys_of(ids), return_inverse=True)[1]

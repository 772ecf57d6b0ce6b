"""The segments in which each class is likeliest, of any number of segments."""

from collections.abc import Iterator, Sequence

import numpy as np

# Segments taken in between two selections, beside those kept: a quarter more.
_SLACK = 4
_MIN_SLACK = 4096
_FIRST_WIDTH = 1024


class TopSegments:
    """Keeps the segments with the highest scores of each class.

    It takes 10 bytes for each of `k` segments of a class: 1 GB for 1,000
    classes of 100,000 segments.

    Args:
        classes: int `[n]`, the classes to keep segments of.
        k: how many of each.
    """

    def __init__(self, classes: Sequence[int] | np.ndarray, k: int) -> None:
        self._classes = np.asarray(classes)
        self._k = k
        self._ids: list[bytes] = []
        self._limit = k + max(k // _SLACK, _MIN_SLACK)
        width = min(_FIRST_WIDTH, self._limit)
        self._scores = np.empty((len(self._classes), width), np.float32)
        self._rows = np.empty((len(self._classes), width), np.int32)
        self._filled = 0

    def add(self, ids: Sequence[bytes], predictions: np.ndarray) -> None:
        """Adds segments.

        Args:
            ids: of each, `id:start`.
            predictions: float32 `[segments, num_classes]`, of all classes.
        """
        start = 0
        while start < len(ids):
            if self._filled == self._scores.shape[1]:
                self._make_room()
            room = self._scores.shape[1] - self._filled
            part = predictions[start : start + room, self._classes].T
            end = self._filled + part.shape[1]
            first = len(self._ids) + start
            self._scores[:, self._filled : end] = part
            self._rows[:, self._filled : end] = np.arange(
                first, first + part.shape[1]
            )
            self._filled = end
            start += part.shape[1]
        self._ids += ids

    def best(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yields each class, and its segments by falling score.

        Of equal scores the segment that was added first comes first.
        """
        for index, label in enumerate(self._classes.tolist()):
            scores = self._scores[index, : self._filled]
            rows = self._rows[index, : self._filled]
            order = np.lexsort((rows, -scores))[: self._k]
            yield label, [self._ids[row] for row in rows[order].tolist()]

    def _make_room(self) -> None:
        width = self._scores.shape[1]
        if width < self._limit:
            more = min(2 * width, self._limit) - width
            pad = ((0, 0), (0, more))
            self._scores = np.pad(self._scores, pad)
            self._rows = np.pad(self._rows, pad)
            return
        for scores, rows in zip(self._scores, self._rows, strict=True):
            # Rows rise among those that were kept, and those that came after,
            # so that the first of equal scores are those to keep.
            least = np.partition(scores, width - self._k)[width - self._k]
            kept = np.flatnonzero(scores > least)
            equal = np.flatnonzero(scores == least)[: self._k - len(kept)]
            places = np.sort(np.concatenate([kept, equal]))
            scores[: self._k] = scores[places]
            rows[: self._k] = rows[places]
        self._filled = self._k

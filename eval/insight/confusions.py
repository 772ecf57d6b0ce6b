"""Which classes are predicted in the place of which others."""

import dataclasses

import numpy as np

from yt8m_compact.eval import ranked_videos

# Pairs that are counted anew once so many are waiting: 32 MB.
_MOST_WAITING = 1 << 21


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often one class stood in the place of another.

    Attributes:
        missed: The class that was not found.
        predicted: The class that was predicted in its place.
        count: How often.
        share: How often in all misses of the class.
    """

    missed: int
    predicted: int
    count: float
    share: float


class Confusions:
    """Counts which classes are predicted where others should be.

    Of a video with n labels, the first n classes are looked at, as in PERR.
    There are as many wrong ones among them as labels that are not; each missed
    label counts 1, in equal parts for these wrong classes.

    Pairs are kept as they occur, 16 bytes each, not as a matrix.

    Args:
        num_classes: The number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._keys = np.zeros(0, np.int64)
        self._counts = np.zeros(0)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._num_waiting = 0

    def update(self, ranking: ranked_videos.Ranking) -> None:
        """Adds a batch of videos.

        Args:
            ranking: Their ranking.
        """
        depth = ranking.classes.shape[1]
        first = np.arange(depth) < ranking.num_labels[:, np.newaxis]
        videos, places = _nonzero(first & ~ranking.hits)
        if not len(videos):
            return
        predicted = ranking.classes[videos, places]
        is_missed = ranking.is_label.copy()
        found, places = _nonzero(first & ranking.hits)
        is_missed[found, ranking.classes[found, places]] = False
        missed_videos, missed = _nonzero(is_missed)
        # As many of both in each video, which both come by.
        numbers = np.bincount(videos, minlength=len(ranking.classes))
        starts = np.cumsum(numbers) - numbers
        repeats = numbers[missed_videos]
        rows = np.repeat(np.arange(len(missed)), repeats)
        offsets = np.arange(len(rows)) - np.repeat(
            np.cumsum(repeats) - repeats, repeats
        )
        columns = starts[missed_videos[rows]] + offsets
        self._waiting.append(
            (
                missed[rows].astype(np.int64) * self._num_classes
                + predicted[columns],
                1 / numbers[missed_videos[rows]],
            )
        )
        self._num_waiting += len(rows)
        if self._num_waiting > _MOST_WAITING:
            self._count()

    def most(self, number: int) -> list[Confusion]:
        """Finds the pairs that are confused the most often.

        Args:
            number: How many, at most.

        Returns:
            Them, the most often one first; of equal ones the lower classes.
        """
        self._count()
        missed, predicted = np.divmod(self._keys, self._num_classes)
        misses = np.bincount(missed, self._counts, minlength=self._num_classes)
        # Thirds that are summed in another order are the same still.
        order = np.lexsort((self._keys, -np.round(self._counts, 6)))[:number]
        return [
            Confusion(
                int(missed[i]),
                int(predicted[i]),
                float(self._counts[i]),
                float(self._counts[i] / misses[missed[i]]),
            )
            for i in order
        ]

    def _count(self) -> None:
        waiting = [(self._keys, self._counts), *self._waiting]
        parts = zip(*waiting, strict=True)
        keys, counts = (np.concatenate(part) for part in parts)
        self._keys, places = np.unique(keys, return_inverse=True)
        self._counts = np.bincount(
            places.reshape(-1), counts, minlength=len(self._keys)
        )
        self._waiting = []
        self._num_waiting = 0


def _nonzero(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`np.nonzero` of a matrix; of few that are set, in a third of the time."""
    return np.divmod(np.flatnonzero(flags), flags.shape[1])

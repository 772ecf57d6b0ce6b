"""The labels of videos in memory, to be looked up by their ids."""

from collections.abc import Sequence

import numpy as np

from yt8m_compact.readers import errors
from yt8m_compact.readers import id_index

_SHOWN = 3


class LabelTable:
    """The labels of videos, sorted by id: 40 bytes of each, and its labels.

    Args:
        ids: bytes, of each video.
        counts: int64 `[videos]`, how many labels each has.
        labels: int32 `[sum(counts)]`, those of a video after those of the
            video before.
        where: what to call the source in errors.
        places: of each video, what to call its place there, such as
            "line 3"; None where only ids are told.

    Raises:
        DataError: if a video is there twice.

    Example:
        >>> table = yt8m.predictions.LabelTable(
        ...     [b"efgh", b"abcd"],
        ...     counts=np.array([1, 2]),
        ...     labels=np.array([7, 1, 3], np.int32),
        ...     where="my labels",
        ... )
        >>> videos, known = table.find([b"abcd", b"none"])
        >>> known.tolist()
        [True, False]
        >>> table.labels_of(videos[known])[1].tolist()
        [1, 3]
    """

    def __init__(
        self,
        ids: Sequence[bytes],
        counts: np.ndarray,
        labels: np.ndarray,
        *,
        where: str,
        places: Sequence[int] | None = None,
    ) -> None:
        self.where = where
        self._index = id_index.IdIndex(id_index.keys_of(ids))
        again = self._index.repeated()
        if len(again):
            first, second = self._index.order[again[0] : again[0] + 2]
            place = ""
            if places is not None:
                place = f", on line {places[first]} and line {places[second]}"
            raise errors.DataError(
                f"{where}: expected the labels of each video once. Received: "
                f"{ids[first].decode(errors='replace')!r} twice{place}"
            )
        starts = np.concatenate([[0], np.cumsum(counts)])
        self._starts = starts[self._index.order]
        self._counts = np.asarray(counts, np.int64)[self._index.order]
        self._labels = labels

    def __len__(self) -> int:
        """Returns the number of videos."""
        return len(self._index)

    @property
    def num_labels(self) -> int:
        """The number of labels of all videos."""
        return len(self._labels)

    def find(self, ids: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Looks up videos.

        Args:
            ids: their ids, in any order.

        Returns:
            int64 `[ids]`, the number of each among the videos sorted by id;
            and bool `[ids]`, whether it is there.
        """
        return self._index.find(ids)

    def labels_of(self, videos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the labels of videos.

        Args:
            videos: int64 `[n]`, their numbers as `find` returns them.

        Returns:
            int64 `[n]`, how many each has, and int32, the labels of all.
        """
        counts = self._counts[videos]
        ends = np.cumsum(counts)
        offsets = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        return counts, self._labels[
            np.repeat(self._starts[videos], counts) + offsets
        ]

    def name(self, videos: np.ndarray) -> str:
        """Names some videos, to be shown.

        Args:
            videos: int64 `[n]`, their numbers.
        """
        shown = self._index.keys[videos[:_SHOWN]].tolist()
        more = ", ..." if len(videos) > _SHOWN else ""
        return ", ".join(key.decode(errors="replace") for key in shown) + more

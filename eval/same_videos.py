"""Whether several models were evaluated on the same videos."""

import numpy as np


class SameVideos:
    """Checks that models see the same videos, in the same order, once each.

    The first model that is started says which they are. About 25 bytes a video
    are kept: the ids, and 8 bytes that stand for the labels.

    Example:
        >>> from yt8m_compact.eval import same_videos
        >>> same = same_videos.SameVideos()
        >>> digests = same_videos.label_digests(
        ...     np.array([0, 0, 1]), np.array([7, 3, 5]), num_videos=2
        ... )
        >>> for name in ("mlp", "moe"):
        ...     same.start(name)
        ...     same.check(np.array([b"abcd", b"efgh"]), digests)
        ...     same.finish()
        >>> same.start("dbof")
        >>> try:
        ...     same.check(np.array([b"abcd", b"ijkl"]), digests)
        ... except ValueError as error:
        ...     print(str(error).partition(". ")[2])
        Received: 'ijkl' as video 1 of dbof, where mlp has 'efgh'
    """

    def __init__(self) -> None:
        self._first: str | None = None
        self._name: str | None = None
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._ids = np.zeros(0, "S1")
        self._digests = np.zeros(0, np.uint64)
        self._position = 0

    @property
    def ids(self) -> np.ndarray:
        """Bytes `[videos]`, of the first model, once that has ended."""
        return self._ids

    def arrange(self, name: str, ids: np.ndarray) -> np.ndarray:
        """Finds the order in which videos of a file are those of the first.

        Args:
            name: What the file is called in errors.
            ids: bytes `[videos]`, in any order.

        Returns:
            int `[videos]`, the places of the videos of the first model in the
            file; as they are where the file is the first itself.

        Raises:
            ValueError: If a video of the first model is not there.
        """
        ids = np.asarray(ids).astype(np.bytes_)
        if self._first is None:
            return np.arange(len(ids))
        order = np.argsort(ids, kind="stable")
        places = np.searchsorted(ids, self._ids, sorter=order)
        places = order[np.minimum(places, len(ids) - 1)]
        missing = ids[places] != self._ids
        if missing.any():
            raise ValueError(
                f"expected the {len(self._ids):,} videos of {self._first} for "
                f"all models. Received: none of {np.count_nonzero(missing):,} "
                "of them, such as "
                f"{self._text(self._ids, int(np.argmax(missing)))}, of {name}"
            )
        if len(ids) > len(self._ids):
            others = np.ones(len(ids), bool)
            others[places] = False
            raise ValueError(
                f"expected the {len(self._ids):,} videos of {self._first} for "
                f"all models, once each. Received: {np.count_nonzero(others):,}"
                f" more, such as {self._text(ids, int(np.argmax(others)))}, of "
                f"{name}"
            )
        return places

    def start(self, name: str) -> None:
        """Begins with a model.

        Args:
            name: What it is called in errors.
        """
        self._name = name
        self._first = self._first or name
        self._position = 0

    def check(self, ids: np.ndarray, digests: np.ndarray) -> None:
        """Checks a batch of the model, of any size.

        Args:
            ids: bytes `[videos]`, as objects or of a fixed size.
            digests: uint64 `[videos]`, of `label_digests`.

        Raises:
            ValueError: If a video, or its labels, are not those of the first
                model at that place.
        """
        ids = np.asarray(ids).astype(np.bytes_)
        start = self._position
        self._position += len(ids)
        if self._name == self._first:
            self._parts.append((ids, digests))
            return
        expected = self._ids[start : self._position]
        differ = ids[: len(expected)] != expected
        if differ.any():
            place = int(np.argmax(differ))
            raise ValueError(
                "expected all models to be evaluated on the same videos in the "
                f"same order. Received: {self._text(ids, place)} as video "
                f"{start + place} of {self._name}, where {self._first} has "
                f"{self._text(expected, place)}"
            )
        if len(ids) > len(expected):
            self._fail_by_number(f"more than {len(self._ids)}")
        differ = digests != self._digests[start : self._position]
        if differ.any():
            place = int(np.argmax(differ))
            raise ValueError(
                "expected the same labels for all models. Received: other "
                f"labels of the video {self._text(ids, place)} for "
                f"{self._name} than for {self._first}"
            )

    def finish(self) -> None:
        """Ends a model.

        Raises:
            ValueError: If it saw fewer videos than the first one.
        """
        if self._name == self._first:
            ids, digests = zip(*self._parts, strict=True)
            self._ids = np.concatenate(ids)
            self._digests = np.concatenate(digests)
            self._parts = []
        elif self._position < len(self._ids):
            self._fail_by_number(str(self._position))

    def _fail_by_number(self, received: str) -> None:
        raise ValueError(
            f"expected the {len(self._ids)} videos of {self._first} for all "
            f"models. Received: {received} of {self._name}"
        )

    def _text(self, ids: np.ndarray, place: int) -> str:
        return repr(ids[place].decode("utf-8", "replace"))


def label_digests(
    videos: np.ndarray, classes: np.ndarray, num_videos: int
) -> np.ndarray:
    """Makes a number of the labels of each video, whatever their order.

    Args:
        videos: int `[labels]`, of each label the place of its video.
        classes: int `[labels]`, its class.
        num_videos: Videos of the batch.

    Returns:
        uint64 `[num_videos]`; other sets of labels have other numbers, but for
        a chance of one in 2^64.
    """
    # SplitMix64, by which neighbours become as good as random.
    codes = (np.asarray(classes).astype(np.uint64) + np.uint64(1)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        codes = (codes ^ (codes >> np.uint64(shift))) * np.uint64(factor)
    codes ^= codes >> np.uint64(31)
    digests = np.zeros(num_videos, np.uint64)
    np.add.at(digests, videos, codes)
    return digests

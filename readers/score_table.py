"""Scores of videos in memory, to be looked up by their ids."""

from collections.abc import Sequence
import hashlib

import numpy as np

from yt8m_compact.readers import errors

_KEY_BYTES = 16
# No text in UTF-8 has this byte.
_DIGESTED = b"\xff"
_SHOWN = 3


class ScoreTable:
    """The classes with the highest scores of each video, sorted by id.

    Args:
        keys: bytes `[videos]`, from `keys_of`.
        classes: int `[videos, k]`.
        scores: float16 `[videos, k]`, their scores.
        where: What to call the source in errors.

    Raises:
        DataError: If a video has two scores that differ.
    """

    def __init__(
        self,
        keys: np.ndarray,
        classes: np.ndarray,
        scores: np.ndarray,
        *,
        where: str,
    ) -> None:
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._classes, self._scores = classes[order], scores[order]
        self._where = where
        again = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        differ = again[
            (self._classes[again] != self._classes[again + 1]).any(axis=1)
            | (self._scores[again] != self._scores[again + 1]).any(axis=1)
        ]
        if len(differ):
            raise errors.DataError(
                f"{where}: expected the scores of each video once. Received: "
                f"two that differ of {bytes(self._keys[differ[0]])!r}; predict "
                "each file once, all with one model"
            )

    def __len__(self) -> int:
        """Returns the number of rows, those of a video given twice too."""
        return len(self._keys)

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
        width = self._keys.dtype.itemsize
        keys = [_key_of(video_id) for video_id in ids]
        # A longer key would be cut to one that may be there; none is empty.
        keys = [key if len(key) <= width else b"" for key in keys]
        wanted = np.array(keys, self._keys.dtype)
        rows = np.searchsorted(self._keys, wanted)
        rows = np.minimum(rows, len(self._keys) - 1)
        found = self._keys[rows] == wanted
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


def keys_of(ids: Sequence[bytes]) -> np.ndarray:
    """Makes keys of ids, all different: what they are sorted by.

    Args:
        ids: Of videos, none empty.

    Returns:
        bytes `[videos]`, of one length.
    """
    return np.array([_key_of(video_id) for video_id in ids], np.bytes_)


def _key_of(video_id: bytes) -> bytes:
    """Makes the key of an id: itself, or 15 bytes of digest of a long one.

    NumPy takes bytes of zero at an end for none.
    """
    if len(video_id) < _KEY_BYTES and b"\0" not in video_id:
        return video_id
    digest = hashlib.blake2b(video_id, digest_size=_KEY_BYTES - 1).digest()
    return _DIGESTED + digest

"""Finds videos by their ids: a sorted array of keys of one length."""

from collections.abc import Sequence
import hashlib

import numpy as np

_KEY_BYTES = 16
# No text in UTF-8 has this byte.
_DIGESTED = b"\xff"


class IdIndex:
    """Finds rows by ids; 16 bytes of memory a row at most, and their numbers.

    Args:
        keys: bytes `[rows]`, from `keys_of`.

    Attributes:
        order: int64 `[rows]`, the rows by rising key; equal ones by number.
        keys: bytes `[rows]`, the keys in that order.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.keys)

    def repeated(self) -> np.ndarray:
        """Finds keys that are there more than once.

        Returns:
            int64 `[n]`, the places in `keys` of those with an equal one next.
        """
        return np.flatnonzero(self.keys[1:] == self.keys[:-1])

    def find(self, ids: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Looks up ids.

        Args:
            ids: in any order.

        Returns:
            int64 `[ids]`, the place of each in `keys`, and bool `[ids]`,
            whether it is there; the place means nothing if it is not.
        """
        if not len(self):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        width = self.keys.dtype.itemsize
        keys = [_key_of(one) for one in ids]
        # A longer key would be cut to one that may be there; none is empty.
        keys = [key if len(key) <= width else b"" for key in keys]
        wanted = np.array(keys, self.keys.dtype)
        places = np.searchsorted(self.keys, wanted)
        places = np.minimum(places, len(self) - 1)
        return places, self.keys[places] == wanted


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

"""Arrays that grow at their end."""

import numpy as np

# A part of what is there, so that growing costs little and little is spare.
_SPARE = 8
_LEAST_ROWS = 1 << 14


class GrowingArray:
    """An array to which rows are appended.

    Large ones grow where they are: Linux moves pages, not bytes. Pieces that
    are joined at the end take twice the memory, and what small pieces took is
    not given back to the system.
    """

    def __init__(self) -> None:
        self._array: np.ndarray | None = None
        self._size = 0

    def append(self, rows: np.ndarray) -> None:
        """Adds rows.

        Args:
            rows: `[n, ...]`, of the same type and shape each time.
        """
        if self._array is None:
            self._array = np.empty((_LEAST_ROWS, *rows.shape[1:]), rows.dtype)
        end = self._size + len(rows)
        if end > len(self._array):
            self._resize(end + end // _SPARE)
        self._array[self._size : end] = rows
        self._size = end

    def get(self) -> np.ndarray:
        """Returns what was added, at least once; it stays as it is."""
        if self._size < len(self._array):
            self._resize(self._size)
        return self._array[:]

    def _resize(self, size: int) -> None:
        try:
            self._array.resize((size, *self._array.shape[1:]))
        except ValueError:
            # Somebody looks at it.
            kept = self._array[: min(size, self._size)]
            self._array = np.empty((size, *kept.shape[1:]), kept.dtype)
            self._array[: len(kept)] = kept

"""Which records of a file are read next, asked by the graph that reads them."""

import dataclasses
import threading
import weakref

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import framing
from yt8m_compact.readers import headers
from yt8m_compact.readers import skipped as skipped_lib

_NEW = -1  # a reading that has not begun


@dataclasses.dataclass
class _Reading:
    """How far one reading of a file has come.

    Attributes:
        index: The number of the record that is next in the walk.
        offset: The byte at which it starts.
        stretch: What was given out last.
        damage: `(index, offset)` where that could not be read.
        runs: What is to be read after damage, the last first.
        is_over: Whether `runs` are all that is left.
    """

    index: int = 0
    offset: int = 0
    stretch: headers.Stretch | None = None
    damage: tuple[int, int] | None = None
    runs: list[tuple[int, headers.Stretch]] = dataclasses.field(
        default_factory=list
    )
    is_over: bool = False


class Stretches:
    """Gives out the records of files, stretch by stretch, as far as they fit.

    A stretch that does not end where it should means that something can't be
    read; `next_stretch` goes on with what can, if that may be skipped.

    Args:
        chunk: Records that are read together.
        skipped: Where to count what can't be read; None where the graph stops.
    """

    def __init__(
        self, chunk: int, skipped: skipped_lib.SkippedData | None
    ) -> None:
        self._chunk = chunk
        self._skipped = skipped
        self._lock = threading.Lock()
        self._readings: dict[int, _Reading] = {}
        self._num_readings = 0
        # What readings that were left before their end hold in memory.
        end = weakref.finalize(self, _release_all, self._readings)
        end.atexit = False

    def first(
        self, file: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Begins the reading of a file, in a graph.

        Args:
            file: Scalar string.
            size: Scalar int64, the bytes that the file should have.

        Returns:
            `(path, bounds)`: the file to read the records of a stretch from,
            and int64 `[6]`: the number of the reading, of the first record and
            of records, the byte of `path` and that of `file` at which they
            start, and the byte of `file` at which they should end.
        """
        return self._give_out(tf.constant(_NEW, tf.int64), file, size)

    def others(
        self, reading: tf.Tensor, file: tf.Tensor, size: tf.Tensor
    ) -> tf.data.Dataset:
        """Lists the other stretches, each when the one before was read.

        Args:
            reading: Scalar int64, the number of the reading.
            file: Scalar string.
            size: Scalar int64.

        Returns:
            A dataset of what `first` returns.
        """
        steps = tf.data.Dataset.range(tf.int64.max)
        steps = steps.map(lambda _: self._give_out(reading, file, size))
        return steps.take_while(lambda _, bounds: bounds[0] != _NEW)

    def end(
        self,
        file: tf.Tensor,
        size: tf.Tensor,
        reading: tf.Tensor,
        reached: tuple[tf.Tensor, tf.Tensor],
        end: tf.Tensor,
    ) -> tf.Tensor:
        """Looks in a graph whether a stretch was read to its end.

        Args:
            file: Scalar string.
            size: Scalar int64.
            reading: Scalar int64, the number of the reading.
            reached: Scalar int64: the number of the record that would be next,
                and where it starts.
            end: Scalar int64, where the stretch should end.

        Returns:
            A scalar bool: false where the graph has to stop.
        """
        arguments = [file, size, reading, *reached, end]
        good = tf.numpy_function(self._end, arguments, tf.bool)
        return tf.ensure_shape(good, [])

    def _end(self, file, size, reading, index, offset, end) -> np.bool_:
        if offset == end and not (
            end == size and framing.has_changed(bytes(file).decode(), int(size))
        ):
            return np.bool_(True)
        if self._skipped is None:
            return np.bool_(False)
        with self._lock:
            self._readings[int(reading)].damage = int(index), int(offset)
        return np.bool_(True)

    def _give_out(
        self, reading: tf.Tensor, file: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        path, bounds = tf.numpy_function(
            self._next, [reading, file, size], (tf.string, tf.int64)
        )
        return tf.ensure_shape(path, []), tf.ensure_shape(bounds, [6])

    def _next(
        self, number: np.ndarray, file: bytes, size: np.ndarray
    ) -> tuple[bytes, np.ndarray]:
        number, size, name = int(number), int(size), bytes(file).decode()
        with self._lock:
            if number == _NEW:
                number = self._num_readings
                self._num_readings += 1
                self._readings[number] = _Reading()
            reading = self._readings[number]
        if reading.stretch is not None:
            headers.release(reading.stretch)
            reading.stretch = None
        following = self._advance(reading, name, size)
        if following is None:
            with self._lock:
                del self._readings[number]
            return b"", np.full([6], _NEW, np.int64)
        index, offset, reading.stretch, end = following
        stretch = reading.stretch
        bounds = [number, index, stretch.number, stretch.start, offset, end]
        return stretch.path.encode(), np.array(bounds, np.int64)

    def _advance(
        self, reading: _Reading, file: str, size: int
    ) -> tuple[int, int, headers.Stretch, int] | None:
        """Returns the next stretch, its start, and where it should end."""
        if reading.damage is not None:
            runs, left_out = framing.find_runs(file, *reading.damage, size)
            self._count(file, left_out)
            reading.damage, reading.is_over = None, True
            reading.runs = runs[::-1]
        if reading.runs:
            index, stretch = reading.runs.pop()
            return index, stretch.start, stretch, stretch.end
        if reading.is_over:
            return None
        index, offset = reading.index, reading.offset
        if offset == size:
            return None
        stretch = headers.walk(file, offset, size, self._chunk)
        reading.index += stretch.number
        reading.offset = stretch.end
        if stretch.number:
            return index, offset, stretch, stretch.end
        # This is damage: no record ends beyond the last byte.
        reading.is_over = True
        return index, offset, stretch, size + 1

    def _count(self, file: str, left_out: list[framing.LeftOut]) -> None:
        for entry in left_out:
            if entry.num_bytes is None:
                self._skipped.add_record(file, entry.index, entry.reason)
            else:
                self._skipped.add_rest(
                    file, entry.index, entry.num_bytes, entry.reason
                )


def _release_all(readings: dict[int, _Reading]) -> None:
    for reading in readings.values():
        if reading.stretch is not None:
            headers.release(reading.stretch)

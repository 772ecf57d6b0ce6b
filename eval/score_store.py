"""Scores that arrive by video and are read back by class, partly on disk."""

from collections.abc import Iterator, Sequence
import os
import shutil
import tempfile
from typing import IO

import numpy as np

from yt8m_compact import files

# One block of scores is filled in memory before it is kept or spilled. 4,096
# videos x 3,862 classes in float32 are 60 MiB, and one class of one block is
# then a read of 16 KiB.
_BLOCK_BYTES = 64 << 20
_MAX_BLOCK_VIDEOS = 4096
_MIN_BLOCK_VIDEOS = 64
# Transposed at once, which takes three quarters of the time of more videos.
_TRANSPOSED_VIDEOS = 512
# Several classes are read back at once, as many as fit in this.
_READ_BYTES = 64 << 20
# Written at once: Linux takes half of the processor time of 64 MiB.
_WRITE_BYTES = 1 << 20


class ScoreStore:
    """Keeps a matrix of scores that grows by videos and is read by classes.

    The type of the scores is that of the first batch, so that none is rounded
    and no ties are made. They are held transposed, in blocks of up to 4,096
    videos. Blocks beyond `memory_limit_bytes` go to a temporary file that has
    no name (on POSIX systems): no other process sees it, and it is gone when
    the store is closed, garbage-collected, or its process ends in whatever
    way.

    Beside the limit, one block is being filled, and two buffers are used while
    reading: 64 MiB each, more only where a single class needs more.

    Args:
        num_classes: The number of scores of a video.
        memory_limit_bytes: How many bytes of scores to keep in memory; 0
            spills every full block.
        spill_dir: The folder of the temporary file; the system's folder for
            temporary files (`TMPDIR`) when `None`.

    Raises:
        ValueError: If `num_classes` is not positive, `memory_limit_bytes` is
            negative, or `spill_dir` is no folder.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        memory_limit_bytes: int,
        spill_dir: str | os.PathLike[str] | None = None,
    ):
        if num_classes < 1:
            raise ValueError(
                "expected a positive num_classes. "
                f"Received: num_classes={num_classes}"
            )
        if memory_limit_bytes < 0:
            raise ValueError(
                "expected memory_limit_bytes of 0 or more. "
                f"Received: memory_limit_bytes={memory_limit_bytes}"
            )
        if spill_dir is not None:
            spill_dir = files.expand_user(spill_dir)
        if spill_dir is not None and not os.path.isdir(spill_dir):
            raise ValueError(
                "expected spill_dir to be an existing folder. "
                f"Received: spill_dir={spill_dir!r}"
            )
        self._num_classes = num_classes
        self._memory_limit_bytes = memory_limit_bytes
        self._spill_dir = spill_dir
        self._dtype: np.dtype | None = None
        self._row_bytes = 0
        self._block_videos = 0
        self._blocks: list[np.ndarray] = []
        self._filling: np.ndarray | None = None
        self._num_filled = 0
        self._file: IO[bytes] | None = None
        self._num_spilled = 0
        self._closed = False

    def __enter__(self) -> "ScoreStore":
        """Returns the store, which is closed at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the store, whether or not there was an exception."""
        self.close()

    @property
    def num_videos(self) -> int:
        """The number of videos added so far."""
        num_full = len(self._blocks) + self._num_spilled
        return num_full * self._block_videos + self._num_filled

    @property
    def spilled_bytes(self) -> int:
        """The size of the temporary file, 0 while there is none."""
        return self._num_spilled * self._block_videos * self._row_bytes

    @property
    def closed(self) -> bool:
        """Whether the scores have been dropped."""
        return self._closed

    def expect_room(self, num_videos: int, dtype: np.dtype) -> None:
        """Checks that the disk has room for the scores of so many videos.

        Args:
            num_videos: About how many there will be.
            dtype: The type of their scores.

        Raises:
            OSError: If the temporary file would be larger than what is free.
        """
        needed = num_videos * self._num_classes * dtype.itemsize
        spilled = needed - self._memory_limit_bytes
        folder = self._spill_folder()
        if spilled <= 0 or spilled <= (free := shutil.disk_usage(folder).free):
            return
        raise OSError(
            f"expected room for the scores of about {num_videos:,} videos x "
            f"{self._num_classes:,} classes: {_gb(spilled)} beyond the "
            f"{_gb(self._memory_limit_bytes)} that are kept in memory. "
            f"Received: {_gb(free)} free in {folder!r}. Name a folder with "
            "more space in the environment variable TMPDIR, or evaluate on "
            "fewer files"
        )

    def _spill_folder(self) -> str:
        return os.fspath(self._spill_dir or tempfile.gettempdir())

    def append(self, scores: np.ndarray) -> None:
        """Adds the scores of a batch of videos.

        Args:
            scores: float `[batch, num_classes]`.

        Raises:
            ValueError: If the shape or the type is another, or the store is
                closed.
            OSError: If the temporary file cannot be written. The store is
                closed then, and the file is gone.
        """
        self._check_open()
        if scores.ndim != 2 or scores.shape[1] != self._num_classes:
            raise ValueError(
                f"expected scores of shape [batch, {self._num_classes}]. "
                f"Received: scores.shape={scores.shape}"
            )
        if self._dtype is None:
            self._set_dtype(scores.dtype)
        if scores.dtype != self._dtype:
            raise ValueError(
                f"expected scores of type {self._dtype}, as in the batches "
                "before: rounding some of them would make ties. "
                f"Received: scores.dtype={scores.dtype}"
            )
        try:
            self._fill(scores)
        except BaseException:
            # A batch of which a part was added cannot be counted on.
            self.close()
            raise

    def iterate(
        self, classes: Sequence[int] | np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yields the scores that all videos have for each of the classes.

        Args:
            classes: int `[n]`, strictly rising class indices.

        Yields:
            float `[num_videos]` for each class, the videos in the order in
            which they were added; valid until the next one is asked for.

        Raises:
            ValueError: If there are no scores, or the store is closed.
            OSError: If the temporary file cannot be read.
        """
        self._check_open()
        if not self.num_videos:
            raise ValueError("expected scores to read. Received: num_videos=0")
        classes = np.asarray(classes)
        if not self._blocks and not self._num_spilled:
            # All in the one that is being filled: as they lie there.
            for class_index in classes:
                yield self._filling[class_index, : self._num_filled]
            return
        class_bytes = self.num_videos * self._dtype.itemsize
        span = int(np.clip(_READ_BYTES // class_bytes, 1, self._num_classes))
        buffer = np.empty((span, self.num_videos), self._dtype)
        start = stop = -1
        for class_index in classes:
            if class_index >= stop:
                start = int(class_index)
                stop = min(start + span, self._num_classes)
                # Nothing behind the last class asked for is read.
                stop = min(stop, int(classes[-1]) + 1)
                self._read(start, stop, buffer[: stop - start])
            yield buffer[class_index - start]

    def close(self) -> None:
        """Drops the scores and the temporary file; may be called again."""
        self._closed = True
        self._blocks = []
        self._filling = None
        self._num_filled = 0
        self._num_spilled = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(
                "expected an open ScoreStore: this one was closed, or a write "
                "to its temporary file failed. Received: closed=True"
            )

    def _set_dtype(self, dtype: np.dtype) -> None:
        """Sizes the blocks, once the type of the scores is known."""
        self._dtype = dtype
        self._row_bytes = self._num_classes * dtype.itemsize
        self._block_videos = int(
            np.clip(
                min(_BLOCK_BYTES, self._memory_limit_bytes) // self._row_bytes,
                _MIN_BLOCK_VIDEOS,
                _MAX_BLOCK_VIDEOS,
            )
        )

    def _fill(self, scores: np.ndarray) -> None:
        """Transposes the scores into the block being filled, or into two."""
        while len(scores):
            if self._filling is None:
                self._filling = np.empty(
                    (self._num_classes, self._block_videos), self._dtype
                )
            start = self._num_filled
            num_videos = min(len(scores), self._block_videos - start)
            end = start + num_videos
            for first in range(0, num_videos, _TRANSPOSED_VIDEOS):
                last = min(first + _TRANSPOSED_VIDEOS, num_videos)
                self._filling[:, start + first : start + last] = scores[
                    first:last
                ].T
            self._num_filled = end
            if end == self._block_videos:
                self._keep_block(self._filling)
            scores = scores[num_videos:]

    def _keep_block(self, block: np.ndarray) -> None:
        """Moves the full block to memory or, beyond the limit, to disk."""
        if (len(self._blocks) + 1) * block.nbytes <= self._memory_limit_bytes:
            self._blocks.append(block)
            self._filling = None
        else:
            self._write(block)
            self._num_spilled += 1
        self._num_filled = 0

    def _write(self, block: np.ndarray) -> None:
        """Appends the block to the temporary file."""
        folder = self._spill_folder()
        try:
            if self._file is None:
                # Unbuffered: a failed write would else be tried again, and
                # fail again, when the file is closed.
                self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
            self._file.seek(self.spilled_bytes)
            rest = memoryview(block).cast("B")
            while rest:
                rest = rest[self._file.write(rest[:_WRITE_BYTES]) :]
        except OSError as error:
            mib = (self.spilled_bytes + block.nbytes) / 2**20
            raise OSError(
                error.errno,
                f"{error.strerror}: cannot write the scores of "
                f"{self.num_videos} videos x {self._num_classes} classes "
                f"({mib:,.1f} MiB and growing, beyond memory_limit_bytes="
                f"{self._memory_limit_bytes}) to a temporary file in "
                f"{folder!r}. Name a folder with more space in spill_dir or "
                "in the environment variable TMPDIR, or raise "
                "memory_limit_bytes",
            ) from error

    def _read(self, start: int, stop: int, out: np.ndarray) -> None:
        """Copies the classes from start to stop of all videos into out."""
        position = 0
        for block in self._blocks:
            end = position + self._block_videos
            out[:, position:end] = block[start:stop]
            position = end
        if self._file is not None:
            part = np.empty((stop - start, self._block_videos), self._dtype)
            for index in range(self._num_spilled):
                first_row = index * self._num_classes + start
                self._read_part(first_row, part)
                end = position + self._block_videos
                out[:, position:end] = part
                position = end
        if self._filling is not None:
            out[:, position:] = self._filling[start:stop, : self._num_filled]

    def _read_part(self, first_row: int, part: np.ndarray) -> None:
        """Fills part from the temporary file, from the given row on."""
        self._file.seek(first_row * self._block_videos * self._dtype.itemsize)
        rest = memoryview(part).cast("B")
        while rest:
            num_bytes = self._file.readinto(rest)
            if not num_bytes:
                raise OSError(
                    "the temporary file of scores is shorter than what was "
                    f"written. Received: {self._file.tell()} bytes, expected "
                    f"{self.spilled_bytes}"
                )
            rest = rest[num_bytes:]


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"

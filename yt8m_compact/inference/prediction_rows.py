"""Records read and predicted in blocks, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
from typing import Protocol

import numpy as np
import tensorflow as tf
import tqdm

from yt8m_compact import progress
from yt8m_compact import readers

# The model always gets this many rows, whatever the batch size and whatever was
# skipped: the last bits of a matrix product depend on the number of rows.
BLOCK_SIZE = 64
_PREFETCHED_BLOCKS = 2


@dataclasses.dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        batch_size: number of records read at a time.
        num_readers: number of files that are read at the same time.
        skipped: where to count what is left out, None to stop with an error.
    """

    batch_size: int = 256
    num_readers: int = 8
    skipped: readers.SkippedData | None = None


class Source(Protocol):
    """What predicts: a model, or several together."""

    model_name: str

    @property
    def path(self) -> str | None:
        """The run, or what was exported of it; None where not known."""

    @property
    def identity(self) -> Callable[[], str] | None:
        """Says what the model is, the same of the same weights."""

    @property
    def num_classes(self) -> int:
        """The number of classes."""

    @property
    def unit(self) -> str:
        """What a row is: "videos" or "segments"."""

    def count_videos(self, ids: np.ndarray) -> int:
        """Counts the videos that begin among rows."""

    def prepare(
        self, files: Sequence[str], skipped: readers.SkippedData | None
    ) -> None:
        """Checks that the model fits the files, and takes its weights."""

    def blocks(
        self, files: Sequence[str], reading: Reading
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and what is predicted of them."""


def read_blocks(
    reader: readers.Reader, files: Sequence[str], reading: Reading
) -> Iterator[tuple[np.ndarray, dict[str, tf.Tensor]]]:
    """Reads what a model is given of records.

    Args:
        reader: what reads them.
        files: names of files.
        reading: how.

    Yields:
        Ids, bytes `[rows]`, and the inputs by name, of `BLOCK_SIZE` rows each:
        those after `rows` are the last one again.
    """
    dataset = readers.make_dataset(
        reader,
        files,
        batch_size=reading.batch_size,
        num_readers=reading.num_readers,
        skipped=reading.skipped,
    )
    yield from blocks_of(reader, dataset)


def blocks_of(
    reader: readers.Reader, dataset: tf.data.Dataset
) -> Iterator[tuple[np.ndarray, dict[str, tf.Tensor]]]:
    """Cuts batches anew.

    Args:
        reader: what parsed the records.
        dataset: its batches, of any number of rows.

    Yields:
        As `read_blocks`.
    """
    names = ("features",)
    if reader.frame_features:
        names = ("frames", "num_frames")
    blocks = dataset.rebatch(BLOCK_SIZE).prefetch(_PREFETCHED_BLOCKS)
    with readers.readable_errors():
        for block in blocks:
            size = len(block["id"])
            inputs = {name: block[name] for name in names}
            if size < BLOCK_SIZE:
                rows = tf.minimum(tf.range(BLOCK_SIZE), size - 1)
                inputs = {
                    name: tf.gather(value, rows)
                    for name, value in inputs.items()
                }
            yield block["id"].numpy(), inputs


def values_of(
    outputs: Mapping[str, tf.Tensor | np.ndarray], name: str, ids: np.ndarray
) -> np.ndarray:
    """Returns what a model said of the rows of a block.

    Args:
        outputs: what it returned.
        name: the output.
        ids: bytes `[rows]`.

    Returns:
        float32 `[rows, ...]`.

    Raises:
        ValueError: if a number is not finite.
    """
    values = np.asarray(outputs[name])[: len(ids)]
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(
            f"expected finite {name}: has the training diverged? Received: "
            f"NaN or infinity for {ids[np.argmax(bad)].decode()}"
        )
    return values


def in_blocks(
    parts: Iterable[tuple[np.ndarray, ...]],
    size: int = BLOCK_SIZE,
) -> Iterator[tuple[np.ndarray, ...]]:
    """Cuts arrays of rows anew.

    Args:
        parts: arrays of as many rows, of any number.
        size: of a block.

    Yields:
        The same rows, `size` each, and fewer at the end.
    """
    rest: list[np.ndarray] = []
    for part in parts:
        if rest:
            part = [
                np.concatenate(pair) for pair in zip(rest, part, strict=True)
            ]
        whole = len(part[0]) // size * size
        for start in range(0, whole, size):
            yield tuple(one[start : start + size] for one in part)
        rest = [one[whole:] for one in part]
    if rest and len(rest[0]):
        yield tuple(rest)


class Rows:
    """Ids and predictions of all rows of files, read and predicted in blocks.

    Args:
        source: what predicts.
        files: names of files.
        reading: how they are read.

    Attributes:
        number: how many rows there were so far.
        source: as given.
        files: as given.
    """

    def __init__(
        self, source: Source, files: Sequence[str], reading: Reading
    ) -> None:
        self.number = 0
        self.source = source
        self.files = files
        self._reading = reading
        # Data of another kind is an error, not thousands of skipped records.
        source.prepare(files, reading.skipped)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and what is predicted of them."""
        with progress.video_bar("predict", self.files) as bar:
            yield from self.read(self.files, self._reading, bar)
            progress.finish(bar)
        self.expect_rows(self.number)

    def read(
        self,
        files: Sequence[str],
        reading: Reading,
        bar: tqdm.tqdm,
        *,
        kept: bool = False,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and what is predicted of them, of some of the files.

        Args:
            files: names of files.
            reading: how they are read.
            bar: counts the videos.
            kept: whether what was predicted of files before stays after an
                error.
        """
        source = self.source
        with self.explaining(kept=kept):
            for ids, values in source.blocks(files, reading):
                yield ids, values
                self.number += len(ids)
                bar.update(source.count_videos(ids))

    @contextlib.contextmanager
    def explaining(self, *, kept: bool, together: bool = False) -> Iterator:
        """Says in an error of the data how to go on.

        Args:
            kept: whether what was predicted of files before stays.
            together: whether other processes predict.
        """
        try:
            yield
        except readers.DataError as error:
            if self._reading.skipped is not None:
                raise
            if kept:
                raise readers.DataError(
                    f"{error} What was predicted of other files is kept; mend "
                    "the file, without changing its size, and go on, or start "
                    "again with on_data_error=skip."
                ) from None
            lost = f"The {self.number:,} {self.source.unit} predicted before"
            if together:
                lost = f"The {self.source.unit} predicted of other files"
            raise readers.DataError(
                f"{error} {lost} are not kept; to go on, leave out such "
                "records with on_data_error=skip, or mend the file and start "
                "again."
            ) from None

    def expect_rows(self, number: int) -> None:
        """Refuses that all was left out.

        Args:
            number: how many rows there were.

        Raises:
            DataError: if there was none.
        """
        skipped = self._reading.skipped
        if skipped and not number:
            raise readers.DataError(
                f"{self.files[0]}: expected at least one record that can "
                f"be predicted. Received:\n{skipped.to_text()}"
            )

"""Writes files of predictions, and reads again what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import contextlib
import gzip
import io
from typing import IO
import zlib

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact.predictions import binary_files
from yt8m_compact.predictions import formats
from yt8m_compact.predictions import json_lines
from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import parquet
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import segment_csv

with lazy.imports():
    import numpy as np

_READ_BYTES = 1 << 20


class RowWriter:
    """Writes predictions, or embeddings, of videos to an open file.

    Args:
        file: open for bytes.
        kind: the format.
        class_names: the name of each class, or None.
        embedding_size: the size of embeddings that are written in the place of
            predictions, None where those are.

    Raises:
        ValueError: if the format can't hold names, or embeddings.

    Example:
        >>> import io
        >>> rows = yt8m.predictions.Rows(
        ...     ids=[b"abcd"],
        ...     counts=np.array([2]),
        ...     classes=np.array([7, 3], np.int32),
        ...     scores=np.array([0.75, 0.5], np.float32),
        ... )
        >>> file = io.BytesIO()
        >>> csv = yt8m.predictions.Format.CSV
        >>> yt8m.predictions.RowWriter(file, csv).write(rows)
        >>> print(file.getvalue().decode(), end="")
        VideoId,LabelConfidencePairs
        abcd,7 0.75 3 0.5
    """

    def __init__(
        self,
        file: IO[bytes],
        kind: formats.Format,
        class_names: Sequence[str] | None = None,
        embedding_size: int | None = None,
    ) -> None:
        expect_holds(
            kind,
            class_names=class_names is not None,
            embeddings=embedding_size is not None,
        )
        self.number = 0
        self._kind = kind
        self._file = file
        self._class_names = class_names
        self._parquet = None
        if kind is formats.Format.PARQUET:
            self._parquet = parquet.Writer(file, class_names, embedding_size)
        elif kind is formats.Format.CSV:
            self._write_text(kaggle_csv.HEADER + "\n")
        elif kind is formats.Format.SEGMENTS:
            self._write_text(segment_csv.HEADER + "\n")

    def write(self, rows: rows_lib.Rows) -> None:
        """Writes predictions.

        Args:
            rows: the predictions.
        """
        if self._parquet is not None:
            self._parquet.write(rows)
        elif self._kind is formats.Format.JSONL:
            self._write_text(json_lines.format_rows(rows, self._class_names))
        else:
            self._write_text(kaggle_csv.format_rows(rows))
        self.number += len(rows)

    def write_embeddings(
        self, ids: Sequence[bytes], embeddings: np.ndarray
    ) -> None:
        """Writes embeddings.

        Args:
            ids: bytes, of each video.
            embeddings: float32 `[videos, size]`.
        """
        if self._parquet is not None:
            self._parquet.write_embeddings(ids, embeddings)
        else:
            self._write_text(json_lines.format_embeddings(ids, embeddings))
        self.number += len(ids)

    def write_class(self, label: int, segments: Sequence[bytes]) -> None:
        """Writes the line of a class, of the format SEGMENTS.

        Args:
            label: the class.
            segments: ids, best first.
        """
        self._write_text(segment_csv.format_line(label, segments))
        self.number += 1

    def close(self) -> None:
        """Writes what is still in memory."""
        if self._parquet is not None:
            self._parquet.close()

    def _write_text(self, text: str) -> None:
        self._file.write(text.encode())


def expect_holds(
    kind: formats.Format, *, class_names: bool, embeddings: bool
) -> None:
    """Refuses what a format can't hold.

    Args:
        kind: the format.
        class_names: whether it is to hold names of classes.
        embeddings: whether it is to hold embeddings.

    Raises:
        ValueError: if it can't.
    """
    rich = (formats.Format.JSONL, formats.Format.PARQUET)
    for name, wanted in (
        ("class names", class_names),
        ("embeddings", embeddings),
    ):
        if wanted and kind not in rich:
            raise ValueError(
                f"expected a format that holds {name}: jsonl or parquet, of a "
                f"file that ends with .jsonl or .parquet. Received: "
                f"format={kind.value}"
            )


@contextlib.contextmanager
def writing_rows(
    path: str,
    kind: formats.Format,
    class_names: Sequence[str] | None = None,
    embedding_size: int | None = None,
) -> Iterator[RowWriter]:
    """Opens a file that appears when it is complete and was read again.

    It is compressed where its name ends with `.gz`. What can't be read again,
    such as a pipe or `/dev/stdout`, is written through.

    Args:
        path: the file, local or of any file system that TensorFlow knows.
        kind: its format, any but TEACHER.
        class_names: as of `RowWriter`.
        embedding_size: likewise.

    Yields:
        The writer.

    Raises:
        OSError: if it can't be written, or what is read is not what was
            written.
        ValueError: as of `RowWriter`.

    Example:
        >>> import pathlib
        >>> rows = yt8m.predictions.Rows(
        ...     ids=[b"abcd"],
        ...     counts=np.array([2]),
        ...     classes=np.array([7, 3], np.int32),
        ...     scores=np.array([0.75, 0.5], np.float32),
        ... )
        >>> jsonl = yt8m.predictions.Format.JSONL
        >>> with yt8m.predictions.writing_rows("a.jsonl", jsonl) as writer:
        ...     writer.write(rows)
        >>> print(pathlib.Path("a.jsonl").read_text(), end="")
        {"id": "abcd", "classes": [7, 3], "scores": [0.75, 0.5]}
    """
    written: _Summed | None = None

    def check(partial: str) -> None:
        problem = _compare(partial, written.size, written.checksum)
        if not problem and kind is formats.Format.PARQUET:
            number = parquet.count_rows(partial)
            if number != writer.number:
                problem = f"{number:,} of {writer.number:,} rows"
        if problem:
            raise OSError(
                f"{path}: expected to read what was written. Received: "
                f"{problem}; check the disk, and write it again"
            )

    with files.writing(path, "wb", check=check) as file:
        written = _Summed(file.write)
        with contextlib.ExitStack() as stack:
            target: IO[bytes] = written
            if path.lower().endswith(".gz"):
                # Without name and time: the same rows are the same bytes.
                target = stack.enter_context(
                    gzip.GzipFile("", "wb", fileobj=written, mtime=0)
                )
            writer = RowWriter(target, kind, class_names, embedding_size)
            yield writer
            writer.close()


class _Summed(io.RawIOBase):
    """Counts and sums up bytes on their way to a file."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.size = self.checksum = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: bytes) -> int:
        data = bytes(data)
        self._write(data)
        self.size += len(data)
        self.checksum = zlib.crc32(data, self.checksum)
        return len(data)


def _compare(path: str, size: int, checksum: int) -> str:
    """Returns how a file differs from what was written, "" if not at all."""
    read_size = read_sum = 0
    with binary_files.open_binary(path) as file:
        while data := file.read(_READ_BYTES):
            read_size += len(data)
            read_sum = zlib.crc32(data, read_sum)
    if read_size != size:
        return f"{read_size:,} of {size:,} bytes"
    return "" if read_sum == checksum else "other bytes"

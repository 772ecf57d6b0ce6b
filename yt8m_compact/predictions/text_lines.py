"""Lines of text files, compressed or not, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import gzip
import io
from typing import IO
import zlib

from yt8m_compact.predictions import binary_files
from yt8m_compact.readers import errors

_GZIP_MAGIC = b"\x1f\x8b"
_DAMAGES = (EOFError, zlib.error, gzip.BadGzipFile)
_SHOWN = 60


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    r"""Reads the lines of a file, compressed by gzip or not.

    Args:
        path: the file, local or of any file system that TensorFlow knows.

    Yields:
        The number of each line, the first one 1, and the line without its end.
        Lines end with `\n` or `\r\n`.

    Raises:
        DataError: if the file was cut or damaged, or is no text in UTF-8; the
            error names the line.
        OSError: if there is none.
    """
    number = 0
    with open_bytes(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    raise errors.DataError(
                        f"{path}: line {number}: expected the end of a line. "
                        f"Received: {shown(line.decode(errors='replace'))}, "
                        "and the end of the file, which was cut there; copy or "
                        "write it again, or end its last line if that is whole"
                    )
                yield number, line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError:
            raise errors.DataError(
                f"{path}: line {number}: expected text in UTF-8. Received: "
                f"{shown(repr(line))}"
            ) from None
        except _DAMAGES as error:
            raise _damaged(f"{path}: line {number + 1}", error) from None


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Opens a file to read its bytes, decompressed if need be.

    Args:
        path: the file, local or of any file system that TensorFlow knows.

    Yields:
        The open file.

    Raises:
        DataError: if it was compressed, and is not whole.
        OSError: if there is none.
    """
    with binary_files.open_binary(path) as raw:
        if raw.peek(2)[:2] == _GZIP_MAGIC:
            try:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield io.BufferedReader(file)
            except _DAMAGES as error:
                raise _damaged(path, error) from None
        else:
            yield raw


def _damaged(where: str, error: Exception) -> errors.DataError:
    return errors.DataError(
        f"{where}: expected what gzip compressed, whole. Received: {error}; "
        "copy or write the file again"
    )


def shown(text: str) -> str:
    """Cuts a text to what an error shows of it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

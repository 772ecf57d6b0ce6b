"""CSV files of classes and of labels."""

from __future__ import annotations

import gzip
import io
import re
import zlib

from yt8m_compact import untrusted

# Python refuses to read thousands of digits.
_DIGITS = "[0-9]{1,18}"
# The labels of all videos of YouTube-8M, by number, take 0.2 GB.
_MAX_CSV_BYTES = 1 << 30
_WHAT = "a CSV file"
_GZIP_MAGIC = b"\x1f\x8b"


def read_rows(path: str) -> list[tuple[int, list[str]]]:
    """Reads a CSV file, compressed by gzip or not.

    Args:
        path: The file.

    Returns:
        The number of each line, from 1, and its cells.

    Raises:
        ValueError: If it is anything else, or holds no line.
    """
    content = untrusted.read_bytes(path, _WHAT, _MAX_CSV_BYTES)
    if content.startswith(_GZIP_MAGIC):
        content = _decompress(path, content)
    text = untrusted.decode(content, path, _WHAT)
    rows = untrusted.parse_csv(text, path, "CSV")
    if not rows:
        raise ValueError(f"{path}: expected a CSV file. Received: no line")
    return rows


def _decompress(path: str, content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(_MAX_CSV_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}: expected {_WHAT} that gzip compressed, whole. Received: "
            f"{error}"
        ) from None
    if len(content) > _MAX_CSV_BYTES:
        raise ValueError(
            f"{path}: expected {_WHAT} of at most {_MAX_CSV_BYTES:,} bytes. "
            "Received: a larger file"
        )
    return content


def parse_index(text: str) -> int | None:
    """Reads the number of a class; None if the text is anything else.

    Args:
        text: A cell, or a part of one.
    """
    text = text.strip()
    return int(text) if re.fullmatch(_DIGITS, text) else None

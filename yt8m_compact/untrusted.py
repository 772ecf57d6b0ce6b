"""Text, JSON and CSV that anyone may have written, read within bounds.

What is wrong with such a file is a `ValueError` that names it, whatever it
holds: endless or binary files, JSON nested without end, numbers that no field
can hold, names that occur twice.
"""

from __future__ import annotations

from collections.abc import Sequence
import csv
import io
import json
import math
import os
from typing import Any

from yt8m_compact import files
from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

# A manifest of 100,000 files has a tenth of it. Parsed JSON may take 25 times
# as much memory as its text.
MAX_BYTES = 16 << 20
# What TensorFlow Datasets writes is nested 10 deep.
_MAX_DEPTH = 64
_MAX_INT = 2**63 - 1
_CHUNK_BYTES = 1 << 20


def read_bytes(
    path: str | os.PathLike[str], expected: str, max_bytes: int = MAX_BYTES
) -> bytes:
    """Reads a file of bounded size.

    Args:
        path: The file, local or of any file system that TensorFlow knows; a
            pipe will do.
        expected: What the file should be, for errors: "a manifest".
        max_bytes: A larger file is refused.

    Returns:
        What it holds.

    Raises:
        ValueError: If there is no such file, or it is larger.
        OSError: If it can't be read.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    path = files.expand_user(path)
    content = io.BytesIO()
    # Python reads pipes, which TensorFlow can't.
    local = files.is_local(path)
    missing = FileNotFoundError if local else tf.errors.NotFoundError
    try:
        with open(path, "rb") if local else tf.io.gfile.GFile(path, "rb") as f:
            while chunk := f.read(_CHUNK_BYTES):
                content.write(chunk)
                if content.tell() > max_bytes:
                    raise ValueError(
                        f"{path}: expected {expected} of at most "
                        f"{max_bytes:,} bytes. Received: a larger file"
                    )
    except missing:
        raise ValueError(
            f"{path}: expected {expected}. Received: no such file"
        ) from None
    except NotADirectoryError:
        raise ValueError(
            f"{path}: expected {expected}. Received: no such file; "
            f"{os.path.dirname(path)} is no folder"
        ) from None
    return content.getvalue()


def read_text(
    path: str | os.PathLike[str], expected: str, max_bytes: int = MAX_BYTES
) -> str:
    """Reads a text file in UTF-8, of bounded size.

    Args:
        path: As of `read_bytes`.
        expected: As of `read_bytes`.
        max_bytes: As of `read_bytes`.

    Returns:
        The text, without a byte order mark.

    Raises:
        ValueError: If there is no such file, it is larger, or not UTF-8.
        OSError: If it can't be read.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    return decode(read_bytes(path, expected, max_bytes), path, expected)


def read_json(
    path: str | os.PathLike[str], expected: str, max_bytes: int = MAX_BYTES
) -> Any:
    """Reads a JSON file of bounded size and depth.

    Args:
        path: As of `read_bytes`.
        expected: As of `read_bytes`.
        max_bytes: As of `read_bytes`.

    Returns:
        What it holds.

    Raises:
        ValueError: If there is no such file, or as `parse_json`.
        OSError: If it can't be read.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    return parse_json(read_text(path, expected, max_bytes), path, expected)


def decode(content: bytes, where: str | os.PathLike[str], expected: str) -> str:
    """Decodes UTF-8.

    Args:
        content: The bytes, with or without a byte order mark.
        where: What to call them in errors: the file.
        expected: What they should be, for errors.

    Returns:
        The text.

    Raises:
        ValueError: If they are anything else.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: expected {expected}. Received: what is not UTF-8: "
            f"{error}"
        ) from None


def parse_json(text: str, where: str | os.PathLike[str], expected: str) -> Any:
    """Parses JSON.

    Args:
        text: The JSON.
        where: What to call it in errors: the file.
        expected: What it should be, for errors.

    Returns:
        What it says.

    Raises:
        ValueError: If it is no JSON, is nested without end, holds NaN, an
            infinity or a whole number beyond 64 bits, or a key twice.
    """
    try:
        values = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
            object_pairs_hook=_unite,
        )
        _expect_shallow(values)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError):
            error = "values nested too deeply"
        raise ValueError(
            f"{where}: expected {expected}. Received: {error}"
        ) from None
    return values


def parse_csv(
    text: str, where: str | os.PathLike[str], expected: str
) -> list[tuple[int, list[str]]]:
    """Parses CSV.

    Args:
        text: The CSV.
        where: What to call it in errors: the file.
        expected: What it should be, for errors.

    Returns:
        Number and cells of each line that is not empty.

    Raises:
        ValueError: If a cell has more characters than any should, as after a
            quotation mark that is not closed, or there is a zero byte.
    """
    rows = csv.reader(io.StringIO(text, newline=""))
    parsed = []
    try:
        for row in rows:
            if any("\0" in cell for cell in row):
                raise csv.Error("a zero byte")
            if any(row):
                parsed.append((rows.line_num, row))
    except csv.Error as error:
        raise ValueError(
            f"{where}: line {rows.line_num}: expected {expected}. Received: "
            f"{error}"
        ) from None
    return parsed


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text}, which is no number")


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]}, which no number can hold")
    return value


def _parse_int(text: str) -> int:
    # Python refuses to read thousands of digits, with advice for programmers.
    if len(text) > 20 or abs(int(text)) > _MAX_INT:
        raise ValueError(f"{text[:40]}, a number beyond 64 bits")
    return int(text)


def _unite(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:80]!r} twice")
    return values


def _expect_shallow(values: Any) -> None:
    """Refuses what others, who go through it by recursion, would stumble on."""
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise RecursionError
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]

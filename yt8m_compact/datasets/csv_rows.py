"""CSV files of classes and of labels."""

from __future__ import annotations

import re

from yt8m_compact import untrusted

# Python refuses to read thousands of digits.
_DIGITS = "[0-9]{1,18}"
# The labels of all videos of YouTube-8M, by number, take 0.2 GB.
_MAX_CSV_BYTES = 1 << 30


def read_rows(path: str) -> list[tuple[int, list[str]]]:
    """Reads a CSV file.

    Args:
        path: The file.

    Returns:
        The number of each line, from 1, and its cells.

    Raises:
        ValueError: If it is anything else, or holds no line.
    """
    text = untrusted.read_text(path, "a CSV file", _MAX_CSV_BYTES)
    rows = untrusted.parse_csv(text, path, "CSV")
    if not rows:
        raise ValueError(f"{path}: expected a CSV file. Received: no line")
    return rows


def parse_index(text: str) -> int | None:
    """Reads the number of a class; None if the text is anything else.

    Args:
        text: A cell, or a part of one.
    """
    text = text.strip()
    return int(text) if re.fullmatch(_DIGITS, text) else None

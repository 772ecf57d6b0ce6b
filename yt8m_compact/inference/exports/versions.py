"""Numbered folders, of which a server takes the one of the highest number."""

from __future__ import annotations

from collections.abc import Callable
import errno
import os
import re

from yt8m_compact import files

_NUMBER = re.compile(r"[1-9]\d*")
# What the last step of a folder that appears says of one that is there.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


def numbers_in(folder: str) -> list[int]:
    """Lists the versions in a folder, sorted.

    Args:
        folder: the folder; there may be none yet.
    """
    if not files.is_folder(folder):
        return []
    names = (name.rstrip("/") for name in files.list_folder(folder))
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def write_next(folder: str, write: Callable[[str], None]) -> str:
    """Writes the version after the last one.

    Args:
        folder: what holds the versions.
        write: writes a folder that appears when it is complete, and fails if
            there is one then. It is called again, for the next number, where
            somebody else took this one in the meantime.

    Returns:
        The folder of the version.

    Raises:
        OSError: if it can't be written.
    """
    folder = files.expand_user(folder)
    while True:
        number = max(numbers_in(folder), default=0) + 1
        path = os.path.join(folder, str(number))
        try:
            write(path)
            return path
        except OSError as error:
            if error.errno not in _TAKEN or not files.exists(path):
                raise

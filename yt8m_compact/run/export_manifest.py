"""What an export says of itself: how it came about, and its files' SHA-256."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
import hashlib
import os
import re
from typing import Any

import yt8m_compact
from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import untrusted

with lazy.imports():
    import tensorflow as tf

FILE_NAME = "export_manifest.json"
_FORMAT_VERSION = 1
# People fill in what the model card leaves open, after the export.
CARD_NAME = "README.md"
_EXPECTED = "the manifest that yt8m-export wrote"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


def write(folder: str, facts: Mapping[str, Any]) -> None:
    """Writes the manifest of all files of a folder but the model card.

    Args:
        folder: the folder, with everything in it.
        facts: what else to say, as JSON can hold it.

    Raises:
        OSError: if it can't be written.
    """
    entries = {}
    for name in _names_in(folder):
        size, digest = _measure(os.path.join(folder, name))
        entries[name] = {"bytes": size, "sha256": digest}
    content = {
        "format_version": _FORMAT_VERSION,
        "written_by": yt8m_compact.__version__,
        **facts,
        "files": dict(sorted(entries.items())),
    }
    files.write_json(os.path.join(folder, FILE_NAME), content)


def read(folder: str) -> dict[str, Any] | None:
    """Reads the manifest of a folder.

    Args:
        folder: the folder.

    Returns:
        What `write` wrote; None where there is no manifest.

    Raises:
        ValueError: if it is damaged.
    """
    path = os.path.join(files.expand_user(folder), FILE_NAME)
    if not files.exists(path):
        return None
    content = untrusted.read_json(path, _EXPECTED)
    problem = _problem(content)
    if problem:
        raise ValueError(
            f"{path}: expected {_EXPECTED}. Received: {problem}; export again"
        )
    return content


def verify(folder: str) -> bool:
    """Compares all files of a folder with its manifest.

    Files that the manifest does not name are not looked at.

    Args:
        folder: the folder.

    Returns:
        Whether there is a manifest: one of an earlier version has none.

    Raises:
        ValueError: if a file is missing or is not what was written, by its
            name, or the manifest is damaged.
    """
    content = read(folder)
    if content is None:
        return False
    _compare(folder, content, content["files"])
    return True


def verify_file(path: str | os.PathLike[str]) -> bool:
    """Compares one file with the manifest that lies beside it.

    Args:
        path: the file.

    Returns:
        Whether there is a manifest that names it.

    Raises:
        ValueError: if the file is not what was written, or the manifest is
            damaged.
    """
    folder, name = os.path.split(files.expand_user(path))
    content = read(folder)
    if content is None or name not in content["files"]:
        return False
    _compare(folder, content, [name])
    return True


def _compare(
    folder: str, content: Mapping[str, Any], names: Iterable[str]
) -> None:
    for name in names:
        path = os.path.join(files.expand_user(folder), name)
        entry = content["files"][name]
        expected = entry["bytes"], entry["sha256"]
        found = _measure(path) if files.exists(path) else None
        if found == expected:
            continue
        received = "no such file"
        if found is not None:
            received = f"{found[0]:,} bytes of SHA-256 {found[1]}"
        raise ValueError(
            f"{path}: expected the file that yt8m-export wrote, {expected[0]:,}"
            f" bytes of SHA-256 {expected[1]}, as {FILE_NAME} says. Received: "
            f"{received}; copy the folder again, or export again"
        )


def _problem(content: Any) -> str | None:
    """Says what is wrong with a manifest; None if nothing is."""
    if not isinstance(content, dict):
        return f"{content!r:.80}"
    if content.get("format_version") != _FORMAT_VERSION:
        return f"format_version={content.get('format_version')!r:.80}"
    entries = content.get("files")
    if not isinstance(entries, dict):
        return f"files={entries!r:.80}"
    for name, entry in entries.items():
        parts = name.split("/")
        if os.path.isabs(name) or {"", ".", ".."} & {*parts}:
            return f"a file that is not of the folder, {name!r:.80}"
        right = (
            isinstance(entry, dict)
            and type(entry.get("bytes")) is int
            and isinstance(entry.get("sha256"), str)
            and _SHA256.fullmatch(entry["sha256"])
        )
        if not right:
            return f"{name!r:.80}: {entry!r:.80}"
    return None


def _names_in(folder: str) -> Iterator[str]:
    """Yields the paths of the files of a folder, from there."""
    walk = os.walk if files.is_local(folder) else tf.io.gfile.walk
    for inner, _, names in walk(folder):
        for name in names:
            path = os.path.join(inner, name)[len(folder) :].lstrip("/")
            if path not in (FILE_NAME, CARD_NAME):
                yield path


def _measure(path: str) -> tuple[int, str]:
    """Returns the bytes and the SHA-256 of a file."""
    size, digest = 0, hashlib.sha256()
    local = files.is_local(path)
    with open(path, "rb") if local else tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()

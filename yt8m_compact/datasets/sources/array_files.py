"""Videos of NumPy's files: .npz, and folders of .npy for each feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import os
from typing import Any
import zipfile
import zlib

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import untrusted
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import binary_files
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np
    import tensorflow as tf

# What NumPy raises at files that are damaged or something else.
_DAMAGES = (
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)
_MAX_IDS_BYTES = 1 << 30


def read_npz(
    files: Sequence[str], *, video_level: bool
) -> Iterator[source_video.SourceVideo]:
    """Reads .npz files, whose arrays are called as the features.

    Args:
        files: Their names; one video each, or a stack of videos with `ids`.
        video_level: Whether the arrays are `[videos, size]` or `[size]`.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a stack has no ids.
    """
    for file in files:
        with _naming_damage(file, "an .npz file"):
            with binary_files.open_binary(file) as stream:
                with np.load(stream, allow_pickle=False) as archive:
                    arrays = {key: archive[key] for key in archive.files}
        yield from source_video.split_arrays(
            arrays,
            file,
            _stem(file),
            video_level=video_level,
            how_to_name="write an array 'ids' beside the features",
        )


def read_npy(
    files: Sequence[str], names: Sequence[str], *, video_level: bool
) -> Iterator[source_video.SourceVideo]:
    """Reads .npy files, of several features from a folder of each.

    Args:
        files: Their names. The folder of a file says whose feature it is, if
            there are several features; files of one name are one video, or one
            stack of videos, whose ids are lines of a .txt file of that name.
        names: The names of the folders, in the order of the features.
        video_level: Whether the arrays are `[videos, size]` or `[size]`.

    Yields:
        The videos.

    Raises:
        DataError: If a folder is none of a feature, two files are one feature
            of one video, or a file is damaged.
    """
    grouped: dict[str, dict[str, str]] = {}
    for file in files:
        folder = os.path.basename(os.path.dirname(file))
        name = names[0] if len(names) == 1 else folder
        if name not in names:
            raise errors.DataError(
                f"{file}: expected a file in a folder that is called as one of "
                f"the features: {', '.join(names)}; set source_features to the "
                f"names of the folders. Received: folder={folder!r}"
            )
        known = grouped.setdefault(_stem(file), {}).setdefault(name, file)
        if known != file:
            raise errors.DataError(
                f"{file}: expected every id once. Received: {_stem(file)!r}, "
                f"which {known} has too"
            )
    for stem, paths in grouped.items():
        arrays = {name: _load(paths[name]) for name in names if name in paths}
        yield from source_video.split_arrays(
            arrays,
            next(paths[name] for name in names if name in paths),
            stem,
            video_level=video_level,
            ids=_read_ids(paths.values()) if video_level else None,
            how_to_name=f"write them to {stem}.txt beside it, one in each line",
        )


def _load(file: str) -> Any:
    with _naming_damage(file, "an .npy file"):
        array = _map(files_lib.expand_user(file))
        if array is None:
            with binary_files.open_binary(file) as stream:
                array = np.load(stream, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("an archive of arrays")
        return array


def _map(path: str) -> Any:
    """Maps a file, as a stack may be larger than the memory.

    Returns:
        What is in it; None if it can't be mapped, such as a file of another
        system, or of no value.
    """
    if files_lib.is_local(path):
        with contextlib.suppress(ValueError, OSError):
            return np.load(path, mmap_mode="r", allow_pickle=False)
    return None


def _read_ids(paths: Sequence[str]) -> list[str] | None:
    """Reads ids from beside a stack, of all features the same."""
    found: tuple[str, list[str]] | None = None
    for file in paths:
        path = f"{file.removesuffix('.npy')}.txt"
        if not tf.io.gfile.exists(path):
            continue
        text = untrusted.read_text(path, "a file of ids", _MAX_IDS_BYTES)
        ids = [line.strip() for line in text.splitlines()]
        if not all(ids):
            raise errors.DataError(
                f"{path}: line {ids.index('') + 1}: expected an id. Received: "
                "an empty line"
            )
        if found and found[1] != ids:
            raise errors.DataError(
                f"{path}: expected the ids of {found[0]}, in their order. "
                f"Received: {len(ids)} others"
            )
        found = found or (path, ids)
    return found[1] if found else None


@contextlib.contextmanager
def _naming_damage(file: str, expected: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except _DAMAGES as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise errors.DataError(
            f"{file}: expected {expected}, whole, of numbers. Received: "
            f"{text:.200}"
        ) from None


def _stem(file: str) -> str:
    return os.path.splitext(os.path.basename(file))[0]

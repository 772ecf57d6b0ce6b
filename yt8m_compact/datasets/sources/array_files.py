"""Videos of NumPy's files: .npz, and folders of .npy for each feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
import contextlib
import os
import re
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
_MAX_BYTES = 1 << 30


def read_npz(
    files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    """Reads .npz files, whose arrays are called as the features.

    Args:
        files: Their names; one video each, or a stack of videos with `ids`, as
            of `source_video.split_arrays`.
        wanted: What is read; other arrays are not looked at.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a stack has no ids.
    """
    for file in files:
        arrays, found = load_npz(file, wanted.arrays)
        yield from source_video.split_arrays(
            arrays,
            file,
            _stem(file),
            wanted,
            found=found,
            how_to_name="write an array 'ids' beside the features",
        )


@contextlib.contextmanager
def _opening_npz(file: str) -> Iterator[Any]:
    with _naming_damage(file, "an .npz file"):
        with binary_files.open_binary(file) as stream:
            archive = np.load(stream, allow_pickle=False)
            if not hasattr(archive, "files"):
                raise ValueError("one array")
            with archive:
                yield archive


def load_npz(file: str, names: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Reads arrays of an .npz file.

    Args:
        file: Its name.
        names: Which arrays.

    Returns:
        Those that it has, by name; and what it has, for errors.

    Raises:
        DataError: If it is damaged.
    """
    with _opening_npz(file) as archive:
        arrays = {key: archive[key] for key in names if key in archive.files}
        others = [key for key in archive.files if key not in arrays]
    shapes = [f"{key} {list(array.shape)}" for key, array in arrays.items()]
    return arrays, ", ".join([*shapes, *others])


def list_npz(file: str) -> list[str]:
    """Lists the arrays of an .npz file.

    Args:
        file: Its name.

    Returns:
        Their names.

    Raises:
        DataError: If it is damaged.
    """
    with _opening_npz(file) as archive:
        return list(archive.files)


def read_npy(
    files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    """Reads .npy files, of several features from a folder of each.

    Args:
        files: Their names. The folder of a file says what it holds of
            `wanted`, if that is more than one feature; files of one name are
            one video, or one stack of videos, whose ids are lines of a .txt
            file of that name, and whose numbers of frames, if they differ, are
            lines of a .lengths.txt file.
        wanted: What is read. Labels are in a folder, too.

    Yields:
        The videos.

    Raises:
        DataError: If a folder is none of a feature, two files are one feature
            of one video, or a file is damaged.
    """
    names = wanted.features
    if wanted.labels is not None:
        names = *names, wanted.labels
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
        arrays = {
            name: load_npy(paths[name]) for name in names if name in paths
        }
        first = next(paths[name] for name in names if name in paths)
        lengths = {} if wanted.video_level else _read_lengths(paths)
        rank = 1 if wanted.video_level else 2
        is_stack = lengths or any(
            len(arrays[name].shape) > rank
            for name in wanted.features
            if name in arrays
        )
        yield from source_video.split_arrays(
            arrays | lengths,
            first,
            stem,
            wanted,
            ids=read_ids(paths.values()) if is_stack else None,
            how_to_name=f"write them to {stem}.txt beside it, one in each line",
        )


def load_npy(file: str) -> Any:
    """Opens an .npy file.

    Args:
        file: Its name.

    Returns:
        Its array, which may be in the file, not in memory.

    Raises:
        DataError: If it is damaged.
    """
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


def read_ids(paths: Iterable[str]) -> list[str] | None:
    """Reads ids from beside a stack, of all features the same.

    Args:
        paths: The files of the stack, one for each feature.

    Returns:
        The lines of the .txt files beside them; None if there are none.

    Raises:
        DataError: If a line is empty, or two files differ.
    """
    found: tuple[str, list[str]] | None = None
    for file in paths:
        lines = _read_lines(file, ".txt", "an id")
        if lines is None:
            continue
        path, ids = lines
        if found and found[1] != ids:
            raise errors.DataError(
                f"{path}: expected the ids of {found[0]}, in their order. "
                f"Received: {len(ids)} others"
            )
        found = found or (path, ids)
    return found[1] if found else None


def _read_lengths(paths: Mapping[str, str]) -> dict[str, Any]:
    """Reads the numbers of frames from beside stacks, as arrays have them."""
    found = {}
    for name, file in paths.items():
        lines = _read_lines(file, ".lengths.txt", "a number of frames")
        if lines is None:
            continue
        path, texts = lines
        for line, text in enumerate(texts, start=1):
            if not re.fullmatch("[0-9]{1,9}", text):
                raise errors.DataError(
                    f"{path}: line {line}: expected a number of frames. "
                    f"Received: {text!r:.80}"
                )
        key = f"{source_video.LENGTHS}_{name}"
        found[key] = np.array([int(text) for text in texts], np.int64)
    return found


def _read_lines(
    file: str, ending: str, expected: str
) -> tuple[str, list[str]] | None:
    """Reads the lines of a text file beside another file, if there is one."""
    path = f"{file.removesuffix('.npy')}{ending}"
    if not files_lib.exists(files_lib.expand_user(path)):
        return None
    text = untrusted.read_text(path, f"a file of {expected} a line", _MAX_BYTES)
    lines = [line.strip() for line in text.splitlines()]
    if not all(lines):
        raise errors.DataError(
            f"{path}: line {lines.index('') + 1}: expected {expected}. "
            "Received: an empty line"
        )
    return path, lines


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

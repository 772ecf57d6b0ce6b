"""Videos of HDF5 files; h5py comes with Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import itertools
import os
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import binary_files
from yt8m_compact.readers import errors

with lazy.imports():
    import h5py

_SHOWN = 20


def read(
    files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    """Reads HDF5 files, whose datasets are called as the features.

    Args:
        files: Their names. The datasets of a file are those of one video, or a
            stack of videos with `ids`, as of `source_video.split_arrays`; or
            there is a group of them for each video, called as its id.
        wanted: What is read. Labels of a group may be an attribute.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a stack has no ids.
    """
    for file in files:
        with opening(file) as group:
            yield from _read_file(group, file, wanted)


@contextlib.contextmanager
def opening(file: str) -> Iterator[Any]:
    """Opens an HDF5 file to read it.

    Args:
        file: Its name.

    Yields:
        The `h5py.File`.

    Raises:
        DataError: If it is damaged, here or while it is read.
    """
    with _naming_damage(file), binary_files.open_binary(file) as stream:
        with h5py.File(stream, "r") as group:
            yield group


def _read_file(
    group: Any, file: str, wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    arrays = datasets(group, wanted.arrays)
    if any(name in arrays for name in wanted.features):
        yield from source_video.split_arrays(
            arrays,
            file,
            os.path.splitext(os.path.basename(file))[0],
            wanted,
            found=_describe(group),
            how_to_name="write a dataset 'ids' beside the features",
        )
        return
    names = ", ".join(wanted.features)
    for video_id in group:
        where = f"{file}: {video_id}"
        video = group[video_id]
        if not isinstance(video, h5py.Group):
            raise errors.DataError(
                f"{where}: expected datasets {names}, or a group "
                "with them for each video. Received: a dataset "
                f"{list(video.shape)}"
            )
        labels = None
        if wanted.labels is not None:
            found = video.get(wanted.labels, video.attrs.get(wanted.labels))
            labels = found[()] if isinstance(found, h5py.Dataset) else found
        features = datasets(video, wanted.features)
        yield source_video.SourceVideo(
            where,
            video_id,
            {name: dataset[()] for name, dataset in features.items()},
            ", ".join(video),
            labels,
        )


def list_datasets(file: str) -> list[str]:
    """Lists the datasets of an HDF5 file, or of the first group in it.

    Args:
        file: Its name.

    Returns:
        Their names.

    Raises:
        DataError: If it is damaged.
    """
    with opening(file) as group:
        first = next((group[name] for name in group), None)
        return list(first if isinstance(first, h5py.Group) else group)


def _describe(group: Any) -> str:
    """Lists the first names in a file, of datasets with their shapes."""
    texts = []
    for name in itertools.islice(group, _SHOWN):
        shape = getattr(group[name], "shape", None)
        texts.append(name if shape is None else f"{name} {list(shape)}")
    return ", ".join(texts)


def datasets(group: Any, names: Sequence[str]) -> dict[str, Any]:
    """Finds datasets of a group.

    Args:
        group: An open file, or a group of it.
        names: Which datasets.

    Returns:
        Those that it has, by name; their values are in the file.
    """
    return {
        name: group[name]
        for name in names
        if name in group and isinstance(group[name], h5py.Dataset)
    }


@contextlib.contextmanager
def _naming_damage(file: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError, errors.DataError):
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise errors.DataError(
            f"{file}: expected an HDF5 file, whole. Received: "
            f"{' '.join(str(error).split()):.200}"
        ) from None

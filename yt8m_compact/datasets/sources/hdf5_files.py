"""Videos of HDF5 files; h5py comes with Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import os
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import binary_files
from yt8m_compact.readers import errors

with lazy.imports():
    import h5py


def read(
    files: Sequence[str], names: Sequence[str], *, video_level: bool
) -> Iterator[source_video.SourceVideo]:
    """Reads HDF5 files, whose datasets are called as the features.

    Args:
        files: Their names. The datasets of a file are those of one video, or a
            stack of videos with `ids`; or there is a group of them for each
            video, called as its id.
        names: The names of the datasets.
        video_level: Whether they are `[videos, size]` or `[size]`.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a stack has no ids.
    """
    for file in files:
        with _naming_damage(file), binary_files.open_binary(file) as stream:
            with h5py.File(stream, "r") as group:
                yield from _read_file(
                    group, file, names, video_level=video_level
                )


def _read_file(
    group: Any, file: str, names: Sequence[str], *, video_level: bool
) -> Iterator[source_video.SourceVideo]:
    arrays = _datasets(group, names)
    if any(name in arrays for name in names):
        yield from source_video.split_arrays(
            arrays,
            file,
            os.path.splitext(os.path.basename(file))[0],
            video_level=video_level,
            how_to_name="write a dataset 'ids' beside the features",
        )
        return
    for video_id in group:
        where = f"{file}: {video_id}"
        video = group[video_id]
        if not isinstance(video, h5py.Group):
            raise errors.DataError(
                f"{where}: expected datasets {', '.join(names)}, or a group "
                "with them for each video. Received: a dataset "
                f"{list(video.shape)}"
            )
        yield source_video.SourceVideo(
            where, video_id, _datasets(video, names), ", ".join(video)
        )


def _datasets(group: Any, names: Sequence[str]) -> dict[str, Any]:
    """Reads the datasets of features, and that of ids."""
    found = {}
    for name in (*names, *source_video.ID_NAMES):
        if name in group and isinstance(group[name], h5py.Dataset):
            found[name] = group[name][()]
    return found


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

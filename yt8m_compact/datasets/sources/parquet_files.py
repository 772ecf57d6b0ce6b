"""Videos of Parquet files, one in each row; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import types
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import binary_files
from yt8m_compact.predictions import parquet
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

# A video's frames take a megabyte, its means some kilobytes.
_FRAME_ROWS = 16
_VIDEO_ROWS = 1024


def read(
    files: Sequence[str], names: Sequence[str], *, video_level: bool
) -> Iterator[source_video.SourceVideo]:
    """Reads Parquet files with a column of ids and one for each feature.

    Args:
        files: Their names.
        names: The columns of the features: lists of numbers at video level,
            lists of such lists, one a frame, at frame level.
        video_level: Which of them.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a row is not what it is to be.
        ValueError: If pyarrow is not installed.
    """
    for file in files:
        for row, video_id, values in read_rows(
            file, names, _VIDEO_ROWS if video_level else _FRAME_ROWS
        ):
            where = f"{file}: row {row}"
            features = {
                name: _to_array(value, where, name, nested=not video_level)
                for name, value in values.items()
                if value.is_valid
            }
            yield source_video.SourceVideo(
                where, video_id, features, ", ".join(values)
            )


def read_rows(
    file: str, names: Sequence[str], batch_rows: int = _VIDEO_ROWS
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Reads columns, and that of the ids, of a Parquet file.

    Args:
        file: Its name.
        names: The columns beside that of the ids.
        batch_rows: How many rows are held in memory.

    Yields:
        The number of each row, from 0, its id, and the values that pyarrow
        has of the columns, by name.

    Raises:
        DataError: If it is another file, has no such columns, was cut or
            damaged, or a row has no id.
        ValueError: If pyarrow is not installed.
    """
    arrow = parquet.load_pyarrow()
    row = 0
    with _naming_damage(arrow, file), binary_files.open_binary(file) as stream:
        with arrow.parquet.ParquetFile(stream) as table:
            columns = table.schema_arrow.names
            key = next((k for k in source_video.ID_NAMES if k in columns), None)
            wanted = [name for name in names if name in columns]
            if key is None or not wanted:
                raise errors.DataError(
                    f"{file}: expected a column "
                    f"{' or '.join(source_video.ID_NAMES)}, and "
                    f"{', '.join(names)}. Received: {', '.join(columns):.200}"
                )
            for batch in table.iter_batches(batch_rows, columns=[key, *wanted]):
                ids = batch.column(key).to_pylist()
                arrays = {name: batch.column(name) for name in wanted}
                for index, video_id in enumerate(ids):
                    if isinstance(video_id, bytes):
                        video_id = video_id.decode("utf-8", "replace")
                    if not isinstance(video_id, str | int) or video_id == "":
                        raise errors.DataError(
                            f"{file}: row {row}: expected a text or a whole "
                            f"number as '{key}'. Received: {video_id!r:.80}"
                        )
                    values = {name: a[index] for name, a in arrays.items()}
                    yield row, str(video_id), values
                    row += 1


def _to_array(value: Any, where: str, name: str, *, nested: bool) -> np.ndarray:
    """Makes an array of a list, or of a list of lists of one length."""
    expected = "a list of lists" if nested else "a list"
    problem = f"{value.type}"
    inner = getattr(value, "values", None)
    if inner is not None and not inner.null_count:
        if not nested:
            return _to_numbers(inner, where, name)
        if hasattr(inner, "value_lengths"):
            lengths = {*inner.value_lengths().to_pylist()}
            flat = inner.flatten()
            if len(lengths) == 1 and not flat.null_count:
                numbers = _to_numbers(flat, where, name)
                return numbers.reshape(len(inner), lengths.pop())
            if not lengths:
                return np.zeros([0, 0], np.float32)
            problem = f"{problem}, of lengths {sorted(lengths)!s:.80}"
    raise errors.DataError(
        f"{where}: expected {expected} of numbers as '{name}', of one length "
        f"and without a missing one. Received: {problem:.200}"
    )


def _to_numbers(values: Any, where: str, name: str) -> np.ndarray:
    numbers = values.to_numpy(zero_copy_only=False)
    if numbers.dtype.kind not in "fiu":
        raise errors.DataError(
            f"{where}: expected numbers as '{name}'. Received: {values.type}"
        )
    return numbers


@contextlib.contextmanager
def _naming_damage(arrow: types.ModuleType, file: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except (arrow.ArrowException, OSError) as error:
        raise errors.DataError(
            f"{file}: expected a Parquet file, whole. Received: "
            f"{' '.join(str(error).split()):.200}"
        ) from None

"""Videos of Parquet files, one, or a frame, in each row; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import itertools
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
    files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    """Reads Parquet files with a column of ids and one for each feature.

    Args:
        files: Their names.
        wanted: What is read: the columns of the features, which are lists of
            numbers at video level; of frames lists of such lists, one a frame;
            or lists of numbers, where each row is a frame. The rows of a video
            are then one after the other, in one file or on into the next one.

    Yields:
        The videos.

    Raises:
        DataError: If a file is damaged, or a row is not what it is to be.
        ValueError: If pyarrow is not installed.
    """
    frames = None
    for file in files:
        _expect_labels(file, wanted)
        if not wanted.video_level and _has_row_of_frame(file, wanted):
            for row, video_id, values in read_rows(
                file, _columns(wanted), _VIDEO_ROWS, wanted.ids
            ):
                where = f"{file}: row {row}"
                if frames is not None and frames.video_id != video_id:
                    yield frames.video()
                    frames = None
                if frames is None:
                    frames = _Frames(wanted, where, video_id)
                frames.add(where, values)
            continue
        if frames is not None:
            yield frames.video()
            frames = None
        rows = _VIDEO_ROWS if wanted.video_level else _FRAME_ROWS
        for row, video_id, values in read_rows(
            file, _columns(wanted), rows, wanted.ids
        ):
            where = f"{file}: row {row}"
            yield source_video.SourceVideo(
                where,
                video_id,
                {
                    name: _to_array(
                        values[name],
                        where,
                        name,
                        nested=not wanted.video_level,
                    )
                    for name in wanted.features
                    if name in values and values[name].is_valid
                },
                ", ".join(values),
                _labels_of(values, wanted),
            )
    if frames is not None:
        yield frames.video()


class _Frames:
    """The frames of a video that come a row each."""

    def __init__(
        self, wanted: source_video.Wanted, where: str, video_id: str
    ) -> None:
        self.video_id = video_id
        self._wanted = wanted
        self._where = where
        self._found = ""
        self._labels: Any = None
        self._rows: dict[str, list[np.ndarray]] = {}
        self._order: list[Any] = []

    def add(self, where: str, values: Mapping[str, Any]) -> None:
        """Adds the frame of a row."""
        labels = _labels_of(values, self._wanted)
        if not self._order:
            self._found = ", ".join(values)
            self._labels = labels
        elif labels != self._labels:
            raise errors.DataError(
                f"{where}: expected the same '{self._wanted.labels}' in every "
                f"row of {self.video_id!r:.80}, as in {self._where}. Received: "
                f"{labels!r:.80}"
            )
        for name in self._wanted.features:
            if name in values and values[name].is_valid:
                array = _to_array(values[name], where, name, nested=False)
                self._add_row(name, array, where)
        key = self._wanted.frame_order
        place = len(self._order) if key is None else values[key].as_py()
        if place is None or place != place:
            raise errors.DataError(
                f"{where}: expected the number or the time of a frame as "
                f"'{key}'. Received: {place}"
            )
        self._order.append(place)

    def _add_row(self, name: str, array: np.ndarray, where: str) -> None:
        rows = self._rows.setdefault(name, [])
        if len(rows) != len(self._order) or (
            rows and len(rows[0]) != len(array)
        ):
            size = len(rows[0]) if rows else "no"
            raise errors.DataError(
                f"{where}: expected '{name}' in every row of "
                f"{self.video_id!r:.80}, {size} values. Received: {len(array)} "
                f"values, after {len(rows)} of {len(self._order)} rows with it"
            )
        rows.append(array)

    def video(self) -> source_video.SourceVideo:
        """Returns the video of the frames that were added."""
        number = len(self._order)
        for name, rows in self._rows.items():
            if len(rows) != number:
                raise errors.DataError(
                    f"{self._where}: expected '{name}' in every row of "
                    f"{self.video_id!r:.80}. Received: {len(rows)} of {number} "
                    "rows with it"
                )
        order = sorted(range(number), key=self._order.__getitem__)
        places = [self._order[index] for index in order]
        for first, second in itertools.pairwise(places):
            if first == second:
                raise errors.DataError(
                    f"{self._where}: expected every frame of "
                    f"{self.video_id!r:.80} once. Received: "
                    f"{self._wanted.frame_order}={first} twice"
                )
        return source_video.SourceVideo(
            self._where,
            self.video_id,
            {
                name: np.stack([rows[index] for index in order])
                for name, rows in self._rows.items()
            },
            self._found,
            self._labels,
        )


def _columns(wanted: source_video.Wanted) -> tuple[str, ...]:
    """Lists the columns that are read beside that of the ids."""
    columns = (wanted.labels, wanted.frame_order)
    return (*wanted.features, *(name for name in columns if name is not None))


def _labels_of(values: Mapping[str, Any], wanted: source_video.Wanted) -> Any:
    if wanted.labels is None or wanted.labels not in values:
        return None
    return values[wanted.labels].as_py()


def _read_schema(file: str) -> Any:
    arrow = parquet.load_pyarrow()
    with _naming_damage(arrow, file), binary_files.open_binary(file) as stream:
        return arrow.parquet.read_schema(stream)


def list_columns(file: str) -> list[str]:
    """Lists the columns of a Parquet file.

    Args:
        file: Its name.

    Returns:
        Their names.

    Raises:
        DataError: If it is damaged.
    """
    return _read_schema(file).names


def _expect_labels(file: str, wanted: source_video.Wanted) -> None:
    if wanted.labels is None:
        return
    names = _read_schema(file).names
    if wanted.labels not in names:
        raise errors.DataError(
            f"{file}: expected labels in a column '{wanted.labels}'. Received: "
            f"{', '.join(names):.200}"
        )


def _has_row_of_frame(file: str, wanted: source_video.Wanted) -> bool:
    """Whether each row is a frame; refuses an order of frames otherwise."""
    arrow = parquet.load_pyarrow()
    schema = _read_schema(file)
    kinds = [
        schema.field(name).type
        for name in wanted.features
        if name in schema.names
    ]
    found = bool(kinds) and all(
        _is_list(arrow, kind) and not _is_list(arrow, kind.value_type)
        for kind in kinds
    )
    key = wanted.frame_order
    if key is not None and not (found and key in schema.names):
        raise errors.DataError(
            f"{file}: expected a row for each frame, and its number or time in "
            f"a column '{key}'; leave frame_order out where a row is a video. "
            f"Received: {', '.join(schema.names):.200}, of features of "
            f"{', '.join(map(str, kinds)) or 'no type'}"
        )
    return found


def _is_list(arrow: types.ModuleType, kind: Any) -> bool:
    return (
        arrow.types.is_list(kind)
        or arrow.types.is_large_list(kind)
        or arrow.types.is_fixed_size_list(kind)
    )


def read_rows(
    file: str,
    names: Sequence[str],
    batch_rows: int = _VIDEO_ROWS,
    id_names: Sequence[str] = source_video.ID_NAMES,
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Reads columns, and that of the ids, of a Parquet file.

    Args:
        file: Its name.
        names: The columns beside that of the ids.
        batch_rows: How many rows are held in memory.
        id_names: What the column of the ids may be called.

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
            key = next((k for k in id_names if k in columns), None)
            wanted = [name for name in names if name in columns]
            if key is None or not wanted:
                raise errors.DataError(
                    f"{file}: expected a column "
                    f"{' or '.join(id_names)}, and "
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

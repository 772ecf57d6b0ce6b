"""Parquet: columns `id`, `classes`, `scores`, maybe more; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import types
from typing import IO, Any

from yt8m_compact import lazy
from yt8m_compact.predictions import binary_files
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

_BLOCK_ROWS = 1024
# A group is held in memory until it is written.
_GROUP_ROWS = 1 << 16


def load_pyarrow() -> types.ModuleType:
    """Imports pyarrow.

    Raises:
        ValueError: if it is not installed.

    Example:
        >>> pyarrow = yt8m.predictions.load_pyarrow()
        >>> pyarrow.array([7, 3]).to_pylist()
        [7, 3]
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(
            "expected the package pyarrow, which reads and writes Parquet: "
            f"pip install 'yt8m-compact[parquet]'. Received: {error}"
        ) from error
    return pyarrow


class Writer:
    """Writes a file of predictions or of embeddings.

    Args:
        file: an open file of bytes.
        class_names: the name of each class, or None.
        embedding_size: the size of the embeddings that are written in the
            place of predictions, or None.
    """

    def __init__(
        self,
        file: IO[bytes],
        class_names: Sequence[str] | None = None,
        embedding_size: int | None = None,
    ) -> None:
        self._arrow = arrow = load_pyarrow()
        self._names = None
        columns = [("id", arrow.string())]
        if embedding_size is not None:
            kind = arrow.list_(arrow.float32(), embedding_size)
            columns.append(("embedding", kind))
        else:
            columns.append(("classes", arrow.list_(arrow.int32())))
            if class_names is not None:
                self._names = np.array(class_names, object)
                columns.append(("names", arrow.list_(arrow.string())))
            columns.append(("scores", arrow.list_(arrow.float32())))
        self._schema = arrow.schema(columns)
        self._writer = arrow.parquet.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []
        self._num_waiting = 0

    def write(self, rows: rows_lib.Rows) -> None:
        """Writes predictions.

        Args:
            rows: the predictions.
        """
        arrow = self._arrow
        starts = arrow.array(rows.starts.astype(np.int32))
        lists = [rows.classes]
        if self._names is not None:
            lists.append(self._names[rows.classes])
        lists.append(rows.scores)
        self._add(
            rows.ids,
            [
                arrow.ListArray.from_arrays(
                    starts, arrow.array(values, field.type.value_type)
                )
                for values, field in zip(
                    lists, list(self._schema)[1:], strict=True
                )
            ],
        )

    def write_embeddings(
        self, ids: Sequence[bytes], embeddings: np.ndarray
    ) -> None:
        """Writes embeddings.

        Args:
            ids: bytes, of each video.
            embeddings: float32 `[videos, size]`.
        """
        arrow = self._arrow
        values = arrow.array(np.ascontiguousarray(embeddings).ravel())
        size = embeddings.shape[1]
        self._add(ids, [arrow.FixedSizeListArray.from_arrays(values, size)])

    def _add(self, ids: Sequence[bytes], lists: list[Any]) -> None:
        texts = self._arrow.array([one.decode() for one in ids])
        self._waiting.append(
            self._arrow.record_batch([texts, *lists], schema=self._schema)
        )
        self._num_waiting += len(ids)
        if self._num_waiting >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = self._arrow.Table.from_batches(self._waiting)
            self._writer.write_table(table, row_group_size=2 * _GROUP_ROWS)
        self._waiting, self._num_waiting = [], 0

    def close(self) -> None:
        """Writes the rest, and the end of the file."""
        self._flush()
        self._writer.close()


def count_rows(path: str) -> int:
    """Returns the number of rows that the end of a file tells of.

    Args:
        path: the file.
    """
    arrow = load_pyarrow()
    with (
        binary_files.open_binary(path) as file,
        arrow.parquet.ParquetFile(file) as parquet,
    ):
        return parquet.metadata.num_rows


def read(path: str) -> Iterator[rows_lib.Rows]:
    """Reads the rows of a file; other columns are let pass.

    Args:
        path: the file.

    Yields:
        Some rows each.

    Raises:
        DataError: if it is another file, or was cut or damaged.
    """
    columns = {"id": "text", "classes": "integers", "scores": "floats"}
    for start, ids, (classes, scores) in read_columns(path, columns):
        counts = classes[0]
        differs = counts != scores[0]
        if differs.any():
            row = int(np.argmax(differs))
            raise errors.DataError(
                f"{path}: line {start + row}: expected a score of each class. "
                f"Received: {counts[row]} classes, {scores[0][row]} scores"
            )
        limit = np.iinfo(np.int32).max
        values = classes[1]
        yield rows_lib.Rows(
            ids,
            counts,
            np.where((values >= 0) & (values <= limit), values, -1).astype(
                np.int32
            ),
            scores[1].astype(np.float32),
            np.arange(start, start + len(ids)),
        )


def read_columns(
    path: str, columns: dict[str, str]
) -> Iterator[tuple[int, list[bytes], list[tuple[np.ndarray, np.ndarray]]]]:
    """Reads columns of a file.

    Args:
        path: the file.
        columns: what each holds: the first one "text", the ids; the others
            lists of "integers" or "floats".

    Yields:
        Of some rows each: the number of the first one, the first row of the
        file being 1; the ids; and of each other column, how many values each
        row has, and the values.

    Raises:
        DataError: if it is another file, or was cut or damaged.
    """
    arrow = load_pyarrow()
    start = 1
    try:
        with (
            binary_files.open_binary(path) as file,
            arrow.parquet.ParquetFile(file) as parquet,
        ):
            _check_schema(arrow, path, parquet.schema_arrow, columns)
            for batch in parquet.iter_batches(_BLOCK_ROWS, columns=[*columns]):
                arrays = [batch.column(name) for name in columns]
                for name, array in zip(columns, arrays, strict=True):
                    _expect_values(path, start, name, array)
                ids = [text.encode() for text in arrays[0].to_pylist()]
                yield start, ids, [_values_of(array) for array in arrays[1:]]
                start += len(ids)
    except (
        arrow.ArrowInvalid,
        arrow.ArrowNotImplementedError,
        OSError,
    ) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise errors.DataError(
            f"{path}: expected a Parquet file, whole, after {start - 1} rows. "
            f"Received: {' '.join(str(error).split())}"
        ) from None


def _check_schema(
    arrow: types.ModuleType, path: str, schema: Any, columns: dict[str, str]
) -> None:
    kinds = arrow.types
    tests = {
        "text": lambda t: kinds.is_string(t) or kinds.is_large_string(t),
        "integers": lambda t: (
            _is_list(kinds, t) and kinds.is_integer(t.value_type)
        ),
        "floats": lambda t: (
            _is_list(kinds, t) and kinds.is_floating(t.value_type)
        ),
    }
    for name, kind in columns.items():
        index = schema.get_field_index(name)
        if index < 0 or not tests[kind](schema.field(index).type):
            what = kind if kind == "text" else f"lists of {kind}"
            raise errors.DataError(
                f"{path}: expected a column {name} of {what}. Received: "
                + ", ".join(f"{field.name} {field.type}" for field in schema)
            )


def _is_list(kinds: types.ModuleType, kind: Any) -> bool:
    return (
        kinds.is_list(kind)
        or kinds.is_large_list(kind)
        or kinds.is_fixed_size_list(kind)
    )


def _expect_values(path: str, start: int, name: str, array: Any) -> None:
    """Refuses rows without a value, and values that are none in a list."""
    missing = np.asarray(array.is_null())
    if not missing.any() and name != "id":
        counts, _ = _values_of(array)
        inner = np.asarray(array.flatten().is_null())
        missing = np.zeros(len(counts), bool)
        missing[np.repeat(np.arange(len(counts)), counts)[inner]] = True
    elif name == "id" and not missing.any():
        missing = np.array([not text for text in array.to_pylist()], bool)
    if missing.any():
        raise errors.DataError(
            f"{path}: line {start + int(np.argmax(missing))}: expected a value "
            f"in the column {name}. Received: none"
        )


def _values_of(array: Any) -> tuple[np.ndarray, np.ndarray]:
    counts = array.value_lengths().to_numpy(zero_copy_only=False)
    values = array.flatten().to_numpy(zero_copy_only=False)
    return counts.astype(np.int64), values

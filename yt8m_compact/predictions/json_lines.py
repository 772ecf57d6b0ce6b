"""JSON lines: an object a line, `id`, `classes`, `scores`, maybe more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import itertools
import json
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

_BLOCK_LINES = 1024


def format_rows(
    rows: rows_lib.Rows, class_names: Sequence[str] | None = None
) -> str:
    """Writes rows as lines, scores with all digits of a float32.

    Args:
        rows: the rows.
        class_names: the name of each class, or None.

    Returns:
        The lines: `id`, `classes`, `names` if they are known, and `scores`.
    """
    classes = rows.classes.tolist()
    scores = [f"{score:.9g}" for score in rows.scores.tolist()]
    names = None
    if class_names is not None:
        quoted = {c: json.dumps(class_names[c]) for c in {*classes}}
        names = [quoted[c] for c in classes]
    lines = []
    starts = rows.starts.tolist()
    for row_id, start, end in zip(
        rows.ids, starts[:-1], starts[1:], strict=True
    ):
        part = slice(start, end)
        text = f'{{"id": {json.dumps(row_id.decode())}'
        text += f', "classes": {classes[part]}'
        if names is not None:
            text += f', "names": [{", ".join(names[part])}]'
        lines.append(f'{text}, "scores": [{", ".join(scores[part])}]}}\n')
    return "".join(lines)


def format_embeddings(ids: Sequence[bytes], embeddings: np.ndarray) -> str:
    """Writes embeddings as lines: `id` and `embedding`.

    Args:
        ids: bytes, of each video.
        embeddings: float32 `[videos, size]`.
    """
    return "".join(
        f'{{"id": {json.dumps(row_id.decode())}, "embedding": '
        f"[{', '.join([f'{value:.9g}' for value in row])}]}}\n"
        for row_id, row in zip(ids, embeddings.tolist(), strict=True)
    )


def read(path: str) -> Iterator[rows_lib.Rows]:
    """Reads the rows of a file; keys that it does not know are let pass.

    Args:
        path: the file.

    Yields:
        Some rows each.

    Raises:
        DataError: if a line is anything else; the error names it.
    """
    lines = read_objects(path)
    while block := list(itertools.islice(lines, _BLOCK_LINES)):
        ids, counts, classes, scores = [], [], [], []
        for number, value in block:
            where = f"{path}: line {number}"
            ids.append(id_of(value, where))
            row_classes = numbers_of(value, "classes", int, where)
            row_scores = numbers_of(value, "scores", (int, float), where)
            if len(row_classes) != len(row_scores):
                raise errors.DataError(
                    f"{where}: expected a score of each class. Received: "
                    f"{len(row_classes)} classes, {len(row_scores)} scores"
                )
            counts.append(len(row_classes))
            classes += row_classes
            scores += row_scores
        yield rows_lib.Rows(
            ids,
            np.array(counts, np.int64),
            kaggle_csv.class_array(classes),
            np.array(scores, np.float32),
            np.array([number for number, _ in block]),
        )


def read_objects(path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Reads an object a line.

    Args:
        path: the file.

    Yields:
        The number of the line, and the object.

    Raises:
        DataError: if a line is anything else; the error names it.
    """
    for number, line in text_lines.read_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise errors.DataError(
                f"{path}: line {number}: expected a JSON object. Received: "
                f"{text_lines.shown(line)!r} ({error})"
            ) from None
        if not isinstance(value, dict):
            raise errors.DataError(
                f"{path}: line {number}: expected a JSON object. Received: "
                f"{text_lines.shown(line)!r}"
            )
        yield number, value


def id_of(value: Mapping[str, Any], where: str) -> bytes:
    """Returns the id of an object.

    Args:
        value: the object.
        where: its file and line.

    Raises:
        DataError: if there is none.
    """
    row_id = value.get("id")
    if not isinstance(row_id, str) or not row_id:
        raise errors.DataError(
            f'{where}: expected an "id" that is a text. Received: '
            f"id={text_lines.shown(repr(row_id))}"
        )
    return row_id.encode(errors="surrogatepass")


def numbers_of(
    value: Mapping[str, Any],
    key: str,
    kinds: type | tuple[type, ...],
    where: str,
) -> list:
    """Returns the numbers that an object lists under a key.

    Args:
        value: the object.
        key: the key.
        kinds: what a number may be; True and False are none.
        where: its file and line.

    Raises:
        DataError: if there is no list of such numbers.
    """
    listed = value.get(key)
    if not isinstance(listed, list):
        raise errors.DataError(
            f'{where}: expected "{key}", a list of numbers. Received: '
            f"{key}={text_lines.shown(repr(listed))}"
        )
    for one in listed:
        if not isinstance(one, kinds) or isinstance(one, bool):
            name = "whole numbers" if kinds is int else "numbers"
            raise errors.DataError(
                f'{where}: expected {name} in "{key}". Received: '
                f"{text_lines.shown(repr(one))}"
            )
    return listed

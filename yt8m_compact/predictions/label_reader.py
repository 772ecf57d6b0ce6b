"""Reads what files say as the labels of a video, as numbers of classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from yt8m_compact import lazy
from yt8m_compact import names as names_lib
from yt8m_compact.predictions import csv_rows
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np


class LabelReader:
    """Reads the labels of videos, and finds out how many classes there are.

    Example:
        >>> reader = LabelReader(vocabulary={"cat": 0, "dog": 1})
        >>> reader.read("dog; cat", "line 1"), reader.read([False, True], "row")
        ((0, 1), (1,))
        >>> reader.num_classes
        2

    Args:
        num_classes: How many classes there are; None if the vocabulary or, if
            there is none, the labels say it.
        vocabulary: The class by name in lower case, None for a name of several,
            as of `read_vocabulary`.
        advice: What to do about names where there is no vocabulary.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        vocabulary: Mapping[str, int | None] | None = None,
        *,
        advice: str = (
            "set vocabulary_file, or find_classes, which takes all names that "
            "there are"
        ),
    ) -> None:
        self._advice = advice
        self._vocabulary = vocabulary or {}
        known = [c for c in self._vocabulary.values() if c is not None]
        if num_classes is None and known:
            num_classes = max(known) + 1
        self._given = num_classes
        self._width: int | None = None
        self._largest = -1

    @property
    def num_classes(self) -> int | None:
        """How many classes there are, as far as is known by now."""
        return self._limit or self._largest + 1 or None

    @property
    def _limit(self) -> int | None:
        """What labels are below; once both are known they are the same."""
        return self._given or self._width

    def read(self, value: Any, where: str) -> tuple[int, ...]:
        """Reads the labels of a video.

        Args:
            value: A number or a name of a class, or a list of them; a text of
                several, separated by semicolons, numbers also by spaces; or a
                list of a bool, or a float, for each class: 0 and 1. None if
                there are no labels.
            where: What to call it in errors.

        Returns:
            Their numbers, each once, rising; none where there are none.

        Raises:
            DataError: If it is anything else.
        """
        value = _plain(value)
        if value is None:
            return ()
        if isinstance(value, list) and _is_for_each_class(value):
            return self._read_hot(value, where)
        cells = value if isinstance(value, list) else [value]
        _expect_cells(cells, value, where)
        classes: set[int] = set()
        for cell in cells:
            classes |= self._read_cell(str(cell), where)
        limit = self._limit
        outside = [
            label
            for label in classes
            if label < 0 or (limit is not None and label >= limit)
        ]
        if outside:
            to = "on" if limit is None else f"to {limit - 1}"
            raise errors.DataError(
                f"{where}: expected one or more labels from 0 {to}. Received: "
                f"{','.join(map(str, cells))!r:.80}"
            )
        self._largest = max([self._largest, *classes])
        return tuple(sorted(classes))

    def expect_some(
        self, classes: Sequence[int], value: Any, where: str
    ) -> None:
        """Refuses a video that should have labels and has none.

        Args:
            classes: What `read` returned.
            value: What it was given.
            where: What to call it in errors.

        Raises:
            DataError: If there are none.
        """
        if not classes:
            to = "on" if self._given is None else f"to {self._given - 1}"
            cells = value if isinstance(value, list) else [value]
            raise errors.DataError(
                f"{where}: expected one or more labels from 0 {to}. Received: "
                f"{','.join(map(str, cells))!r:.80}"
            )

    def _read_cell(self, cell: str, where: str) -> set[int]:
        if cell.strip().lower() in self._vocabulary:
            return {self._read_name(cell.strip(), where)}
        classes = set()
        for text in _texts(cell):
            words = [text] if text.lower() in self._vocabulary else text.split()
            for word in words:
                classes.add(self._read_name(word, where))
        return classes

    def _read_name(self, word: str, where: str) -> int:
        vocabulary = self._vocabulary
        label = vocabulary.get(word.lower(), csv_rows.parse_index(word))
        if label is None:
            is_twin = word.lower() in vocabulary
            kind = "a name of several classes" if is_twin else "neither"
            advice = "" if is_twin else names_lib.suggestion(word, vocabulary)
            if not vocabulary:
                advice = f"; {self._advice}"
            raise errors.DataError(
                f"{where}: expected numbers of classes, or names of the "
                f"vocabulary ({len(vocabulary)} names). Received: {word!r:.80},"
                f" {kind}{advice}"
            )
        return label

    def _read_hot(self, value: list[float], where: str) -> tuple[int, ...]:
        """Reads a 0 or 1 for each class."""
        wrong = [index for index, one in enumerate(value) if one not in (0, 1)]
        if wrong:
            raise errors.DataError(
                f"{where}: expected numbers or names of classes as labels, or "
                f"0 or 1 for each class. Received: {value[wrong[0]]} of class "
                f"{wrong[0]}"
            )
        known = self._limit
        if known is not None and len(value) != known:
            raise errors.DataError(
                f"{where}: expected 0 or 1 for each of {known} classes. "
                f"Received: {len(value)} values"
            )
        if self._largest >= len(value):
            raise errors.DataError(
                f"{where}: expected 0 or 1 for each of {self._largest + 1} or "
                f"more classes, as others have. Received: {len(value)} values"
            )
        self._width = len(value)
        return tuple(index for index, one in enumerate(value) if one)


def number_names(
    named: Iterable[tuple[int, str]],
) -> dict[str, int | None]:
    """Finds classes by their names.

    Args:
        named: Classes and names, of which one class may have several.

    Returns:
        The class by name in lower case, None for a name of several classes.
    """
    classes: dict[str, int | None] = {}
    for index, name in named:
        name = name.lower()
        known = classes.get(name, index)
        classes[name] = index if known == index else None
    return classes


def find_names(values: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """Finds the names of the classes that labels name.

    Args:
        values: What to call the labels of each video in errors, and what
            `LabelReader.read` takes.

    Returns:
        Each name once, in whatever letters it came first, sorted.

    Raises:
        DataError: If they are no names, or there are none.
    """
    found: dict[str, str] = {}
    for where, value in values:
        value = _plain(value)
        if value is None:
            continue
        cells = value if isinstance(value, list) else _texts(str(value))
        for cell in cells:
            text = cell.strip() if isinstance(cell, str) else ""
            if not text or csv_rows.parse_index(text) is not None:
                raise errors.DataError(
                    f"{where}: expected names of classes, to find them. "
                    f"Received: {cell!r:.80}; leave find_classes out where "
                    "labels are numbers"
                )
            found.setdefault(text.lower(), text)
    if not found:
        raise errors.DataError(
            "expected labels with the names of classes, to find them. "
            "Received: no labels"
        )
    return tuple(found[key] for key in sorted(found))


def _plain(value: Any) -> Any:
    """Makes Python's own values of NumPy's and of bytes."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _is_for_each_class(values: list[Any]) -> bool:
    return bool(values) and all(type(one) in (bool, float) for one in values)


def _expect_cells(cells: list[Any], value: Any, where: str) -> None:
    if not all(type(cell) in (int, str) for cell in cells):
        raise errors.DataError(
            f"{where}: expected numbers or names of classes as labels, or 0 "
            f"or 1 for each class. Received: {value!r:.80}"
        )
    if cells and all(type(cell) is int for cell in cells):
        # Such as [0, 0, 1, 0], of four classes.
        if len({*cells}) < len(cells) and {*cells} <= {0, 1}:
            raise errors.DataError(
                f"{where}: expected numbers of classes, each once; write 0 and "
                "1 for each class as bool or float. Received: "
                f"{cells!s:.80}"
            )


def _texts(cell: str) -> Iterator[str]:
    return filter(None, map(str.strip, cell.split(";")))

"""Vocabularies: the classes and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from yt8m_compact import untrusted
from yt8m_compact.predictions import csv_rows
from yt8m_compact.predictions import label_reader

_NAME_COLUMNS = ("name", "label_name", "display_name", "mid")
_INDEX_COLUMNS = ("index", "label_id")
_MAX_TEXT_BYTES = 1 << 26
_VERTICAL_COLUMNS = ("vertical1", "vertical2", "vertical3")


def read_vocabulary(path: str) -> dict[str, int | None]:
    r"""Reads the classes by their names.

    Args:
        path: CSV with a header: a column `Index`, `index` or `label_id`, and
            one or more of `Name`, `label_name`, `display_name` and `mid`, as in
            the vocabularies of YouTube-8M and AudioSet. Or a text file
            (`.txt`) with the name of a class in each line, in order.

    Returns:
        The class by name in lower case, None for a name of several classes.

    Raises:
        ValueError: If the file is anything else.

    Example:
        >>> import pathlib
        >>> text = "Index,Name\n0,Game\n1,Vehicle\n2,Game"
        >>> _ = pathlib.Path("vocabulary.csv").write_text(text)
        >>> yt8m.datasets.read_vocabulary("vocabulary.csv")
        {'game': None, 'vehicle': 1}
    """
    return label_reader.number_names(
        (index, name)
        for index, names in _read_classes(path)
        for name in filter(None, names)
    )


def name_classes(
    class_names: Mapping[int, str], num_classes: int
) -> tuple[str, ...]:
    """Puts names of classes in order.

    Example:
        >>> name_classes({0: "cat", 2: "dog"}, 3)
        ('cat', '1', 'dog')

    Args:
        class_names: A name for each class that has one.
        num_classes: How many classes there are.

    Returns:
        The names; of classes without one, their numbers.
    """
    return tuple(
        " ".join(class_names.get(index, "").split()) or str(index)
        for index in range(num_classes)
    )


def number_classes(class_names: Sequence[str]) -> dict[str, int | None]:
    """Finds classes by their names, as `read_vocabulary` does.

    Example:
        >>> number_classes(("cat", "Dog"))
        {'cat': 0, 'dog': 1}

    Args:
        class_names: The name of each class, in order.

    Returns:
        The class by name in lower case, None for a name of several classes.
    """
    return label_reader.number_names(enumerate(class_names))


def read_class_names(path: str) -> dict[int, str]:
    r"""Reads a name for each class, to show.

    Args:
        path: As of `read_vocabulary`.

    Returns:
        The first name of each class that has one, in the order `Name`,
        `label_name`, `display_name`, `mid`.

    Raises:
        ValueError: If the file is anything else.

    Example:
        >>> import pathlib
        >>> text = "Index,Name,Vertical1\n0,Game,Games\n1,Vehicle,Autos"
        >>> _ = pathlib.Path("vocabulary.csv").write_text(text)
        >>> yt8m.datasets.read_class_names("vocabulary.csv")
        {0: 'Game', 1: 'Vehicle'}
    """
    class_names: dict[int, str] = {}
    for index, names in _read_classes(path):
        for name in filter(None, names):
            class_names.setdefault(index, name)
    return class_names


def read_verticals(path: str) -> dict[str, list[int]]:
    r"""Reads which classes belong to which vertical, such as `Games`.

    Args:
        path: As of `read_vocabulary`; with columns `Vertical1`, `Vertical2` and
            `Vertical3`, as far as there are verticals.

    Returns:
        The classes of each vertical, rising, by its name; none where the file
        has no such column.

    Raises:
        ValueError: If the file is anything else.

    Example:
        >>> import pathlib
        >>> text = "Index,Name,Vertical1\n0,Game,Games\n1,Toy,Games\n2,Car,Cars"
        >>> _ = pathlib.Path("names.csv").write_text(text)
        >>> yt8m.datasets.read_verticals("names.csv")
        {'Cars': [2], 'Games': [0, 1]}
    """
    verticals: dict[str, set[int]] = {}
    for index, names in _read_classes(path, _VERTICAL_COLUMNS):
        for name in filter(None, names):
            verticals.setdefault(name, set()).add(index)
    return {name: sorted(verticals[name]) for name in sorted(verticals)}


def _read_classes(
    path: str, wanted: Sequence[str] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Yields each line's class and its names, or what it has of columns."""
    if path.lower().endswith(".txt"):
        text = untrusted.read_text(path, "a file of names", _MAX_TEXT_BYTES)
        for index, line in enumerate(text.splitlines()):
            if not line.strip():
                raise ValueError(
                    f"{path}: line {index + 1}: expected the name of class "
                    f"{index}. Received: an empty line"
                )
            yield index, [] if wanted else [line.strip()]
        return
    rows = csv_rows.read_rows(path)
    columns = [column.strip().lower() for column in rows[0][1]]
    indices = [columns.index(c) for c in _INDEX_COLUMNS if c in columns]
    names = [columns.index(c) for c in _NAME_COLUMNS if c in columns]
    shown = names
    if wanted:
        shown = [columns.index(c) for c in wanted if c in columns]
    if not indices or not names:
        raise ValueError(
            f"{path}: expected columns {' or '.join(_INDEX_COLUMNS)}, and "
            f"{' or '.join(_NAME_COLUMNS)}. Received: "
            f"{','.join(rows[0][1]):.80}"
        )
    for line, row in rows[1:]:
        if len(row) < len(columns):
            raise ValueError(
                f"{path}: line {line}: expected the {len(columns)} columns of "
                f"the first line. Received: {','.join(row):.80}"
            )
        index = csv_rows.parse_index(row[indices[0]])
        if index is None:
            raise ValueError(
                f"{path}: line {line}: expected the number of a class. "
                f"Received: {row[indices[0]]!r:.80}"
            )
        yield index, [row[column].strip() for column in shown]

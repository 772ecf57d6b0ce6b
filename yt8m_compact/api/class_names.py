"""Names of classes, however they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os

from yt8m_compact import datasets
from yt8m_compact import files
from yt8m_compact import presets

# A file, or the names themselves.
ClassNames = str | os.PathLike[str] | Sequence[str] | Mapping[int, str]


def read_class_names(
    names: ClassNames | None, num_classes: int
) -> tuple[str, ...] | None:
    """Reads the name of each class.

    Args:
        names: a name for each class, in order or by its number; a CSV file of
            them, as of `datasets.read_class_names`, or a text file with a name
            a line. None for those of YouTube-8M of 2018 where there are as
            many classes.
        num_classes: how many classes there are.

    Returns:
        The names; `class 7` of those that a dict or a CSV leaves out. None
        where none are known.

    Raises:
        ValueError: if there are more or fewer names, or the file is anything
            else.
    """
    if names is None:
        return presets.known_class_names(num_classes)
    if isinstance(names, (str, os.PathLike)):
        path = files.expand_user(os.fspath(names))
        if path.lower().endswith(".csv"):
            names = datasets.read_class_names(path)
        else:
            with open(path, encoding="utf-8") as file:
                names = file.read().splitlines()
    if isinstance(names, Mapping):
        outside = [index for index in names if not 0 <= index < num_classes]
        if outside:
            raise ValueError(
                f"expected names of {num_classes} classes, from 0 to "
                f"{num_classes - 1}. Received: a name of class {outside[0]}"
            )
        return tuple(
            names.get(index) or f"class {index}" for index in range(num_classes)
        )
    if len(names) != num_classes:
        raise ValueError(
            f"expected a name for each of {num_classes} classes. Received: "
            f"{len(names)} names"
        )
    return tuple(map(str, names))

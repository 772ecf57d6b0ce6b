"""The names of the classes, which programs show and write."""

from __future__ import annotations

from yt8m_compact import lazy
from yt8m_compact import presets

with lazy.imports():
    from yt8m_compact import datasets


def find(path: str | None, num_classes: int) -> tuple[str, ...] | None:
    """Reads the names of the classes.

    Args:
        path: a vocabulary, or None.
        num_classes: the number of classes.

    Returns:
        The names; those of YouTube-8M where there is no vocabulary and as many
        classes; else None.

    Raises:
        ValueError: if it is no vocabulary, or of other classes.
    """
    if path is None:
        return presets.known_class_names(num_classes)
    names = datasets.read_class_names(path)
    if not names or max(names) >= num_classes:
        raise ValueError(
            f"{path}: expected the names of the {num_classes} classes of the "
            f"run. Received: {len(names)} names, of classes up to "
            f"{max(names, default=None)}"
        )
    # What has no name is called by its number.
    return tuple(
        " ".join(names.get(index, "").split()) or str(index)
        for index in range(num_classes)
    )

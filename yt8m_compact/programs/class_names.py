"""The names of the classes, which programs show and write."""

from __future__ import annotations

from yt8m_compact import lazy
from yt8m_compact import presets
from yt8m_compact import readers

with lazy.imports():
    from yt8m_compact import datasets


def find(
    path: str | None, num_classes: int, trained: str | None = None
) -> tuple[str, ...] | None:
    """Reads the names of the classes.

    Args:
        path: a vocabulary, or None.
        num_classes: the number of classes.
        trained: the run, or what was exported of it, whose training data may
            have had names of classes.

    Returns:
        The names; where there is no vocabulary those of the run, or those of
        YouTube-8M if there are as many classes; else None.

    Raises:
        ValueError: if it is no vocabulary, or of other classes.
    """
    if path is None:
        found = trained and readers.find_class_names(trained, num_classes)
        return found or presets.known_class_names(num_classes)
    names = datasets.read_class_names(path)
    if not names or max(names) >= num_classes:
        raise ValueError(
            f"{path}: expected the names of the {num_classes} classes of the "
            f"run. Received: {len(names)} names, of classes up to "
            f"{max(names, default=None)}"
        )
    return datasets.name_classes(names, num_classes)

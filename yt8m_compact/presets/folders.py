"""Finds the presets: a folder each, of a packed model and its model card."""

import pathlib

from yt8m_compact import names as names_lib

# Before the name of a preset, in the place of the folder of a run.
PREFIX = "preset:"
_ROOT = pathlib.Path(__file__).parent
_CLASSES = {"yt8m_2018": "yt8m_2018_classes.txt"}
# Of the classes of 2018 and 2019, by their number.
_CLASSES_BY_NUMBER = {3862: "yt8m_2018_classes.txt"}


def names() -> tuple[str, ...]:
    """Lists the presets, sorted.

    Example:
        >>> yt8m.presets.names()
        ('yt8m_2018_video_100k', 'yt8m_2018_video_350k')
    """
    return tuple(
        sorted(path.parent.name for path in _ROOT.glob("*/config.json"))
    )


def folder(name: str) -> str:
    """Finds the folder of a preset.

    Args:
        name: the name of the preset, such as `yt8m_2018_video_350k`.

    Returns:
        The folder, of a packed model.

    Raises:
        ValueError: if there is no such preset; it lists those there are.

    Example:
        >>> import os
        >>> sorted(os.listdir(yt8m.presets.folder("yt8m_2018_video_350k")))
        ['README.md', 'config.json', 'weights.safetensors']
    """
    known = names()
    if name not in known:
        raise ValueError(
            f"expected a preset, one of {', '.join(known) or 'none'}. Received:"
            f" preset={name!r}{names_lib.suggestion(name, known)}"
        )
    return str(_ROOT / name)


def class_names(name: str) -> tuple[str, ...]:
    """Reads the names of the classes of a preset.

    Args:
        name: the name of the preset.

    Returns:
        The names, in the order of the scores.

    Raises:
        ValueError: if there is no such preset.

    Example:
        >>> yt8m.presets.class_names("yt8m_2018_video_350k")[:3]
        ('Game', 'Video game', 'Vehicle')
    """
    folder(name)
    file = next(
        file for prefix, file in _CLASSES.items() if name.startswith(prefix)
    )
    return _read(file)


def known_class_names(num_classes: int) -> tuple[str, ...] | None:
    """Reads the names of classes that are known by their number.

    Args:
        num_classes: how many classes there are.

    Returns:
        Those of YouTube-8M of 2018 for 3,862 classes; None for others.

    Example:
        >>> len(yt8m.presets.known_class_names(3862))
        3862
        >>> print(yt8m.presets.known_class_names(10))
        None
    """
    file = _CLASSES_BY_NUMBER.get(num_classes)
    return None if file is None else _read(file)


def _read(file: str) -> tuple[str, ...]:
    return tuple((_ROOT / file).read_text("utf-8").splitlines())

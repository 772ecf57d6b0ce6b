"""Bars that show how far long work is."""

from __future__ import annotations

from collections.abc import Sequence
import sys
from typing import Any

from yt8m_compact import lazy

with lazy.imports():
    import tqdm

    from yt8m_compact import readers


def video_bar(
    name: str, files: Sequence[str], *, total: int | None = None, **kwargs: Any
) -> tqdm.tqdm:
    """Makes a bar that counts videos; silent where nobody looks.

    Args:
        name: what is done.
        files: what is read; their size says about how many videos there are.
        total: the number of videos, if it is known.
        **kwargs: other arguments of `tqdm.tqdm`.

    Returns:
        The bar, to be used as a context manager or closed.
    """
    if total is None:
        total = readers.estimate_num_records(files)
    return tqdm.tqdm(
        desc=name, total=total, unit=" videos", disable=_disabled(), **kwargs
    )


def finish(bar: tqdm.tqdm) -> None:
    """Ends a bar: the number of videos is what was counted."""
    if not bar.disable:
        bar.total = bar.n
        bar.refresh()
    bar.close()


def byte_bar(name: str) -> tqdm.tqdm:
    """Makes a bar that counts bytes; silent where nobody looks.

    Args:
        name: what is done.

    Returns:
        The bar, to be used as a context manager or closed.
    """
    return tqdm.tqdm(
        desc=name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=_disabled(),
    )


def count_bar(name: str, total: int | None, unit: str) -> tqdm.tqdm:
    """Makes a bar that counts things of a known number, as `byte_bar`.

    Args:
        name: what is done.
        total: how many there are, None where that is not known.
        unit: what they are, with a space before it.

    Returns:
        The bar, to be used as a context manager or closed.
    """
    return tqdm.tqdm(desc=name, total=total, unit=unit, disable=_disabled())


def _disabled() -> bool | None:
    """Whether there is nowhere to show a bar; None where tqdm finds out."""
    return True if sys.stderr is None else None

"""Whole numbers of 4 bits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import integers


@dataclasses.dataclass(frozen=True)
class Int4(integers.Integers):
    """Codes -7 to 7, two to a byte."""

    levels: ClassVar[tuple[int, ...]] = tuple(range(-8, 8))
    _shares: ClassVar[tuple[float, ...]] = (1.0, 0.8, 0.63, 0.5, 0.4, 0.3)

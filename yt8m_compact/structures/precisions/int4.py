"""Whole numbers of 4 bits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import integers


@dataclasses.dataclass(frozen=True)
class Int4(integers.Integers):
    """Codes -7 to 7, two to a byte."""

    levels: ClassVar[tuple[int, ...]] = tuple(range(-7, 8))
    _normal_step: ClassVar[float] = 0.3352

"""Whole numbers of 8 bits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import integers


@dataclasses.dataclass(frozen=True)
class Int8(integers.Integers):
    """Codes -127 to 127, one to a byte."""

    levels: ClassVar[tuple[int, ...]] = tuple(range(-128, 128))
    _shares: ClassVar[tuple[float, ...]] = (1.0,)

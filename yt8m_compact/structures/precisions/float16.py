"""Floats of 16 bits: float16."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import half


@dataclasses.dataclass(frozen=True)
class Float16(half.Half):
    """11 bits of precision, from 6e-8 to 65504."""

    float_dtype: ClassVar[str] = "float16"

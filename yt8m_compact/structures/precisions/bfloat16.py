"""Floats of 16 bits: bfloat16."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import half


@dataclasses.dataclass(frozen=True)
class BFloat16(half.Half):
    """8 bits of precision, with the range of float32."""

    float_dtype: ClassVar[str] = "bfloat16"

"""Floats of 16 bits: float16."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures.precisions import half

with lazy.imports():
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Float16(half.Half):
    """11 bits of precision, from 6e-8 to 65504."""

    float_dtype: ClassVar[str] = "float16"

    def coded(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> coded_weight.CodedWeight:
        """Says of which codes a weight is made: its values."""
        halves = np.asarray(arrays[f"{spec.name}_bits"]).view(np.float16)
        ones = np.ones(spec.shape, np.float32)
        return coded_weight.CodedWeight(halves, ones)

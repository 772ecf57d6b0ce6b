"""What a weight of few bits is made of."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy

with lazy.imports():
    import numpy as np


@dataclasses.dataclass(frozen=True)
class CodedWeight:
    """A weight as `codes * scales`.

    Example:
        >>> codes = np.array([[2, -7]], np.int8)
        >>> scales = np.array([[0.5, 0.25]], np.float32)
        >>> yt8m.structures.CodedWeight(codes, scales).decode().tolist()
        [[1.0, -1.75]]

    Attributes:
        codes: int8 whole numbers, or floats of 16 bits; of the weight's shape.
        scales: float32, of that shape: 1 for floats.
    """

    codes: np.ndarray
    scales: np.ndarray

    def decode(self) -> np.ndarray:
        """Computes the weight, float32."""
        return self.codes.astype(np.float32) * self.scales

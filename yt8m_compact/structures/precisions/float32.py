"""32 bits a weight."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m_compact.structures.precisions import precision


@dataclasses.dataclass(frozen=True)
class Float32(precision.Precision):
    """32 bits a weight: what a structure without a precision has.

    A structure at float32 is the structure itself, so that nothing is ever
    rounded or packed by it.

    Example:
        >>> structure = yt8m.structures.LowRank(rank=16)
        >>> structure @ yt8m.structures.Float32() == structure
        True
    """

    def __post_init__(self) -> None:
        """Refuses to be packed, which other precisions can be."""
        super().__post_init__()
        if self.packed:
            raise ValueError(
                "expected a precision of fewer bits than float32 to be packed. "
                f"Received: packed={self.packed!r}"
            )

    def round(self, weight: Any, spec: Any) -> Any:
        """Returns the weight."""
        return weight

    def packed_specs(self, spec: Any) -> tuple[Any, ...]:
        """Returns what the weight is."""
        return (spec,)

    def pack(self, weight: Any, spec: Any) -> dict[str, Any]:
        """Returns the weight."""
        return {spec.name: weight}

    def unpack(self, arrays: dict[str, Any], spec: Any) -> Any:
        """Returns the weight."""
        return arrays[spec.name]

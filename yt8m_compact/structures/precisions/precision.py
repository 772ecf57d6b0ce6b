"""What every precision of weights can do."""

from __future__ import annotations

import abc
import dataclasses

from yt8m_compact import lazy
from yt8m_compact.structures import arguments
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Precision(abc.ABC):
    """In how many bits each weight of a structure is kept: a value.

    It stands behind a structure: `low_rank(rank=64)@int4`, in Python
    `LowRank(64) @ Int4()`. While a layer is trained its weights are floats, and
    the product is that of what they are rounded to; gradients pass the rounding
    as if it were not there (the straight-through estimator of Bengio et al.,
    https://arxiv.org/abs/1308.3432). Packed, the layer holds the bits alone,
    and can't be trained any more: what both multiply by is the same.

    Example:
        >>> precision = yt8m.structures.Int4(block_size=64)
        >>> structure = yt8m.structures.LowRank(rank=16) @ precision
        >>> str(structure)
        'low_rank(rank=16)@int4(block_size=64)'
        >>> [spec.dtype for spec in structure.packed().weights(1024, 512)]
        ['uint8', 'float16', 'uint8', 'float16']

    Attributes:
        packed: whether the layer holds the packed bits.

    Raises:
        ValueError: if an argument is wrong.
    """

    packed: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Checks every argument, by its type."""
        arguments.check(self)

    @classmethod
    def kind(cls) -> str:
        """Returns the name of the precision, as in text."""
        return cls.__name__.lower()

    def __str__(self) -> str:
        """Writes the precision as text, without arguments at their default."""
        return arguments.to_text(self.kind(), self)

    @abc.abstractmethod
    def round(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Rounds a weight to what its packed bits say.

        Args:
            weight: of the shape of `spec`, float32 or float64.
            spec: what the weight is: matrices have a scale for each column of
                outputs, vectors one for each row.

        Returns:
            The rounded values, of the shape and the dtype of `weight`, whose
            gradient is passed on to it as it is.
        """

    @abc.abstractmethod
    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored of a weight.

        Args:
            spec: what the weight is.

        Returns:
            The arrays, named after the weight.
        """

    @abc.abstractmethod
    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs a weight.

        Args:
            weight: of the shape of `spec`, any float dtype, finite.
            spec: what the weight is.

        Returns:
            The arrays of `packed_specs` by name.

        Raises:
            ValueError: if it has values beyond what can be stored.
        """

    @abc.abstractmethod
    def unpack(
        self,
        arrays: dict[str, tf.Tensor],
        spec: weight_spec.WeightSpec,
    ) -> tf.Tensor:
        """Unpacks a weight: the values of `round`, to the bit.

        Args:
            arrays: those of `packed_specs`, by name.
            spec: what the weight is.

        Returns:
            Of the shape of `spec`, float32.
        """

    def faults(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> dict[str, str]:
        """Says what is wrong with arrays that anyone may have written.

        Args:
            arrays: of the shapes and dtypes of `packed_specs`, by name.
            spec: what the weight is.

        Returns:
            By the name of an array what it holds that `pack` never writes;
            floats that are not finite are left to the caller.
        """
        del arrays, spec
        return {}

    def coded(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> coded_weight.CodedWeight | None:
        """Says of which codes a weight is made.

        Args:
            arrays: those of `packed_specs`, by name.
            spec: what the weight is.

        Returns:
            The codes and scales of the values of `unpack`; None for what is
            made otherwise.
        """
        del arrays, spec
        return None


def packed_spec(
    spec: weight_spec.WeightSpec,
    suffix: str,
    shape: tuple[int, ...],
    dtype: str,
) -> weight_spec.WeightSpec:
    """Describes an array that is stored of a weight.

    Args:
        spec: what the weight is.
        suffix: what its name ends with.
        shape: its shape.
        dtype: its dtype.

    Returns:
        The description.
    """
    return weight_spec.WeightSpec(
        f"{spec.name}_{suffix}",
        shape,
        start=weight_spec.Start.PACKED,
        trained=False,
        dtype=dtype,
    )

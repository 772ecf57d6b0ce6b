"""Weights of a few levels, a scale for each block of values."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures.precisions import precision

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops


@dataclasses.dataclass(frozen=True)
class Blocks(precision.Precision):
    """Each weight is a whole number, its code, times the scale of its block.

    A block is a column of a matrix, which is an output of it, or a row of
    vectors, such as the first columns of circulants; or `block_size` values of
    such in a row. Scales are chosen to make the squared error small, and kept
    in float16, to which they are rounded before codes are chosen.

    Stored of each weight: its codes, several to a byte, and the scales.

    Attributes:
        block_size: how many values share a scale; None is all of a column or
            row.
    """

    # The values of codes, from the smallest.
    levels: ClassVar[tuple[int, ...]]

    block_size: int | None = None

    def _shape(self, spec: weight_spec.WeightSpec) -> tuple[int, int, int]:
        """Sees a weight as `[rows, length, columns]`, cut along its length."""
        axis = -2 if spec.is_matrix else -1
        columns = spec.shape[-1] if spec.is_matrix else 1
        rows = math.prod(spec.shape[:axis])
        return rows, spec.shape[axis], columns

    def _block_shape(self, spec: weight_spec.WeightSpec) -> tuple[int, int]:
        """Counts the blocks of a length, and the values of a full one."""
        _, length, _ = self._shape(spec)
        size = min(self.block_size or length, length)
        return -(-length // size), size

    def _scale_shape(self, spec: weight_spec.WeightSpec) -> tuple[int, ...]:
        rows, _, columns = self._shape(spec)
        return rows, self._block_shape(spec)[0], columns

    def _to_blocks(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Returns `[rows, blocks, size, columns]`, zeros behind the last."""
        rows, length, columns = self._shape(spec)
        blocks, size = self._block_shape(spec)
        cube = tf.reshape(weight, [rows, length, columns])
        if blocks * size > length:
            cube = tf.pad(cube, [[0, 0], [0, blocks * size - length], [0, 0]])
        return tf.reshape(cube, [rows, blocks, size, columns])

    def _from_blocks(
        self, blocks: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        rows, length, columns = self._shape(spec)
        cube = tf.reshape(blocks, [rows, -1, columns])[:, :length]
        return tf.reshape(cube, spec.shape)

    def _counts(self, spec: weight_spec.WeightSpec) -> np.ndarray:
        """Returns how many values each block has, `[blocks, 1, 1]`."""
        _, length, _ = self._shape(spec)
        blocks, size = self._block_shape(spec)
        counts = np.full(blocks, size)
        counts[-1] = length - (blocks - 1) * size
        return counts[:, np.newaxis, np.newaxis]

    @abc.abstractmethod
    def _scales(self, blocks: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
        """Chooses scales.

        Args:
            blocks: `[rows, blocks, size, columns]`, float32, 0 where a block
                has fewer values.
            counts: `[blocks, 1, 1]`, how many it has.

        Returns:
            `[rows, blocks, 1, columns]`, at least 0.
        """

    @abc.abstractmethod
    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        """Chooses the codes: whole numbers as float32, any where a scale is 0.

        Args:
            blocks: `[rows, blocks, size, columns]`, float32.
            scales: `[rows, blocks, 1, columns]`, float32.
        """

    def _encode(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns codes and scales, both as blocks in float32."""
        blocks = self._to_blocks(tf.cast(weight, tf.float32), spec)
        scales = self._scales(blocks, self._counts(spec))
        # As bits: XLA may leave a cast to 16 bits and back out.
        bits = tf.bitcast(tf.cast(scales, tf.float16), tf.uint16)
        scales = tf.cast(tf.bitcast(bits, tf.float16), tf.float32)
        return self._codes(blocks, scales), scales

    def round(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Rounds a weight to what its packed bits say."""
        codes, scales = self._encode(weight, spec)
        return tf.cast(self._from_blocks(codes * scales, spec), weight.dtype)

    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored of a weight: codes and scales."""
        size = ops.packed_size(spec.size, len(self.levels))
        return (
            precision.packed_spec(spec, "codes", (size,), "uint8"),
            precision.packed_spec(
                spec, "scales", self._scale_shape(spec), "float16"
            ),
        )

    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs a weight."""
        codes, scales = self._encode(tf.constant(weight), spec)
        if not np.isfinite(scales).all():
            raise ValueError(
                f"expected weights whose scales are within the range of "
                f"float16. Received: {spec.name}, largest "
                f"{float(np.abs(weight).max())}"
            )
        numbers = self._from_blocks(codes, spec).numpy().astype(np.int64)
        return {
            f"{spec.name}_codes": ops.pack_codes(
                np.searchsorted(self.levels, numbers.ravel()), len(self.levels)
            ),
            f"{spec.name}_scales": tf.squeeze(scales, 2)
            .numpy()
            .astype(np.float16),
        }

    def unpack(
        self, arrays: dict[str, tf.Tensor], spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Unpacks a weight."""
        levels = tf.constant(self.levels, tf.float32)
        codes = ops.unpack_codes(
            arrays[f"{spec.name}_codes"], spec.size, levels
        )
        blocks = self._to_blocks(tf.reshape(codes, spec.shape), spec)
        scales = tf.cast(arrays[f"{spec.name}_scales"], tf.float32)
        return self._from_blocks(blocks * tf.expand_dims(scales, 2), spec)

    def faults(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> dict[str, str]:
        """Finds bytes that no codes make."""
        name = f"{spec.name}_codes"
        number = len(self.levels)
        largest = number ** ops.codes_per_byte(number) - 1
        found = arrays[name].max()
        if found <= largest:
            return {}
        return {name: f"a byte of {found}, where {largest} is the largest"}

    def coded(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> coded_weight.CodedWeight:
        """Says of which codes a weight is made."""
        levels = tf.constant(self.levels, tf.float32)
        codes = ops.unpack_codes(
            arrays[f"{spec.name}_codes"], spec.size, levels
        )
        scales = tf.cast(arrays[f"{spec.name}_scales"], tf.float32)
        rows, _, columns = self._shape(spec)
        blocks, size = self._block_shape(spec)
        scales = tf.broadcast_to(
            tf.expand_dims(scales, 2), [rows, blocks, size, columns]
        )
        return coded_weight.CodedWeight(
            codes.numpy().astype(np.int8).reshape(spec.shape),
            self._from_blocks(scales, spec).numpy(),
        )


def divided(values: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
    """Divides values by their scales.

    Args:
        values: of blocks.
        scales: that broadcast to them, at least 0.

    Returns:
        The quotients, 0 where a scale is 0.
    """
    return tf.math.divide_no_nan(values, scales)


def least_squares(blocks: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Computes the scales that make the squared error of codes smallest.

    Args:
        blocks: `[rows, blocks, size, columns]`.
        codes: of the same shape.

    Returns:
        `[rows, blocks, 1, columns]`, `<w, q> / <q, q>`, 0 where all codes are.
    """
    products = tf.reduce_sum(blocks * codes, axis=2, keepdims=True)
    squares = tf.reduce_sum(codes * codes, axis=2, keepdims=True)
    return divided(products, squares)

"""A matrix whose entries share weights by a hash."""

from __future__ import annotations

import dataclasses
import math

from yt8m_compact import lazy
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops


@dataclasses.dataclass(frozen=True)
class Hashed(structure.Structure):
    """`W[i, j] = sign(i, j) * kernel[bucket(i, j)]`.

    A hash of its row and column gives each entry a bucket and a sign. The hash
    is whole-number arithmetic (`ops.hashed_buckets` writes it down), the same
    everywhere and always, so that nothing of it is stored.

    Weights: `num_buckets`. It saves weights and nothing else: a product hashes
    every entry and multiplies by the matrix written out, so that it never
    beats dense in time, and needs its memory while it runs. `nearest` is
    exact: the mean of each bucket; with second moments to about six places, by
    conjugate gradients, which takes minutes for thousands of units.

    Example:
        >>> structure = yt8m.structures.Hashed()
        >>> structure.num_weights(1024, 512), 1024 * 512
        (8192, 524288)
        >>> weights = {"kernel": np.array([1.0, 2.0, 3.0, 4.0])}
        >>> structure = yt8m.structures.Hashed(num_buckets=4)
        >>> structure.as_array(weights, 2, 3).tolist()
        [[1.0, -4.0, 2.0], [-3.0, -1.0, 4.0]]

    Attributes:
        num_buckets: the number of weights; None is a 64th of those of dense,
            `ceil(input_dim * units / 64)`.

    Reference:
        Chen et al., Compressing neural networks with the hashing trick,
        https://arxiv.org/abs/1504.04788.
    """

    num_buckets: int | None = None

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        num_buckets = self.num_buckets
        if num_buckets is None:
            num_buckets = math.ceil(input_dim * units / 64)
        return (weight_spec.WeightSpec("kernel", (num_buckets,)),)

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        dense = ops.hashed_kernel(weights["kernel"], x.shape[-1], units)
        return structure.matmul(x, dense)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.hashed_kernel(weights["kernel"], input_dim, units)

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        ((num_buckets,),) = (s.shape for s in self.weights(*kernel.shape))
        buckets = ops.hashed_buckets(*kernel.shape, num_buckets)
        counts = np.bincount(
            buckets.numpy().ravel() % num_buckets, minlength=num_buckets
        )
        sums = ops.sum_by_bucket(tf.constant(kernel), num_buckets).numpy()
        return {"kernel": sums / np.maximum(counts, 1)}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `input_dim * units` multiply-adds a row, as dense."""
        return input_dim * units

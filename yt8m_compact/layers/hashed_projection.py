"""Projection by a matrix whose entries share weights by a hash."""

import math
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class HashedProjection(projection.Projection):
    """Computes `activation(x @ W + b)` with entries of `W` that share weights.

    A hash of its row and column gives each entry a bucket and a sign: `W[i, j]
    = sign(i, j) * kernel[bucket(i, j)]`. The hash is whole-number arithmetic
    (`ops.hashed_buckets` writes it down), the same everywhere and always, so
    that nothing of it is stored.

    Weights: `num_buckets`, and `units` for the bias. It saves weights and
    nothing else: the layer hashes every entry and multiplies by the matrix
    written out in every step, so that it never beats Dense in time, and needs
    its memory while it runs.

    `from_dense` is exact: the mean of each bucket.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      num_buckets: the number of weights; None is a 64th of those of Dense,
        `ceil(input_dim * units / 64)`.
      **kwargs: the arguments of `Projection`, by name.

    Raises:
      ValueError: if `units` or `num_buckets` is not a positive int.

    Example:
      >>> layer = HashedProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 8192)

    Reference:
      Chen et al., Compressing neural networks with the hashing trick,
      https://arxiv.org/abs/1504.04788.
    """

    options: ClassVar[tuple[str, ...]] = ("num_buckets",)

    def __init__(
        self,
        units: int,
        *args: Any,
        num_buckets: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        if num_buckets is not None:
            projection.check_positive("num_buckets", num_buckets)
        self.num_buckets = num_buckets

    def _build_kernel(self, input_dim: int) -> None:
        num_buckets = self.num_buckets
        if num_buckets is None:
            num_buckets = math.ceil(input_dim * self.units / 64)
        self.kernel = self._add_kernel_weight("kernel", (num_buckets,))

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        dense = ops.hashed_kernel(kernel, self.input_dim, self.units)
        return keras.ops.matmul(x, dense)

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.hashed_kernel(
            tf.convert_to_tensor(self.kernel), self.input_dim, self.units
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        num_buckets = self.kernel.shape[0]
        buckets = ops.hashed_buckets(self.input_dim, self.units, num_buckets)
        counts = np.bincount(
            buckets.numpy().ravel() % num_buckets, minlength=num_buckets
        )
        sums = ops.sum_by_bucket(tf.constant(kernel), num_buckets).numpy()
        self.kernel.assign(sums / np.maximum(counts, 1))

    @property
    def multiply_adds(self) -> int:
        """Counts `input_dim * units` multiply-adds a row, as Dense."""
        self._check_built()
        return self.input_dim * self.units

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_buckets": self.num_buckets}

"""Projection by a sum of structured matrices."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.layers import initializers
from yt8m_compact.layers import projection
from yt8m_compact.layers import single_kinds

_MAX_SWEEPS = 6
# A sweep has to lower the error by so much to be followed by another.
_TOLERANCE = 0.01


@keras.saving.register_keras_serializable(package="yt8m_compact")
class SumProjection(projection.Projection):
    """Computes `activation(x @ (W_1 + ... + W_k) + b)`.

    Each `W` is that of a projection of its own kind, a sublayer named as the
    kind, with the same initialiser, regulariser and constraint. A Glorot, He
    or LeCun initialiser gives each part its share of the output's variance,
    `1 / k`.

    Weights: those of all parts, and `units` for the bias. The time is the sum
    of theirs too: slower than Dense where one of them is.

    `from_dense` takes turns: each part is set as close as it can to what the
    others leave of the kernel, starting with each of them in turn, and the
    best result is kept. That is a local minimum, about, and never worse than
    any of the parts alone.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      kinds: the kinds of the parts, keys of `single_kinds.SINGLE_KINDS`.
      **kwargs: the arguments of `Projection`, by name, and the options of the
        kinds; each goes to those parts that have it.

    Raises:
      ValueError: if there are no kinds, a kind is unknown or there twice, or
        `units` or an option is wrong.

    Example:
      >>> layer = SumProjection(
      ...     512, kinds=("toeplitz", "low_rank"), rank=4, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 7679)
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        kinds: Sequence[str] = ("low_rank", "diagonal_circulant"),
        **kwargs: Any,
    ) -> None:
        kinds = tuple(kinds)
        classes = single_kinds.SINGLE_KINDS
        unknown = [kind for kind in kinds if kind not in classes]
        if not kinds or unknown or len(set(kinds)) < len(kinds):
            raise ValueError(
                "expected one or more different kinds, of "
                f"{', '.join(classes)}. Received: kinds={kinds}"
            )
        known = {
            name
            for kind in kinds
            for name in single_kinds.SINGLE_KINDS[kind].options
        }
        self._part_options = {
            name: kwargs.pop(name) for name in known & set(kwargs)
        }
        super().__init__(units, *args, **kwargs)
        self.kinds = kinds
        self.parts = [self._make_part(index) for index in range(len(kinds))]

    def _make_part(self, index: int) -> projection.Projection:
        kind = self.kinds[index]
        cls = single_kinds.SINGLE_KINDS[kind]
        initializer = self.kernel_initializer
        if index:
            initializer = initializers.reseeded(initializer, kind)
        return cls(
            self.units,
            use_bias=False,
            kernel_initializer=initializers.scaled(
                initializer, 1 / len(self.kinds)
            ),
            kernel_regularizer=self.kernel_regularizer,
            kernel_constraint=self.kernel_constraint,
            name=kind,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            **{
                name: value
                for name, value in self._part_options.items()
                if name in cls.options
            },
        )

    def _build_kernel(self, input_dim: int) -> None:
        for part in self.parts:
            part.build((None, input_dim))

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return sum(part(x) for part in self.parts)

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return tf.add_n([part.as_dense_kernel() for part in self.parts])

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        best, best_error = None, np.inf
        for first in range(len(self.parts)):
            for part in self.parts:
                part.assign_dense(np.zeros(kernel.shape))
            last = np.inf
            for _ in range(_MAX_SWEEPS):
                for index in range(len(self.parts)):
                    part = self.parts[(first + index) % len(self.parts)]
                    others = self._dense_array() - _dense_array(part)
                    part.assign_dense(kernel - others)
                    error = float(np.sum((self._dense_array() - kernel) ** 2))
                    if error < best_error:
                        best_error = error
                        best = [part.get_weights() for part in self.parts]
                if error == 0 or error > (1 - _TOLERANCE) * last:
                    break
                last = error
        for part, weights in zip(self.parts, best, strict=True):
            part.set_weights(weights)

    def _dense_array(self) -> np.ndarray:
        return sum(_dense_array(part) for part in self.parts)

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of all parts."""
        self._check_built()
        return sum(part.multiply_adds for part in self.parts)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kinds": list(self.kinds),
            **self._part_options,
        }


def _dense_array(part: projection.Projection) -> np.ndarray:
    return part.as_dense_kernel().numpy().astype(np.float64)


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LowRankPlusCirculantProjection(SumProjection):
    """Computes `activation(x @ (L @ R + W) + b)`.

    The sum of a `LowRankProjection` and a `DiagonalCirculantProjection` W:
    what all inputs share and what each has of its own. At the same number of
    weights it is more accurate than a low rank alone.

    Weights: those of both parts, `r * (input_dim + units)` for the smallest r
    of `rank`, `input_dim` and `units`, and `2 * m * B * n` or, with shared
    diagonals, `m * (B + 1) * n` for m factors of B blocks of n; and `units`
    for the bias. Where the low rank alone is slower than Dense (a rank above
    about half of a square's size), or an input of less than about 200 values
    makes the other part a dense product, this is slower than Dense.

    `from_dense`: see `SumProjection`; never worse than either part alone.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      rank: see `LowRankProjection`.
      num_factors: see `DiagonalCirculantProjection`.
      shared_diagonal: see `DiagonalCirculantProjection`.
      **kwargs: the arguments of `Projection`, by name.

    Raises:
      ValueError: if `units`, `rank` or `num_factors` is not a positive int.

    Example:
      >>> layer = LowRankPlusCirculantProjection(512, rank=16, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 26624)
    """

    options: ClassVar[tuple[str, ...]] = (
        "rank",
        "num_factors",
        "shared_diagonal",
    )

    def __init__(
        self,
        units: int,
        *args: Any,
        rank: int = 32,
        num_factors: int = 1,
        shared_diagonal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            *args,
            kinds=("low_rank", "diagonal_circulant"),
            rank=rank,
            num_factors=num_factors,
            shared_diagonal=shared_diagonal,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["kinds"]
        return config

"""Initialisers that structured projections need beside those of Keras."""

from collections.abc import Callable, Sequence
import dataclasses
import math
from typing import Any
import zlib

import keras
from keras import initializers
import numpy as np

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RandomSign(initializers.Initializer):
    """Draws +1 or -1, each with probability 1/2.

    The start of the diagonals of a diagonal-circulant projection (Araujo et
    al., https://arxiv.org/abs/1901.10255, section 4): it leaves the variance
    of the product to the circulant.

    Example:
        >>> np.unique(yt8m.layers.RandomSign(seed=0)([100]))
        array([-1.,  1.], dtype=float32)

    Args:
        seed: int or None; the same int gives the same signs.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Draws a tensor.

        Args:
            shape: the shape to draw.
            dtype: the dtype of the result, float32 if None.

        Returns:
            A tensor of +1 and -1.
        """
        uniform = initializers.RandomUniform(-1.0, 1.0, seed=self.seed)
        draws = uniform(shape, dtype="float32")
        signs = keras.ops.where(draws >= 0.0, 1.0, -1.0)
        return keras.ops.cast(signs, dtype or keras.backend.floatx())

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RandomPermutation(initializers.Initializer):
    """Draws a permutation of 0, 1, ..., n - 1 for each row.

    Args:
        seed: int or None; the same int gives the same permutations.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Draws a tensor.

        Args:
            shape: the shape to draw; rows are its last axis.
            dtype: the dtype of the result, int32 if None.

        Returns:
            A tensor of permutations.
        """
        uniform = initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        order = keras.ops.argsort(uniform(shape, dtype="float32"), axis=-1)
        return keras.ops.cast(order, dtype or "int32")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RandomPositions(initializers.Initializer):
    """Draws where the entries of a sparse matrix are, sorted.

    Args:
        rows: rows of the matrix.
        columns: its columns.
        kept: how many entries are kept: of the matrix, or of each group.
        group: size of the groups of a column; None for no groups.
        seed: int or None; the same int gives the same positions.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        kept: int,
        group: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.pattern = ops.PositionPattern(rows, columns, kept, group)
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Draws a tensor.

        Args:
            shape: the shape to draw, `[count]` of the positions.
            dtype: the dtype of the result, that of the positions if None.

        Returns:
            A tensor of positions.
        """
        pattern = self.pattern
        if tuple(shape) != (pattern.count,):
            raise ValueError(
                f"expected the shape of {pattern.count} positions. Received: "
                f"shape={tuple(shape)}"
            )
        uniform = initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        scores = uniform((pattern.rows, pattern.columns), dtype="float32")
        positions = ops.largest_positions(scores, pattern)
        return keras.ops.cast(positions, dtype or pattern.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**dataclasses.asdict(self.pattern), "seed": self.seed}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FanOutNormal(initializers.Initializer):
    """Draws from a normal distribution of stddev `1 / sqrt(fan_out)`.

    What the paper's released code starts its weights from: the circulants and
    the diagonals alike, whatever the number of factors. In a projection the
    fan is `units`, whatever the shape of the weight (`for_dense_shape`), and
    products of factors do not rescale it, so that outputs do not keep the
    variance of the inputs.

    Its follow-up (https://arxiv.org/abs/1901.10255, section 4) starts with
    `c ~ N(0, sqrt(2 / n))` for circulants of size n, which is
    `keras.initializers.RandomNormal(stddev=math.sqrt(2 / n))`, and diagonals of
    random signs, the default here.

    Example:
        >>> layer = yt8m.layers.Projection(
        ...     100,
        ...     "diagonal_circulant",
        ...     kernel_initializer=yt8m.layers.FanOutNormal(seed=0),
        ...     diagonal_initializer=yt8m.layers.FanOutNormal(seed=1),
        ... )
        >>> layer.build([None, 8192])
        >>> round(float(np.std(layer.diagonal)), 2)  # 1 / sqrt(100)
        0.1

    Args:
        seed: int or None; the same int gives the same values. Give circulants
            and diagonals seeds of their own: they would be alike.

    Reference:
        Araujo et al., https://arxiv.org/abs/1810.01140, and its code.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Draws a tensor.

        Args:
            shape: the shape to draw; its last axis is the fan.
            dtype: the dtype of the result, Keras's default if None.

        Returns:
            A tensor of normal values.
        """
        return self.for_fan_out(shape[-1])(shape, dtype)

    def for_fan_out(self, fan_out: int) -> initializers.Initializer:
        """Fixes the fan.

        Args:
            fan_out: columns of the dense kernel.

        Returns:
            An initialiser that does not read the shape.
        """
        return initializers.RandomNormal(
            stddev=1 / math.sqrt(fan_out), seed=self.seed
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LogOdds(initializers.Initializer):
    """Fills biases with the log-odds of probabilities, `log(p / (1 - p))`.

    A sigmoid of a bias starts at its probability.

    Example:
        >>> layer = yt8m.layers.Projection(
        ...     2,
        ...     activation="sigmoid",
        ...     bias_initializer=yt8m.layers.LogOdds([0.5, 0.01]),
        ... )
        >>> np.round(layer(np.zeros([1, 8])), 3)
        array([[0.5 , 0.01]], dtype=float32)

    Args:
        probabilities: `[n]`, above 0 and below 1. Where there are several
            biases for each, those of one stand side by side.

    Raises:
        ValueError: if they are no vector of such values, or a shape to fill is
            none of a multiple of n.
    """

    def __init__(self, probabilities: Any) -> None:
        values = np.asarray(probabilities, np.float64)
        if values.ndim != 1 or not ((values > 0) & (values < 1)).all():
            raise ValueError(
                "expected a vector of probabilities in (0, 1). Received: "
                f"shape={values.shape}, probabilities={values}"
            )
        self.probabilities = values

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Any:
        """Computes the values.

        Args:
            shape: the shape to fill, `[n * k]`.
            dtype: the dtype of the result, Keras's default if None.

        Returns:
            A tensor, with each of the n log-odds k times.
        """
        size = self.probabilities.size
        if len(shape) != 1 or shape[0] % size:
            raise ValueError(
                f"expected a shape of one axis, a multiple of {size}. "
                f"Received: shape={tuple(shape)}"
            )
        odds = np.log(self.probabilities) - np.log1p(-self.probabilities)
        return keras.ops.convert_to_tensor(
            np.repeat(odds, shape[0] // size), dtype or keras.backend.floatx()
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"probabilities": self.probabilities.tolist()}


def reseeded(
    initializer: initializers.Initializer, name: str
) -> initializers.Initializer:
    """Gives a second weight of the same initialiser other values.

    A Keras initialiser draws the same values each time, by its seed or by one
    that it has drawn itself. Two factors of a product must not be alike.

    Args:
        initializer: any Keras initialiser.
        name: of the second weight; other names give other values.

    Returns:
        One like it with another seed, or `initializer` itself if it has no
        whole number for a seed.
    """
    seed = getattr(initializer, "seed", None)
    if not isinstance(seed, int):
        return initializer
    seed = (seed ^ zlib.crc32(name.encode())) & 0x7FFFFFFF
    config = {**initializer.get_config(), "seed": seed}
    return type(initializer).from_config(config)


def for_dense_shape(
    initializer: initializers.Initializer,
    fan_in: int,
    fan_out: int,
    stddev_of_part: Callable[[float], float] = lambda stddev: stddev,
) -> initializers.Initializer:
    """Rewrites a variance-scaling initialiser for a structured kernel.

    Glorot, He and LeCun initialisers read the fans from the shape they fill.
    The shape of a structured kernel (`[blocks, n]`, say) says nothing of its
    fans, so they are taken from the dense kernel `[fan_in, fan_out]` that it
    stands for. Every entry of a circulant's dense kernel is one entry of its
    vector, so that the outputs have the variance that Dense would give.

    Args:
        initializer: any Keras initialiser.
        fan_in: rows of the dense kernel.
        fan_out: columns of the dense kernel.
        stddev_of_part: from the standard deviation that the entries of the
            dense kernel should have to that of the weights to fill, where the
            kernel is a product or a sum of several of them.

    Returns:
        An initialiser with the same distribution and a fixed scale, or
        `initializer` itself if it does not scale with the fans. `FanOutNormal`
        gets its fan, but no other standard deviation for parts.
    """
    if isinstance(initializer, FanOutNormal):
        return initializer.for_fan_out(fan_out)
    if not isinstance(initializer, initializers.VarianceScaling):
        return initializer
    fans = {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "fan_avg": (fan_in + fan_out) / 2,
    }
    stddev = math.sqrt(initializer.scale / fans[initializer.mode])
    stddev = stddev_of_part(stddev)
    if initializer.distribution == "uniform":
        limit = math.sqrt(3.0) * stddev
        return initializers.RandomUniform(-limit, limit, seed=initializer.seed)
    if initializer.distribution == "untruncated_normal":
        return initializers.RandomNormal(stddev=stddev, seed=initializer.seed)
    # The stddev of a standard normal cut at +-2, as in Keras.
    stddev /= 0.87962566103423978
    return initializers.TruncatedNormal(stddev=stddev, seed=initializer.seed)

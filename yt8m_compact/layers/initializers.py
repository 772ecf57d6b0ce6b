"""Initialisers that structured projections need beside those of Keras."""

from collections.abc import Callable
import math
from typing import Any

import keras
from keras import initializers


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RandomSign(initializers.Initializer):
    """Draws +1 or -1, each with probability 1/2.

    The start of the diagonals of a diagonal-circulant projection (Araujo et
    al., https://arxiv.org/abs/1901.10255, section 4): it leaves the variance
    of the product to the circulant.

    Args:
      seed: int or None; the same int gives the same signs.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape, dtype=None) -> Any:
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
      `initializer` itself if it does not scale with the fans.
    """
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

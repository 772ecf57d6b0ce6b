"""Projection by blocks of fixed random signs and circulants."""

from typing import Any, ClassVar

import keras

from yt8m_compact.layers import diagonal_circulant_projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class SignCirculantProjection(
    diagonal_circulant_projection.DiagonalCirculantProjection
):
    """Computes `activation(x @ [W_1, ..., W_B][:, :units] + b)`.

    As `DiagonalCirculantProjection`, but the diagonals are random signs that
    are not learned. They are non-trainable weights: stored with the model,
    and so the same wherever it runs and on every replica. By default all
    blocks share them, as in Cheng et al., who flip signs as a step before.

    Trained weights: `m * B * n`, and `units` for the bias; the signs are `m *
    n` more, or `m * B * n` if they are not shared.

    `from_dense` keeps the signs. It is exact for one factor, and a local
    minimum, by alternating least squares, for several.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      num_factors: the number m of factors.
      shared_diagonal: whether all blocks have the same signs.
      **kwargs: the arguments of `CirculantProjection`, by name.

    Example:
      >>> layer = SignCirculantProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 8192])).shape, layer.count_params()
      (TensorShape([2, 512]), 16384)

    Reference:
      Cheng et al., An exploration of parameter redundancy in deep networks
      with circulant projections, https://arxiv.org/abs/1502.03436.
    """

    _learns_diagonal: ClassVar[bool] = False

    def __init__(
        self,
        units: int,
        *args: Any,
        shared_diagonal: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, *args, shared_diagonal=shared_diagonal, **kwargs
        )

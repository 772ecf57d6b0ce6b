"""What projections with learned diagonals share."""

from typing import Any

import keras
from keras import constraints
from keras import initializers as keras_initializers
from keras import regularizers

from yt8m_compact.layers import initializers
from yt8m_compact.layers import projection


class DiagonalProjection(projection.Projection):
    """Has diagonals beside the weights that carry the variance.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      diagonal_initializer: initialiser of the diagonals; None draws random
        signs, which leaves the output's variance to `kernel_initializer`.
      diagonal_regularizer: regulariser of the diagonals; None is
        `kernel_regularizer`, since they are weights of `W` too.
      diagonal_constraint: constraint on the diagonals; None is
        `kernel_constraint`.
      **kwargs: the arguments of `Projection`, by name.
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        diagonal_initializer: Any = None,
        diagonal_regularizer: Any = None,
        diagonal_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        if diagonal_initializer is None:
            diagonal_initializer = initializers.RandomSign()
        self.diagonal_initializer = keras_initializers.get(diagonal_initializer)
        self.diagonal_regularizer = regularizers.get(diagonal_regularizer)
        self.diagonal_constraint = constraints.get(diagonal_constraint)

    def _add_diagonal(
        self, name: str, shape: tuple[int, ...], reseed: bool = False
    ) -> keras.Variable:
        return self._add_kernel_weight(
            name,
            shape,
            initializer=self.diagonal_initializer,
            regularizer=self.diagonal_regularizer,
            constraint=self.diagonal_constraint,
            reseed=reseed,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "diagonal_initializer": keras_initializers.serialize(
                self.diagonal_initializer
            ),
            "diagonal_regularizer": regularizers.serialize(
                self.diagonal_regularizer
            ),
            "diagonal_constraint": constraints.serialize(
                self.diagonal_constraint
            ),
        }

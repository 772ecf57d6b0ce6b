"""What the cells of recurrent layers have in common."""

import abc
from typing import Any, ClassVar

import keras

from yt8m_compact import structures
from yt8m_compact.layers import projection


class RecurrentCell(keras.layers.Layer, abc.ABC):
    """A step of `keras.layers.RNN` whose projections can be compact.

    The inputs were projected to the gates before, for all steps at once; the
    cell projects the state to the gates. A subclass computes one from both.

    Example:
        >>> cell = yt8m.layers.LstmCell(64, "circulant")
        >>> isinstance(cell, yt8m.layers.RecurrentCell)
        True
        >>> cell.num_gates, cell.state_size, str(cell.structure)
        (4, [64, 64], 'circulant')

    Args:
        units: int, size of the state.
        structure: how the matrix from the state to the gates is made: a
            `structures.Structure` or its text.
        **kwargs: the arguments of `keras.layers.Layer`.

    Attributes:
        num_gates: int, of a subclass: how many gates there are.

    Input shape:
        Float `[batch, num_gates * units]`, and the state: a list of `[batch,
        units]`, as many as `state_size` has sizes.

    Output shape:
        `[batch, units]`, and the state after the step, as before it.

    Raises:
        ValueError: if `units` is not a positive int, the structure is unknown,
            or an input has another size.
    """

    num_gates: ClassVar[int]

    def __init__(
        self,
        units: int,
        structure: str | structures.Structure = "dense",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = structures.check_positive("units", units)
        structure = structures.get(structure)
        # As in Keras. What is not dense has no orthogonal start of its own.
        initializer = keras.initializers.VarianceScaling(
            mode="fan_in", distribution="untruncated_normal"
        )
        dense = isinstance(structure.base, structures.Dense)
        self.recurrent_projection = projection.Projection(
            self.num_gates * units,
            structure,
            use_bias=False,
            kernel_initializer="orthogonal" if dense else initializer,
            dtype=self.dtype_policy,
            name="recurrent",
        )
        self.output_size = units

    @property
    def structure(self) -> structures.Structure:
        """How the matrix from the state to the gates is made, now."""
        return self.recurrent_projection.structure

    @property
    @abc.abstractmethod
    def state_size(self) -> list[int]:
        """Sizes of the parts of the state, the output first."""

    @abc.abstractmethod
    def _add_bias(self) -> None:
        """Adds the bias of the gates."""

    def build(self, input_shape) -> None:
        size = self.num_gates * self.units
        if input_shape[-1] != size:
            raise ValueError(
                f"expected {size} values for {self.num_gates} gates of "
                f"{self.units} units. Received: input_shape={input_shape}"
            )
        self.recurrent_projection.build((None, self.units))
        self._add_bias()
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "structure": str(self.structure),
        }

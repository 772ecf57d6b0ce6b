"""The interface that every projection shares with `keras.layers.Dense`."""

import abc
from typing import Any

import keras
from keras import activations
from keras import constraints
from keras import initializers
from keras import regularizers
import tensorflow as tf


class Projection(keras.layers.Layer, abc.ABC):
    """Computes `activation(x @ W + b)` for some structured `W`.

    A subclass adds the weights that `W` is made of (`_build_kernel`), the
    product (`_project`), the dense matrix (`as_dense_kernel`) and two counts.
    A model never names one: it asks `make_projection` for a kind.

    Args:
      units: int, size of the output.
      activation: as in `keras.layers.Dense`; None is linear.
      use_bias: whether to add `b`, a vector of `units`.
      kernel_initializer: initialiser of the weights of `W`. One that scales
        with the fans (Glorot, He, LeCun) reads them from the dense `W`, so
        that the outputs have the variance that Dense would give.
      bias_initializer: initialiser of `b`.
      kernel_regularizer: regulariser of the weights of `W`.
      bias_regularizer: regulariser of `b`.
      activity_regularizer: regulariser of the output.
      kernel_constraint: constraint on the weights of `W`.
      bias_constraint: constraint on `b`.
      **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Input shape:
      `[batch, ..., input_dim]`, any float dtype.

    Output shape:
      `[batch, ..., units]`, of the layer's compute dtype.

    Raises:
      ValueError: if `units` is not a positive int.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(units, int) or units <= 0:
            raise ValueError(
                f"expected a positive int. Received: units={units!r}"
            )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        # As Dense: what is masked stays masked.
        self.supports_masking = True
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        # Keras would take None as its own default, with the fans of the
        # weights' shape, and as a random bias.
        self.kernel_initializer = initializers.get(
            kernel_initializer or "glorot_uniform"
        )
        self.bias_initializer = initializers.get(bias_initializer or "zeros")
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_dim: int | None = None
        self.bias = None
        self.input_spec = keras.InputSpec(min_ndim=2)

    @abc.abstractmethod
    def _build_kernel(self, input_dim: int) -> None:
        """Adds the weights that `W` is made of."""

    @abc.abstractmethod
    def _project(self, x: tf.Tensor) -> tf.Tensor:
        """Computes `x @ W` for `x` `[batch, ..., input_dim]`."""

    @abc.abstractmethod
    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""

    @property
    @abc.abstractmethod
    def multiply_adds(self) -> int:
        """Counts the real multiply-adds of `x @ W` for one row of `x`."""

    @property
    def dense_weight_count(self) -> int:
        """Counts the weights of the `keras.layers.Dense` of these sizes."""
        self._check_built()
        return self.input_dim * self.units + self.use_bias * self.units

    def _check_built(self) -> None:
        if self.input_dim is None:
            raise ValueError(
                "expected a built layer: call it on an input, or build it with"
                f" an input shape, first. Received: layer={self.name}"
            )

    def build(self, input_shape) -> None:
        if input_shape[-1] is None:
            raise ValueError(
                "expected an input with a known last dimension. Received: "
                f"input_shape={input_shape}, layer={self.name}"
            )
        self.input_dim = int(input_shape[-1])
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: self.input_dim})
        self._build_kernel(self.input_dim)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def call(self, inputs):
        outputs = self._project(inputs)
        if self.use_bias:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(
                self.kernel_regularizer
            ),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(
                self.activity_regularizer
            ),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }

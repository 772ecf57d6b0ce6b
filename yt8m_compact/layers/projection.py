"""The interface that every projection shares with `keras.layers.Dense`."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import activations
from keras import constraints
from keras import initializers
from keras import regularizers
import numpy as np
import tensorflow as tf

from yt8m_compact.layers import initializers as own_initializers


class Projection(keras.layers.Layer, abc.ABC):
    """Computes `activation(x @ W + b)` for some structured `W`.

    A subclass adds the weights that `W` is made of (`_build_kernel`), the
    product (`_multiply`), the dense matrix (`as_dense_kernel`), the closest
    weights to a dense matrix (`_assign_nearest`) and a count of multiply-adds.
    A model never names one: it asks `make_projection` for a kind. The
    arguments that only some kinds have, and that shape `W`, are named in the
    class attribute `options`.

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

    options: ClassVar[tuple[str, ...]] = ()
    # Whether it multiplies by transforms, which take float32 and float64 only:
    # they and the weights of `W` then stay float32 in a 16-bit layer.
    transforms: ClassVar[bool] = False

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
        check_positive("units", units)
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
    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        """Computes `x @ W` for `x` `[batch, ..., input_dim]`, in its dtype."""

    @abc.abstractmethod
    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""

    @abc.abstractmethod
    def _assign_nearest(self, kernel: np.ndarray) -> None:
        """Sets the weights of `W` so that it is closest to `kernel`."""

    def assign_dense(self, kernel: Any, bias: Any = None) -> None:
        """Sets the weights so that `W` is as close to a dense kernel as can be.

        Closest in Frobenius norm: `sum (W - kernel)^2` is smallest. Each kind
        says in its docstring whether that is exact or a local minimum.

        Args:
          kernel: `[input_dim, units]`, of any float dtype.
          bias: `[units]`, copied; None leaves the bias as it is.

        Raises:
          ValueError: if the layer is not built, a shape is wrong, a value is
            not finite, or there is a bias for a layer without one.
        """
        self._check_built()
        kernel = _finite_array("kernel", kernel, (self.input_dim, self.units))
        if bias is not None:
            if not self.use_bias:
                raise ValueError(
                    "expected no bias for a layer with use_bias=False. "
                    f"Received: bias={type(bias).__name__}, layer={self.name}"
                )
            bias = _finite_array("bias", bias, (self.units,))
            self.bias.assign(bias)
        self._assign_nearest(kernel)

    @classmethod
    def from_dense(
        cls, kernel: Any, bias: Any = None, **kwargs: Any
    ) -> "Projection":
        """Makes the projection that is closest to a dense one.

        So a trained dense layer can be made compact, and trained on.

        Args:
          kernel: `[input_dim, units]`, of any float dtype.
          bias: `[units]` or None, which makes a layer without a bias.
          **kwargs: other arguments of the constructor.

        Returns:
          A built layer; see `assign_dense`.

        Raises:
          ValueError: if a shape is wrong or a value is not finite.
        """
        kernel = np.asarray(kernel)
        if kernel.ndim != 2:
            raise ValueError(
                "expected a kernel of shape [input_dim, units]. Received: "
                f"kernel.shape={kernel.shape}"
            )
        layer = cls(kernel.shape[1], use_bias=bias is not None, **kwargs)
        layer.build((None, kernel.shape[0]))
        layer.assign_dense(kernel, bias)
        return layer

    @property
    @abc.abstractmethod
    def multiply_adds(self) -> int:
        """Counts the real multiply-adds of `x @ W` for one row of `x`."""

    @property
    def dense_weight_count(self) -> int:
        """Counts the weights of the `keras.layers.Dense` of these sizes."""
        self._check_built()
        return self.input_dim * self.units + self.use_bias * self.units

    def _add_kernel_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        stddev_of_part: Callable[[float], float] = lambda stddev: stddev,
        initializer: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
        trainable: bool = True,
        reseed: bool = False,
    ) -> keras.Variable:
        """Adds one of the weights that `W` is made of.

        Args:
          name: its name.
          shape: its shape.
          stddev_of_part: see `initializers.for_dense_shape`.
          initializer: None is the kernel's.
          regularizer: None is the kernel's, for what is trained.
          constraint: None is the kernel's, for what is trained.
          trainable: whether it is trained.
          reseed: whether another weight has the same initialiser, whose
            values this one must not repeat; see `initializers.reseeded`.

        Returns:
          The weight.
        """
        initializer = initializer or self.kernel_initializer
        if reseed:
            initializer = own_initializers.reseeded(initializer, name)
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=own_initializers.for_dense_shape(
                initializer,
                self.input_dim,
                self.units,
                stddev_of_part,
            ),
            regularizer=(regularizer or self.kernel_regularizer)
            if trainable
            else None,
            constraint=(constraint or self.kernel_constraint)
            if trainable
            else None,
            trainable=trainable,
            # Keras would round it to a 16-bit compute dtype, for nothing.
            autocast=not self.transforms,
        )

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
        dtype = self.compute_dtype
        if self.transforms and dtype != "float64":
            inputs = tf.cast(inputs, "float32")
        outputs = tf.cast(self._multiply(inputs), dtype)
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


def check_positive(name: str, value: Any) -> int:
    """Checks an argument that counts something.

    Args:
      name: the argument's name.
      value: its value.

    Returns:
      The value.

    Raises:
      ValueError: if it is not a positive int.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"expected a positive int. Received: {name}={value!r}")
    return value


def _finite_array(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            f"expected a {name} of shape {list(shape)} with finite values. "
            f"Received: {name}.shape={list(array.shape)}, not finite: "
            f"{np.count_nonzero(~np.isfinite(array))}"
        )
    return array

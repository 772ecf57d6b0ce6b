"""The projection layer: `keras.layers.Dense` with a structured matrix."""

from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import functools
from typing import Any

import keras
from keras import activations
from keras import constraints
from keras import initializers
from keras import regularizers
import numpy as np
import tensorflow as tf

from yt8m_compact import structures
from yt8m_compact.layers import initializers as own_initializers
from yt8m_compact.layers import input_moments as input_moments_lib

# Products with matrices of fewer entries are over before compiling pays.
_LEAST_COMPILED = 2**18
# Of the columns to the rows, from which on XLA gains more by not writing
# spectra than it loses by what it does not share among threads.
_COMPILED_RATIO = 16

_QUANTIZATION_MODES = {"int8": structures.Int8, "int4": structures.Int4}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Projection(keras.layers.Layer):
    """Computes `activation(x @ W + b)` for a `W` of a structure.

    What `keras.layers.Dense` is, with `W` made of fewer weights: those that
    the structure lists, each an attribute of the layer (`kernel`, and
    `diagonal` say, or `low_rank_left` in a sum).

    Products by transforms, and their weights, are float32 (float64 for float64
    layers) whatever the compute dtype.

    Example:
        >>> layer = yt8m.layers.Projection(
        ...     512, "low_rank(rank=16)", use_bias=False
        ... )
        >>> layer(np.ones([2, 1024])).shape, layer.count_params()
        (TensorShape([2, 512]), 24576)

    Args:
        units: int, size of the output.
        structure: how `W` is made: a `structures.Structure` or its text, such
            as `low_rank(rank=64) + diagonal_circulant`, each with the
            precision of its weights, if need be: `low_rank(rank=64)@int4`.
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
        diagonal_initializer: initialiser of the diagonals of `W`, of structures
            that have them; None draws random signs, which leaves the output's
            variance to `kernel_initializer`.
        diagonal_regularizer: regulariser of the diagonals; None is
            `kernel_regularizer`, since they are weights of `W` too.
        diagonal_constraint: constraint on the diagonals; None is
            `kernel_constraint`.
        deferred: if true, the product is left to the `FrameNormalization`
            after it, which computes it block by block of columns. Without a
            bias and an activation.
        trainable: as in `keras.layers.Layer`.
        dtype: as in `keras.layers.Layer`.
        name: as in `keras.layers.Layer`.

    Input shape:
        `[batch, ..., input_dim]`, any float dtype.

    Output shape:
        `[batch, ..., units]`, of the layer's compute dtype. If deferred, a list
        of the input and the structure's weights.

    Raises:
        ValueError: if `units` is not a positive int, the structure is unknown
            or has no matrix of these sizes, there is an argument for
            diagonals that it does not have, or a bias or an activation in a
            deferred product.
    """

    def __init__(
        self,
        units: int,
        structure: str | structures.Structure = "dense",
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        diagonal_initializer: Any = None,
        diagonal_regularizer: Any = None,
        diagonal_constraint: Any = None,
        deferred: bool = False,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        structures.check_positive("units", units)
        linear = activations.get(activation) is activations.linear
        if deferred and (use_bias or not linear):
            raise ValueError(
                "expected use_bias=False and no activation in a deferred "
                f"product. Received: use_bias={use_bias}, "
                f"activation={activation!r}"
            )
        super().__init__(
            activity_regularizer=activity_regularizer,
            trainable=trainable,
            dtype=dtype,
            name=name,
        )
        # As Dense: what is masked stays masked.
        self.supports_masking = True
        self.units = units
        self.structure = structures.get(structure)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.deferred = deferred
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
        self.diagonal_initializer = initializers.get(diagonal_initializer)
        self.diagonal_regularizer = regularizers.get(diagonal_regularizer)
        self.diagonal_constraint = constraints.get(diagonal_constraint)
        self.input_dim: int | None = None
        self.bias = None
        self.input_spec = keras.InputSpec(min_ndim=2)

    def pack(self) -> None:
        """Puts the bits of the weights of `W` in the place of its floats.

        Those of the precision that the structure has, or nothing. The product
        stays what it was; the weights can't be trained any more, and what is
        saved or exported has the bytes of `structure.num_bytes`.

        Raises:
            ValueError: if the layer is not built, or a weight is not finite or
                can't be stored.
        """
        sizes = self.sizes
        packed = self.structure.packed()
        if packed == self.structure:
            return
        old = self.structure_weights
        arrays = {
            spec.name: _array_of(old[spec.name], spec)
            for spec in self.structure.weights(*sizes)
        }
        bits = self.structure.pack(arrays, *sizes)
        # Until then, whatever is refused leaves the layer as it was.
        *parents, _, _ = next(iter(old.values())).path.split("/")
        self._tracker.unlock()
        for name, variable in old.items():
            self._untrack_variable(variable)
            delattr(self, name)
        self.structure = packed
        with contextlib.ExitStack() as scopes:
            # Paths are those of a layer that was built so.
            for parent in parents:
                scopes.enter_context(keras.name_scope(parent))
            self._add_weights(packed.weights(*sizes))
        self._tracker.lock()
        for name, variable in self.structure_weights.items():
            variable.assign(bits[name])

    def quantize(
        self, mode: Any = None, type_check: bool = True, config: Any = None
    ) -> None:
        """Packs the weights of `W`, as `keras.Model.quantize` asks for.

        A structure that has a precision keeps it, whatever the mode, as does a
        part of a sum; others get `int8` or `int4`, by rounding to the nearest
        code, with scales of least squares. Inputs stay floats.

        Args:
            mode: "int8" or "int4".
            type_check: as in Keras; there are no subclasses to refuse.
            config: a `keras.quantizers` configuration of such a mode, whose
                `block_size` counts, without a weight quantiser of its own.

        Raises:
            ValueError: if the mode or the configuration is another, or weights
                can't be packed, see `pack`.
        """
        del type_check
        if mode not in _QUANTIZATION_MODES:
            raise ValueError(
                f"expected a mode of {', '.join(_QUANTIZATION_MODES)} for a "
                f"projection. Received: mode={mode!r}, layer={self.name}"
            )
        if getattr(config, "weight_quantizer", None) is not None:
            raise ValueError(
                "expected no weight quantiser: scales are those of least "
                f"squares. Received: {config.weight_quantizer!r}, layer="
                f"{self.name}"
            )
        before = self.structure
        size = getattr(config, "block_size", None)
        precision = _QUANTIZATION_MODES[mode](
            block_size=None if size in (None, -1) else size
        )
        parts = getattr(before, "parts", (before,))
        self.structure = structures.sum_of(
            part @ precision if part.base == part else part for part in parts
        )
        try:
            self.pack()
        except ValueError:
            self.structure = before
            raise

    @property
    def structure_weights(self) -> dict[str, keras.Variable]:
        """The weights of `W`, by their names in the structure."""
        specs = self.structure.weights(*self.sizes)
        return {spec.name: getattr(self, spec.name) for spec in specs}

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        return self.structure.as_dense(
            self._tensors(), self.input_dim, self.units
        )

    def assign_dense(
        self,
        kernel: Any,
        bias: Any = None,
        input_moments: input_moments_lib.InputMoments | None = None,
    ) -> None:
        """Sets the weights so that `W` is as close to a dense kernel as can be.

        Closest in Frobenius norm: `sum (W - kernel)^2` is smallest. With
        moments of the layer's inputs x, it is the error of the outputs that is
        smallest, `E |x (W - kernel)|^2`; with a bias too, that of `x W + b`,
        where `E[x] (kernel - W)` is added to the bias. Each structure says
        whether that is exact or a local minimum.

        Args:
            kernel: `[input_dim, units]`, of any float dtype.
            bias: `[units]`, copied, or corrected as above; None leaves the bias
                as it is.
            input_moments: of a sample of the inputs, as
                `layers.collect_input_moments` makes them, or None.

        Raises:
            ValueError: if the layer is not built, a shape is wrong, a value is
                not finite, there is a bias for a layer without one, or the
                moments are none (see `structures.Structure.nearest`).
        """
        variables = self.structure_weights
        kernel = _finite_array("kernel", kernel, (self.input_dim, self.units))
        if bias is not None:
            if not self.use_bias:
                raise ValueError(
                    "expected no bias for a layer with use_bias=False. "
                    f"Received: bias={type(bias).__name__}, layer={self.name}"
                )
            bias = _finite_array("bias", bias, (self.units,))
        weights = None
        if input_moments is not None:
            weights = input_moments.error_weights(centered=bias is not None)
        current = {name: value.numpy() for name, value in variables.items()}
        nearest = self.structure.nearest(kernel, current, weights)
        for name, variable in variables.items():
            variable.assign(nearest[name])
        if bias is not None:
            if input_moments is not None:
                error = kernel - self.as_dense_kernel().numpy()
                bias = bias + input_moments.mean @ error
            self.bias.assign(bias)

    @classmethod
    def from_dense(
        cls,
        kernel: Any,
        bias: Any = None,
        structure: str | structures.Structure = "dense",
        *,
        input_moments: input_moments_lib.InputMoments | None = None,
        **arguments: Any,
    ) -> "Projection":
        """Makes the projection that is closest to a dense one.

        So a trained dense layer can be made compact, and trained on.

        Args:
            kernel: `[input_dim, units]`, of any float dtype.
            bias: `[units]` or None, which makes a layer without a bias.
            structure: how `W` is made, as in the constructor.
            input_moments: of the layer's inputs; see `assign_dense`.
            **arguments: other arguments of the constructor.

        Returns:
            A built layer; see `assign_dense`.

        Raises:
            ValueError: if a shape is wrong, a value is not finite, or the
                moments are none.
        """
        kernel = np.asarray(kernel)
        if kernel.ndim != 2:
            raise ValueError(
                "expected a kernel of shape [input_dim, units]. Received: "
                f"kernel.shape={kernel.shape}"
            )
        layer = cls(
            kernel.shape[1], structure, use_bias=bias is not None, **arguments
        )
        layer.build((None, kernel.shape[0]))
        layer.assign_dense(kernel, bias, input_moments)
        return layer

    @property
    def multiply_adds(self) -> int:
        """Counts the real multiply-adds of `x @ W` for one row of `x`."""
        return self.structure.multiply_adds(*self.sizes)

    @property
    def dense_weight_count(self) -> int:
        """Counts the weights of the `keras.layers.Dense` of these sizes."""
        input_dim, units = self.sizes
        return input_dim * units + self.use_bias * units

    @property
    def sizes(self) -> tuple[int, int]:
        """The rows and columns of `W`."""
        if self.input_dim is None:
            raise ValueError(
                "expected a built layer: call it on an input, or build it with"
                f" an input shape, first. Received: layer={self.name}"
            )
        return self.input_dim, self.units

    def _tensors(self) -> dict[str, tf.Tensor]:
        return {
            name: tf.convert_to_tensor(variable)
            for name, variable in self.structure_weights.items()
        }

    @property
    def is_compiled(self) -> bool:
        """Whether XLA compiles the product and its gradients in training.

        Where it computes them faster: matrices that are large and much wider
        than high, of some structures. See benchmarks/compiled_products.py.
        """
        wide = self.units >= _COMPILED_RATIO * self.input_dim
        large = self.input_dim * self.units >= _LEAST_COMPILED
        return wide and large and self.structure.base.gains_by_xla

    def decoded(self, training: bool | None = None) -> structures.Weights:
        """Computes the floats of `W`, without their precisions.

        Args:
            training: whether the layer is being trained.
        """
        sizes = self.input_dim, self.units
        weights = self._tensors()
        if self.structure.base == self.structure:
            return weights
        values = sum(spec.size for spec in self.structure.weights(*sizes))
        if training and values >= _LEAST_COMPILED:
            return _compiled_decode(self.structure, *sizes)(weights)
        return self.structure.decode(weights, *sizes)

    def build(self, input_shape) -> None:
        if input_shape[-1] is None:
            raise ValueError(
                "expected an input with a known last dimension. Received: "
                f"input_shape={input_shape}, layer={self.name}"
            )
        input_dim = int(input_shape[-1])
        specs = self.structure.weights(input_dim, self.units)
        base = self.structure.base.weights(input_dim, self.units)
        if structures.Start.SIGNS not in [spec.start for spec in base]:
            self._check_no_diagonal_arguments()
        self.input_dim = input_dim
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: input_dim})
        self._add_weights(specs)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def _check_no_diagonal_arguments(self) -> None:
        for name, value in {
            "diagonal_initializer": self.diagonal_initializer,
            "diagonal_regularizer": self.diagonal_regularizer,
            "diagonal_constraint": self.diagonal_constraint,
        }.items():
            if value is not None:
                raise ValueError(
                    f"expected a structure that has diagonals with {name}. "
                    f"Received: structure={self.structure}, layer={self.name}"
                )

    def _add_weights(self, specs: Sequence[structures.WeightSpec]) -> None:
        starts = [spec.start for spec in specs]
        for number, spec in enumerate(specs):
            self._add_weight_of(spec, first=spec.start not in starts[:number])

    def _add_weight_of(self, spec: structures.WeightSpec, first: bool) -> None:
        """Adds a weight of `W`, as the attribute of its name.

        An attribute each: what Keras, `tf.train.Checkpoint` and SavedModel all
        follow.

        Args:
            spec: what it is.
            first: whether it is the first with such a start; the values of the
                first must not come again.
        """
        regularizer = self.kernel_regularizer
        constraint = self.kernel_constraint
        if spec.start is structures.Start.SIGNS:
            initializer = (
                self.diagonal_initializer or own_initializers.RandomSign()
            )
            regularizer = self.diagonal_regularizer or regularizer
            constraint = self.diagonal_constraint or constraint
        elif spec.start is structures.Start.PERMUTATION:
            initializer = own_initializers.RandomPermutation()
        elif spec.start is structures.Start.POSITIONS:
            initializer = own_initializers.RandomPositions(
                **dataclasses.asdict(spec.pattern)
            )
        elif spec.start is structures.Start.PACKED:
            initializer = initializers.Zeros()
        else:
            initializer = self.kernel_initializer
        if not first:
            initializer = own_initializers.reseeded(initializer, spec.name)
        weight = self.add_weight(
            name=spec.name,
            shape=spec.shape,
            dtype=spec.dtype,
            initializer=own_initializers.for_dense_shape(
                initializer, self.input_dim, self.units, spec.stddev
            ),
            regularizer=regularizer if spec.trained else None,
            constraint=constraint if spec.trained else None,
            trainable=spec.trained,
            # The structure casts it, but for transforms, which 16 bits spoil.
            autocast=False,
        )
        setattr(self, spec.name, weight)

    def call(self, inputs, training=None):
        inputs = tf.cast(inputs, self.compute_dtype)
        weights = self.decoded(training)
        if self.deferred:
            return [inputs, *weights.values()]
        structure = self.structure.base
        if training and self.is_compiled:
            product = _compiled_product(structure, self.input_dim, self.units)
            outputs = product(weights, inputs)
        else:  # A SavedModel must not need XLA.
            outputs = structure.multiply(weights, inputs, self.units)
        if self.use_bias:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        if self.deferred:
            base = self.structure.base
            specs = base.weights(input_shape[-1], self.units)
            return [input_shape, *(spec.shape for spec in specs)]
        return (*input_shape[:-1], self.units)

    def compute_output_spec(self, inputs, training=None):
        shapes = self.compute_output_shape(inputs.shape)
        if not self.deferred:
            return keras.KerasTensor(shapes, dtype=self.compute_dtype)
        specs = self.structure.base.weights(inputs.shape[-1], self.units)
        return [
            keras.KerasTensor(shapes[0], dtype=self.compute_dtype),
            *(
                keras.KerasTensor(shape, dtype=spec.dtype or self.dtype)
                for shape, spec in zip(shapes[1:], specs, strict=True)
            ),
        ]

    def compute_mask(self, inputs, previous_mask):
        if not self.deferred:
            return previous_mask
        specs = self.structure.base.weights(self.input_dim, self.units)
        return [previous_mask, *[None] * len(specs)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "structure": str(self.structure),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "deferred": self.deferred,
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
            "diagonal_initializer": initializers.serialize(
                self.diagonal_initializer
            ),
            "diagonal_regularizer": regularizers.serialize(
                self.diagonal_regularizer
            ),
            "diagonal_constraint": constraints.serialize(
                self.diagonal_constraint
            ),
        }


@functools.cache
def _compiled_product(
    structure: structures.Structure, input_dim: int, units: int
) -> Callable[[dict[str, tf.Tensor], tf.Tensor], tf.Tensor]:
    """Compiles a product, and so its gradients.

    Between transforms there are products of spectra, which XLA doesn't write.
    """
    del input_dim  # A function for each, which is traced less often.
    return tf.function(
        lambda weights, x: structure.multiply(weights, x, units),
        jit_compile=True,
        autograph=False,
    )


@functools.cache
def _compiled_decode(
    structure: structures.Structure, input_dim: int, units: int
) -> Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """Compiles the rounding of weights: one pass over them, not ten."""
    return tf.function(
        lambda weights: structure.decode(weights, input_dim, units),
        jit_compile=True,
        autograph=False,
    )


def _array_of(
    variable: keras.Variable, spec: structures.WeightSpec
) -> np.ndarray:
    """Reads a weight: floats as float64, whole numbers as they are."""
    if spec.dtype is not None:
        return variable.numpy()
    return _finite_array(spec.name, variable.numpy(), spec.shape)


def _finite_array(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            f"expected a {name} of shape {list(shape)} with finite values. "
            f"Received: {name}.shape={list(array.shape)}, not finite: "
            f"{np.count_nonzero(~np.isfinite(array))}"
        )
    return array

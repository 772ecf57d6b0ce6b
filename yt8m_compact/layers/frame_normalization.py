"""Batch normalisation, activation and pooling of frames as one layer."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact import structures
from yt8m_compact.layers import batch_normalization
from yt8m_compact.layers import frame_pooling

# Functions that never fall, so that they and a maximum may change places.
RISING_ACTIVATIONS = ("linear", "relu", "relu6", "sigmoid", "tanh")


@dataclasses.dataclass(frozen=True)
class _Block:
    """The product with a block of the columns of a deferred projection.

    Attributes:
        structure: of the projection.
        width: the columns of the block.
        dtype: of the product.
    """

    structure: structures.Structure
    width: int
    dtype: tf.DType

    @property
    def uses_transforms(self) -> bool:
        """Whether it is one by transforms."""
        return self.structure.uses_transforms

    def __call__(
        self, weights: Mapping[str, tf.Tensor], x: tf.Tensor
    ) -> tf.Tensor:
        product = self.structure.multiply_block(weights, x, self.width)
        return tf.cast(product, self.dtype)


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameNormalization(batch_normalization.BatchNormalization):
    """Batch normalisation of frames, an activation, and pooling over frames.

    What `BatchNormalization`, `keras.layers.Activation` and `FramePooling`
    compute one after another, to rounding, outputs and gradients, in one pass
    over the frames in place of many; see `ops.normalize_frames`. Weights are
    those of the first, under its names. With a deferred projection before it
    (`units`, `structure`), the product of all frames with all columns never
    exists as one: see `ops.normalize_products`.

    Example:
        >>> frames = np.array([[[1.0], [3.0], [9.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> layer = yt8m.layers.FrameNormalization("relu6", "max")
        >>> np.round(layer(frames, mask=mask, training=True), 2)
        array([[1.]], dtype=float32)
        >>> layer.moving_mean.numpy()
        array([2.], dtype=float32)

    Args:
        activation: name of the activation: linear, relu, relu6, sigmoid, tanh.
        pooling: `max`, `average`, or None to keep the frames.
        units: of the deferred `Projection` whose product it computes; None
            where its input is one tensor.
        structure: of that projection.
        input_gradient: whether training needs the gradient of that projection's
            input; not where nothing before it is trained.
        **kwargs: the arguments of `BatchNormalization`, but `synchronized`:
            replicas share their moments.

    Call arguments:
        inputs: float `[batch, max_frames, size]`, or the list that a deferred
            `Projection` gives.
        mask: bool `[batch, max_frames]`, true where there is a frame; None is
            everywhere. Others count neither in the moments nor in pooling; a
            video without a frame is pooled to zeros.

    Output shape:
        `[batch, size]`, or `[batch, max_frames, size]` without pooling.

    There are no second derivatives in training: they are refused.

    Raises:
        ValueError: if the activation or the pooling is unknown, an argument of
            `keras.layers.BatchNormalization` is one that is not taken, or the
            input is none of three axes.

    References:
        Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.
    """

    def __init__(
        self,
        activation: str = "linear",
        pooling: str | None = None,
        units: int | None = None,
        structure: str | structures.Structure = "dense",
        input_gradient: bool = True,
        **kwargs: Any,
    ) -> None:
        if activation not in RISING_ACTIVATIONS:
            raise ValueError(
                f"expected one of {', '.join(RISING_ACTIVATIONS)}. Received: "
                f"activation={activation!r}"
            )
        if pooling not in (*frame_pooling.POOLING_METHODS, None):
            raise ValueError(
                f"expected one of {', '.join(frame_pooling.POOLING_METHODS)}, "
                f"or None. Received: pooling={pooling!r}"
            )
        if kwargs.pop("synchronized", False):
            raise ValueError(
                "expected synchronized=False. Received: synchronized=True; "
                "replicas share their moments in any case"
            )
        # Keras would round the weights of a deferred product to 16 bits.
        super().__init__(synchronized=False, autocast=False, **kwargs)
        self.activation = activation
        self.pooling = pooling
        self.units = units
        # The weights come without their precisions.
        self.structure = structures.get(structure).base
        self.input_gradient = input_gradient

    def build(self, input_shape) -> None:
        if self.units is not None:
            input_shape = (*input_shape[0][:-1], self.units)
        if len(input_shape) != 3:
            raise ValueError(
                "expected frames, [batch, max_frames, size]. Received: "
                f"input_shape={input_shape}"
            )
        super().build(input_shape)
        self.input_spec = None  # of one tensor

    def call(self, inputs, training=None, mask=None):
        x, *tensors = [inputs] if self.units is None else inputs
        x = tf.cast(x, self.compute_dtype)
        mask = _mask_of_frames(mask)
        arguments = {
            "epsilon": self.epsilon,
            "activation": keras.activations.get(self.activation),
            "pooling": self.pooling,
        }
        learns = training and self.trainable
        if self.units is not None:
            blocks = self._call_deferred(x, tensors, mask, learns, arguments)
        elif learns:
            gamma, beta, *_ = self._parameters(x.dtype)
            blocks = [ops.normalize_frames(x, mask, gamma, beta, **arguments)]
        else:
            parameters = self._parameters(x.dtype)
            blocks = [
                ops.normalize_frames_by(x, mask, *parameters, **arguments)
            ]
        if learns:
            self.move_statistics(
                _join([block.mean for block in blocks]),
                _join([block.variance for block in blocks]),
            )
            blocks = [block.outputs for block in blocks]
        return _join(blocks)

    def _call_deferred(self, x, tensors, mask, learns, arguments):
        """Computes the blocks of a deferred product: what `ops` returns."""
        specs = self.structure.weights(x.shape[-1], self.units)
        names = [spec.name for spec in specs]
        weights = dict(zip(names, tensors, strict=True))
        few = ops.few_values(x.shape[:-1].num_elements(), self.units)
        dtype = x.dtype
        if not learns and (few or structures.are_chosen()):
            # All at once, in fewer operations: there is little to hold. Files
            # for other runtimes are for little, and name each layer once.
            widths, weights = (self.units,), [weights]
        else:
            widths = self.structure.block_widths(x.shape[-1], self.units)
            x, weights = self.structure.split(weights, x, self.units)
        products = [_Block(self.structure, width, dtype) for width in widths]
        parameters = [
            tf.split(values, widths) for values in self._parameters(dtype)
        ]
        if not learns:
            return ops.normalize_products_by(
                x, weights, products, mask, *parameters, **arguments
            )
        gammas, betas, *_ = parameters
        shares_weights = len(products) > 1 and self.structure.shares_weights
        return ops.normalize_products(
            x,
            weights,
            products,
            mask,
            gammas,
            betas,
            input_gradient=self.input_gradient or shares_weights,
            **arguments,
        )

    def _parameters(self, dtype: tf.DType) -> list[tf.Tensor]:
        """Returns gamma, beta, mean and variance, `[size]`, not in 16 bits."""
        wide = tf.float64 if dtype == tf.float64 else tf.float32
        size = self.moving_mean.shape
        return [
            tf.cast(values, wide)
            for values in (
                self.gamma if self.scale else tf.ones(size),
                self.beta if self.center else tf.zeros(size),
                self.moving_mean,
                self.moving_variance,
            )
        ]

    def compute_mask(self, inputs, previous_mask):
        # Pooled, the frames are gone; Keras would pass theirs on.
        if self.pooling is not None:
            return None
        return _mask_of_frames(previous_mask)

    def compute_output_spec(self, inputs, training=None, mask=None):
        first = inputs if self.units is None else inputs[0]
        batch, time, size = first.shape
        if self.units is not None:
            size = self.units
        shape = (batch, time, size) if self.pooling is None else (batch, size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation,
            "pooling": self.pooling,
            "units": self.units,
            "structure": str(self.structure),
            "input_gradient": self.input_gradient,
        }


def _join(blocks: list[tf.Tensor]) -> tf.Tensor:
    return blocks[0] if len(blocks) == 1 else tf.concat(blocks, axis=-1)


def _mask_of_frames(mask: Any) -> tf.Tensor | None:
    """Returns that of the first tensor, where Keras has one for each."""
    return mask[0] if isinstance(mask, list | tuple) else mask

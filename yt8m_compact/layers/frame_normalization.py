"""Batch normalisation, activation and pooling of frames as one layer."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import frame_pooling

# Functions that never fall, so that they and a maximum may change places.
RISING_ACTIVATIONS = ("linear", "relu", "relu6", "sigmoid", "tanh")


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of frames, an activation, and pooling over frames.

    What `keras.layers.BatchNormalization`, `keras.layers.Activation` and
    `FramePooling` compute one after another, to rounding, outputs and
    gradients, in one pass over the frames in place of many; see
    `ops.normalize_frames`. Weights are those of the first, under its names.

    Args:
        activation: name of the activation: linear, relu, relu6, sigmoid, tanh.
        pooling: `max`, `average`, or None to keep the frames.
        **kwargs: the arguments of `keras.layers.BatchNormalization`, but
            `axis` (the last), `renorm` and `synchronized`.

    Call arguments:
        inputs: float `[batch, max_frames, size]`, or a list of blocks of it, as
            `Projection` makes them with `join_blocks=False`.
        mask: bool `[batch, max_frames]`, true where there is a frame; None is
            everywhere. Others count neither in the moments nor in pooling; a
            video without a frame is pooled to zeros.

    Output shape:
        `[batch, size]`, or that of the inputs without pooling.

    Raises:
        ValueError: if the activation or the pooling is unknown.

    References:
        Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.
    """

    def __init__(
        self,
        activation: str = "linear",
        pooling: str | None = None,
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
        super().__init__(**kwargs)
        self.activation = activation
        self.pooling = pooling

    def build(self, input_shape) -> None:
        first = input_shape[0]
        if isinstance(first, (tuple, list)):  # blocks
            size = sum(shape[-1] for shape in input_shape)
            input_shape = (*first[:-1], size)
        super().build(input_shape)
        self.input_spec = None  # of one tensor

    def call(self, inputs, training=None, mask=None):
        blocks = inputs if isinstance(inputs, (tuple, list)) else [inputs]
        wide = tf.float64 if blocks[0].dtype == tf.float64 else tf.float32
        size = self.moving_mean.shape
        widths = [block.shape[-1] for block in blocks]
        # In a row: gamma, beta, mean, variance of each block.
        parts = zip(
            *(
                tf.split(tf.cast(values, wide), widths)
                for values in (
                    self.gamma if self.scale else tf.ones(size),
                    self.beta if self.center else tf.zeros(size),
                    self.moving_mean,
                    self.moving_variance,
                )
            ),
            strict=True,
        )
        arguments = {
            "epsilon": self.epsilon,
            "activation": keras.activations.get(self.activation),
            "pooling": self.pooling,
        }
        if not (training and self.trainable):
            return _join(
                ops.normalize_frames_by(block, mask, *part, **arguments)
                for block, part in zip(blocks, parts, strict=True)
            )
        normalized = [
            ops.normalize_frames(block, mask, gamma, beta, **arguments)
            for block, (gamma, beta, *_) in zip(blocks, parts, strict=True)
        ]
        for moving, seen in (
            (self.moving_mean, _join(part.mean for part in normalized)),
            (self.moving_variance, _join(part.variance for part in normalized)),
        ):
            kept = tf.cast(moving, wide) * self.momentum
            moving.assign(kept + seen * (1.0 - self.momentum))
        return _join(part.outputs for part in normalized)

    def compute_mask(self, inputs, previous_mask):
        # Pooled, the frames are gone; Keras would pass theirs on.
        return previous_mask if self.pooling is None else None

    def compute_output_spec(self, inputs, training=None, mask=None):
        blocks = inputs if isinstance(inputs, (tuple, list)) else [inputs]
        batch, time, _ = blocks[0].shape
        size = sum(block.shape[-1] for block in blocks)
        shape = (batch, time, size) if self.pooling is None else (batch, size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation,
            "pooling": self.pooling,
        }


def _join(blocks: Iterable[tf.Tensor]) -> tf.Tensor:
    blocks = list(blocks)
    return blocks[0] if len(blocks) == 1 else tf.concat(blocks, axis=-1)

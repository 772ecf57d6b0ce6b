"""Batch normalisation, activation and pooling of frames as one layer."""

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
        inputs: float `[batch, max_frames, size]`.
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

    def call(self, inputs, training=None, mask=None):
        wide = tf.float64 if inputs.dtype == tf.float64 else tf.float32
        inputs = tf.cast(inputs, self.compute_dtype)
        size = [inputs.shape[-1]]
        gamma = tf.cast(self.gamma, wide) if self.scale else tf.ones(size, wide)
        beta = tf.cast(self.beta, wide) if self.center else tf.zeros(size, wide)
        arguments = {
            "epsilon": self.epsilon,
            "activation": keras.activations.get(self.activation),
            "pooling": self.pooling,
        }
        if training and self.trainable:
            normalized = ops.normalize_frames(
                inputs, mask, gamma, beta, **arguments
            )
            for moving, current in (
                (self.moving_mean, normalized.mean),
                (self.moving_variance, normalized.variance),
            ):
                kept = tf.cast(moving, wide) * self.momentum
                moving.assign(kept + current * (1.0 - self.momentum))
            return normalized.outputs
        return ops.normalize_frames_by(
            inputs,
            mask,
            gamma,
            beta,
            tf.cast(self.moving_mean, wide),
            tf.cast(self.moving_variance, wide),
            **arguments,
        )

    def compute_mask(self, inputs, previous_mask):
        # Pooled, the frames are gone; Keras would pass theirs on.
        return previous_mask if self.pooling is None else None

    def compute_output_spec(self, inputs, training=None, mask=None):
        shape = inputs.shape
        if self.pooling is not None:
            shape = (shape[0], shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation,
            "pooling": self.pooling,
        }

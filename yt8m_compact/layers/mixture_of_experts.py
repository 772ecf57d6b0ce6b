"""The mixture of experts over the classes."""

from collections.abc import Callable
import functools
from typing import Any

import keras
import tensorflow as tf

# Fewer experts are mixed before compiling pays.
_LEAST_COMPILED = 1024


@keras.saving.register_keras_serializable(package="yt8m_compact")
class MixtureOfExperts(keras.layers.Layer):
    """Mixes logistic experts, for each class by itself.

    `p(class c) = sum_{m < M} softmax(g_c)[m] sigmoid(e_c[m])`, with M experts
    `e_c` and M + 1 gates `g_c`. The last gate belongs to a dummy expert that
    always says no, so that the mixture can reject.

    The layer has no weights: gates and experts come from projections, dense
    or compact, of `num_classes * (M + 1)` and `num_classes * M` units, in
    which the values of a class stand together.

    Example:
        >>> layer = yt8m.layers.MixtureOfExperts(num_classes=2, num_mixtures=1)
        >>> gates = np.zeros([1, 4])  # even, of an expert and the dummy
        >>> experts = np.array([[0.0, 20.0]])
        >>> np.round(layer([gates, experts]), 2)
        array([[0.25, 0.5 ]], dtype=float32)

    Args:
        num_classes: int, number of classes.
        num_mixtures: int, M, number of experts of each class.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of the gates' activations, `[batch, num_classes * (M + 1)]`, and
        the experts', `[batch, num_classes * M]`.

    Output shape:
        `[batch, num_classes]`, probabilities.

    Raises:
        ValueError: if a number is not positive, or an input has another size.

    Reference:
        Abu-El-Haija et al., https://arxiv.org/abs/1609.08675, section 5.
    """

    def __init__(
        self, num_classes: int, num_mixtures: int, **kwargs: Any
    ) -> None:
        if num_classes < 1 or num_mixtures < 1:
            raise ValueError(
                "expected positive ints. Received: num_classes="
                f"{num_classes}, num_mixtures={num_mixtures}"
            )
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.num_mixtures = num_mixtures

    def build(self, input_shape) -> None:
        sizes = tuple(shape[-1] for shape in input_shape)
        experts = self.num_classes * self.num_mixtures
        # Reshaped, a wrong size would pass for another number of videos.
        if sizes != (experts + self.num_classes, experts):
            raise ValueError(
                f"expected {experts + self.num_classes} gates and {experts} "
                f"experts. Received: input_shape={input_shape}, num_classes="
                f"{self.num_classes}, num_mixtures={self.num_mixtures}"
            )
        self.built = True

    def call(self, inputs, training=None):
        # Compiled, the gradient writes nothing but its result: a third of the
        # time of TensorFlow's operations. A SavedModel must not need XLA.
        size = self.num_classes * self.num_mixtures
        if training and size >= _LEAST_COMPILED:
            return _compiled_mix(self.num_classes, size)(*inputs)
        return _mix(*inputs, self.num_classes)

    def compute_output_spec(self, inputs):
        shape = (inputs[0].shape[0], self.num_classes)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_mixtures": self.num_mixtures,
        }


def _mix(gates: tf.Tensor, experts: tf.Tensor, num_classes: int) -> tf.Tensor:
    num_mixtures = experts.shape[-1] // num_classes
    gates = tf.reshape(gates, [-1, num_classes, num_mixtures + 1])
    weights = tf.nn.softmax(gates)[:, :, :num_mixtures]
    experts = tf.reshape(experts, [-1, num_classes, num_mixtures])
    return tf.reduce_sum(weights * tf.nn.sigmoid(experts), axis=-1)


@functools.cache
def _compiled_mix(num_classes: int, size: int) -> Callable[..., tf.Tensor]:
    del size  # A function for each, whose shapes TensorFlow does not relax.
    return tf.function(
        lambda gates, experts: _mix(gates, experts, num_classes),
        jit_compile=True,
        autograph=False,
    )

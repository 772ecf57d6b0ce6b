"""The sizes of weights and of their gradients, layer by layer."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class LayerNorms:
    """Euclidean norms of all that a layer trains, together.

    Args:
        model: the model, built.

    Attributes:
        layers: the names of the layers that train weights, in order: the
            weights' paths without their own names.
    """

    def __init__(self, model: keras.Model) -> None:
        self._weights = model.trainable_weights
        names = [_layer_of(weight) for weight in self._weights]
        self.layers = tuple(dict.fromkeys(names))
        self._indices = [self.layers.index(name) for name in names]

    def of(self, values: Sequence[tf.Tensor | None]) -> tf.Tensor:
        """Computes the norm of each layer.

        Args:
            values: of each trained weight, or its gradient, if it has any.

        Returns:
            float32 `[layers]`.
        """
        squares = [[tf.zeros([])] for _ in self.layers]
        for index, value in zip(self._indices, values, strict=True):
            if value is not None:
                value = tf.cast(tf.convert_to_tensor(value), tf.float32)
                squares[index].append(tf.reduce_sum(tf.square(value)))
        return tf.sqrt(tf.stack([tf.add_n(terms) for terms in squares]))

    @tf.function
    def of_weights(self) -> tf.Tensor:
        """Computes the norms of the weights, float32 `[layers]`."""
        return self.of([weight.value for weight in self._weights])


def _layer_of(weight: keras.Variable) -> str:
    return weight.path.rpartition("/")[0] or weight.path

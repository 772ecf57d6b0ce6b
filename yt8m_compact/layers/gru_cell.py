"""A step of a gated recurrent unit."""

from typing import ClassVar

import keras
import tensorflow as tf

from yt8m_compact.layers import recurrent_cell


@keras.saving.register_keras_serializable(package="yt8m_compact")
class GruCell(recurrent_cell.RecurrentCell):
    """Computes a step of a GRU, as `keras.layers.GRUCell` does.

    With `x + b` cut to `x_z`, `x_r` and `x_g`, and `h U + d` to `h_z`, `h_r`
    and `h_g`,

    ```
    z = sigmoid(x_z + h_z)
    g = tanh(x_g + sigmoid(x_r + h_r) h_g)
    h' = z h + (1 - z) g
    ```

    where `x` was projected before. The reset gate comes after the product, so
    that one product serves all gates. See `RecurrentCell` for the arguments.

    Example:
        >>> rnn = keras.layers.RNN(yt8m.layers.GruCell(64, "circulant"))
        >>> gates = np.zeros([2, 5, 3 * 64])  # of 5 steps, projected before
        >>> rnn(gates).shape, rnn.count_params()
        (TensorShape([2, 64]), 576)

    Reference:
        Cho et al., https://arxiv.org/abs/1406.1078v1.
    """

    num_gates: ClassVar[int] = 3

    @property
    def state_size(self) -> list[int]:
        """Size of `h`."""
        return [self.units]

    def _add_bias(self) -> None:
        self.bias = self.add_weight(
            name="bias",
            shape=(2, self.num_gates * self.units),
            initializer="zeros",
        )

    def call(self, inputs, states, training=None):
        h = states[0]
        bias = tf.cast(self.bias, inputs.dtype)
        x_z, x_r, x_g = tf.split(inputs + bias[0], 3, axis=-1)
        product = self.recurrent_projection(h) + bias[1]
        h_z, h_r, h_g = tf.split(product, 3, axis=-1)
        z = tf.sigmoid(x_z + h_z)
        g = tf.tanh(x_g + tf.sigmoid(x_r + h_r) * h_g)
        h = z * h + (1 - z) * g
        return h, [h]

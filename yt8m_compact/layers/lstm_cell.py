"""A step of a long short-term memory."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.layers import recurrent_cell


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LstmCell(recurrent_cell.RecurrentCell):
    """Computes a step of an LSTM, as `keras.layers.LSTMCell` does.

    With `z = x + h U + b`, cut to `i`, `f`, `g` and `o`,

    ```
    c' = sigmoid(f) c + sigmoid(i) tanh(g)
    h' = sigmoid(o) tanh(c')
    ```

    where `x` was projected before. The bias of `f` starts at 1. See
    `RecurrentCell` for the arguments.

    Example:
        >>> rnn = keras.layers.RNN(yt8m.layers.LstmCell(64, "circulant"))
        >>> gates = np.zeros([2, 5, 4 * 64])  # of 5 steps, projected before
        >>> rnn(gates).shape, rnn.count_params()
        (TensorShape([2, 64]), 512)

    Reference:
        Gers et al., Learning to forget, Neural Computation 12, 2000.
    """

    num_gates: ClassVar[int] = 4

    @property
    def state_size(self) -> list[int]:
        """Sizes of `h` and `c`."""
        return [self.units, self.units]

    def _add_bias(self) -> None:
        start = np.repeat([0.0, 1.0, 0.0, 0.0], self.units)
        self.bias = self.add_weight(
            name="bias",
            shape=start.shape,
            initializer=lambda shape, dtype: tf.cast(start, dtype),
        )

    def call(self, inputs, states, training=None):
        h, c = states
        z = inputs + self.recurrent_projection(h)
        z += tf.cast(self.bias, z.dtype)
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]

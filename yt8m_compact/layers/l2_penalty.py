"""An L2 penalty on weights that reads them once."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class L2Penalty(keras.regularizers.L2):
    """The penalty `l2 * sum(w^2)`, as `keras.regularizers.L2`.

    Keras writes the squares, and a gradient of the sum of that size, before
    their gradient. Here one operation sums, and another computes `2 * l2 * w`.
    Called with weights of any float dtype and shape, it gives a scalar of that
    dtype.

    Example:
        >>> penalty = yt8m.layers.L2Penalty(0.5)
        >>> float(penalty(np.array([1.0, 2.0])))  # 0.5 (1 + 4)
        2.5

    Args:
        l2: the factor.
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2)

    def __call__(self, x):
        x = tf.convert_to_tensor(x)
        return tf.cast(2 * self.l2, x.dtype) * tf.nn.l2_loss(x)

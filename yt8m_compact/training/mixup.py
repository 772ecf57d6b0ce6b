"""Mixup: videos that are mixtures of two."""

from collections.abc import Mapping
import math

import tensorflow as tf

# Each is accepted with a probability above 0.95: all are refused once in 10^10
# draws, and the first one is taken then.
_ATTEMPTS = 8
_SMALLEST = 1e-30


def mix(
    inputs: Mapping[str, tf.Tensor],
    labels: tf.Tensor,
    weights: tf.Tensor | None,
    *,
    alpha: float,
    seed: int | tf.Tensor,
    step: tf.Tensor,
) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor | None]:
    """Mixes each video of a batch with another one of it.

    `s x_i + (1 - s) x_j` and `s y_i + (1 - s) y_j`, with an order j of the
    videos drawn at random and a share s for each, from Beta(alpha, alpha). A
    function of its arguments, so that a run that continues draws what it would
    have drawn.

    Args:
        inputs: what a model is given, float `[batch, ...]` each: features of
            videos, no frames, whose numbers differ.
        labels: `[batch, num_classes]`, multi-hot; any dtype.
        weights: `[batch, num_classes]`, 0 where a class is not rated, or None.
        alpha: above 0; the smaller, the more is left of one of the two.
        seed: seed of the run, int.
        step: int `[]`, the number of steps before this one.

    Returns:
        Inputs and labels, of the inputs' dtypes and float32; the smaller weight
        of both videos: a class counts where it is rated in both.

    References:
        Zhang et al., https://arxiv.org/abs/1710.09412.
    """
    size = tf.shape(labels)[0]
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(step, tf.int64)])
    order_key, *keys = tf.unstack(
        tf.random.experimental.stateless_split(key, 3)
    )
    order = tf.argsort(tf.random.stateless_uniform([size], order_key))
    # By logarithms: with a small alpha, both may be 0.
    logs = [_log_gamma(size, alpha, key) for key in keys]
    share = tf.sigmoid(logs[0] - logs[1])

    def mixed(values: tf.Tensor) -> tf.Tensor:
        ones = tf.ones([values.shape.rank - 1], tf.int32)
        factor = tf.reshape(share, tf.concat([[size], ones], axis=0))
        factor = tf.cast(factor, values.dtype)
        other = tf.gather(values, order)
        return other + factor * (values - other)

    if weights is not None:
        weights = tf.minimum(weights, tf.gather(weights, order))
    return (
        {name: mixed(values) for name, values in inputs.items()},
        mixed(tf.cast(labels, tf.float32)),
        weights,
    )


def _log_gamma(size: tf.Tensor, alpha: float, key: tf.Tensor) -> tf.Tensor:
    """Draws logarithms of values of a gamma distribution, `[size]`.

    TensorFlow's own can't be compiled by XLA. One of `alpha + 1` times
    `u^(1 / alpha)` is one of `alpha`.

    References:
        Marsaglia and Tsang, A simple method for generating gamma variables,
        ACM Transactions on Mathematical Software 26 (3), 2000.
    """
    draws = [_ATTEMPTS, size]
    keys = tf.unstack(tf.random.experimental.stateless_split(key, 3))
    d = alpha + 1 - 1 / 3
    x = tf.random.stateless_normal(draws, keys[0])
    root = 1 + x / math.sqrt(9 * d)
    log_v = 3 * tf.math.log(tf.maximum(root, _SMALLEST))
    log_u = tf.math.log(1 - tf.random.stateless_uniform(draws, keys[1]))
    accepted = log_u < x**2 / 2 + d * (1 - root**3 + log_v)
    accepted &= root > 0
    first = tf.argmax(accepted, axis=0, output_type=tf.int32)
    log_v = tf.gather(tf.transpose(log_v), first, axis=1, batch_dims=1)
    uniform = 1 - tf.random.stateless_uniform([size], keys[2])
    return math.log(d) + log_v + tf.math.log(uniform) / alpha

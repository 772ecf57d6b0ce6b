"""Sums over the replicas that train one batch together."""

import tensorflow as tf


def num_replicas() -> int:
    """Returns how many replicas the strategy in scope keeps in step.

    Example:
        >>> yt8m.ops.num_replicas()  # without a strategy
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_index() -> tf.Tensor:
    """Returns which replica this is, int64 `[]`; 0 without a strategy.

    Example:
        >>> int(yt8m.ops.replica_index())  # without a strategy
        0
    """
    context = tf.distribute.get_replica_context()
    index = 0 if context is None else context.replica_id_in_sync_group
    return tf.cast(index, tf.int64)


def sum_over_replicas(*values: tf.Tensor) -> list[tf.Tensor]:
    """Adds up what each replica has of a value.

    Differentiable: the gradient is the sum of the replicas' gradients. Replicas
    must call it as often and in the same order.

    Example:
        >>> import tensorflow as tf
        >>> loss, videos = tf.constant(6.0), tf.constant(4.0)  # of a replica
        >>> loss, videos = yt8m.ops.sum_over_replicas(loss, videos)
        >>> float(loss / videos)  # of the batch
        1.5

    Args:
        *values: tensors of the same shape in every replica.

    Returns:
        The sums; the values themselves where there is one replica only, or no
        strategy.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return list(values)
    return context.all_reduce(tf.distribute.ReduceOp.SUM, list(values))

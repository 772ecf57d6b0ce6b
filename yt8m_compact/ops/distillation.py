"""Soft labels: what a teacher says, mixed with the labels there are."""

from __future__ import annotations

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Divides the log-odds of probabilities: `sigmoid(logit(p) / T)`.

    Which is `p^(1/T) / (p^(1/T) + (1 - p)^(1/T))`: 0, 1/2 and 1 stay, and all
    others come nearer to 1/2 with `T > 1`, nearer to 0 and 1 with `T < 1`. Each
    class has a sigmoid of its own, and none is of a softmax as in the paper.

    Example:
        >>> import tensorflow as tf
        >>> teacher = tf.constant([0.0, 0.1, 0.5, 0.9])
        >>> print(yt8m.ops.soften(teacher, temperature=2).numpy().round(3))
        [0.   0.25 0.5  0.75]

    Args:
        probabilities: float, any shape, in [0, 1].
        temperature: `T`, above 0.

    Returns:
        Probabilities of that shape and dtype.

    References:
        Hinton et al., https://arxiv.org/abs/1503.02531, section 2.
    """
    if temperature == 1:
        return probabilities
    yes = probabilities ** (1 / temperature)
    return yes / (yes + (1 - probabilities) ** (1 / temperature))


def mix_labels(
    labels: tf.Tensor, soft_labels: tf.Tensor, weight: float
) -> tf.Tensor:
    """Mixes labels: `w soft_labels + (1 - w) labels`.

    A loss that is linear in the labels, such as the cross entropy, is then
    `w` times that of the soft labels and `1 - w` times that of the labels.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1, 0, 0]])
        >>> teacher = tf.constant([[0.75, 0.25, 0.5]])
        >>> yt8m.ops.mix_labels(labels, teacher, weight=0.5).numpy().tolist()
        [[0.875, 0.125, 0.25]]

    Args:
        labels: `[batch, num_classes]`, multi-hot.
        soft_labels: float `[batch, num_classes]`, in [0, 1].
        weight: `w`, in [0, 1].

    Returns:
        `[batch, num_classes]`, of the dtype of `soft_labels`.
    """
    labels = tf.cast(labels, soft_labels.dtype)
    return weight * soft_labels + (1 - weight) * labels

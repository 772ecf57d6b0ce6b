"""The classifiers that models end with."""

from __future__ import annotations

from yt8m_compact import lazy
from yt8m_compact import structures

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

# The layer whose output is that of the model.
PREDICTIONS = "predictions"


def classify_logistic(
    x: keras.KerasTensor,
    *,
    num_classes: int,
    structure: str | structures.Structure,
    regularizer: keras.regularizers.Regularizer | None,
    class_priors: np.ndarray | None = None,
    name: str = PREDICTIONS,
) -> keras.KerasTensor:
    """Adds a logistic classifier: `sigmoid(x @ W + b)`.

    Args:
        x: `[batch, size]`.
        num_classes: number of classes.
        structure: how `W` is made.
        regularizer: regulariser of the weights of `W`.
        class_priors: where the probabilities start: see `bias_initializer`.
        name: name of the layer that gives the probabilities.

    Returns:
        Probabilities, float32 `[batch, num_classes]`.
    """
    logits = layers.Projection(
        num_classes,
        structure,
        bias_initializer=bias_initializer(class_priors, num_classes),
        kernel_regularizer=regularizer,
        name="classifier",
    )(x)
    return keras.layers.Activation("sigmoid", dtype="float32", name=name)(
        logits
    )


def classify_moe(
    x: keras.KerasTensor,
    *,
    num_classes: int,
    num_mixtures: int,
    structure: str | structures.Structure,
    regularizer: keras.regularizers.Regularizer | None,
    class_priors: np.ndarray | None = None,
    name: str = PREDICTIONS,
    prefix: str = "",
) -> keras.KerasTensor:
    """Adds a mixture of logistic experts and a dummy expert for each class.

    The gates have no bias, the experts have one, as in the starter code.

    Args:
        x: `[batch, size]`.
        num_classes: number of classes.
        num_mixtures: number of experts of each class.
        structure: how the matrices to gates and to experts are made.
        regularizer: regulariser of the weights of both.
        class_priors: where the probabilities start: see `bias_initializer`.
        name: name of the layer that gives the probabilities.
        prefix: start of the names of all layers, of one of several mixtures.

    Returns:
        Probabilities, float32 `[batch, num_classes]`.

    References:
        Abu-El-Haija et al., https://arxiv.org/abs/1609.08675, section 5.
    """
    gates = layers.Projection(
        num_classes * (num_mixtures + 1),
        structure,
        use_bias=False,
        kernel_regularizer=regularizer,
        name=f"{prefix}gates",
    )(x)
    experts = layers.Projection(
        num_classes * num_mixtures,
        structure,
        bias_initializer=bias_initializer(
            class_priors, num_classes, num_mixtures
        ),
        kernel_regularizer=regularizer,
        name=f"{prefix}experts",
    )(x)
    return layers.MixtureOfExperts(
        num_classes, num_mixtures, dtype="float32", name=f"{prefix}{name}"
    )([gates, experts])


def gate_context(
    x: keras.KerasTensor,
    *,
    structure: str | structures.Structure,
    batch_norm_momentum: float = 0.99,
    name: str = "gating",
    output_name: str = PREDICTIONS,
    dtype: str | None = "float32",
) -> keras.KerasTensor:
    """Adds context gating, after a classifier say: `x * sigmoid(bn(x @ W))`.

    Every value is weighed by what the others say; `bn` is batch
    normalisation, in place of a bias.

    Args:
        x: float `[batch, size]`: probabilities, or hidden units.
        structure: how `W`, which is square, is made.
        batch_norm_momentum: share of the moving statistics that is kept at each
            step.
        name: name of the projection, and start of the other layers'.
        output_name: name of the layer that gives the result.
        dtype: dtype of the result; None is that of the layers.

    Returns:
        `[batch, size]`.

    References:
        Miech et al., https://arxiv.org/abs/1706.06905, section 2.2.
    """
    gates = layers.Projection(
        x.shape[-1], structure, use_bias=False, name=name
    )(x)
    gates = layers.BatchNormalization(
        momentum=batch_norm_momentum,
        name=f"{name}_bn",
    )(gates)
    gates = keras.layers.Activation(
        "sigmoid", dtype=dtype, name=f"{name}_activation"
    )(gates)
    return keras.layers.Multiply(dtype=dtype, name=output_name)([x, gates])


def bias_initializer(
    class_priors: np.ndarray | None,
    num_classes: int,
    num_mixtures: int | None = None,
) -> str | keras.initializers.Initializer:
    """Makes the start of a classifier's biases.

    A classifier over thousands of classes that starts at 1/2 everywhere takes
    thousands of steps to learn that labels are rare: it starts at the log-odds
    of their shares. For a mixture of M experts and a dummy, whose gates start
    about even, the experts start at `p (M + 1) / M`.

    Args:
        class_priors: `[num_classes]`, the share of the videos that have each
            label, above 0 and below 1; None is zeros.
        num_classes: number of classes.
        num_mixtures: number M of experts of each class; None without a mixture.

    Returns:
        An initialiser of as many biases a class as there are.

    Raises:
        ValueError: if the priors' shape or values are wrong.
    """
    if class_priors is None:
        return "zeros"
    share = _check_priors(class_priors, num_classes)
    if num_mixtures is not None:
        share = np.minimum(share * (num_mixtures + 1) / num_mixtures, 0.99)
    return layers.LogOdds(share)


def priors_before_gating(
    class_priors: np.ndarray, num_classes: int
) -> np.ndarray:
    """Says where a classifier starts that context gating follows.

    The gates start at about 1/2, so that it starts at twice as much.

    Args:
        class_priors: `[num_classes]`, the share of the videos that have each
            label, above 0 and below 1.
        num_classes: number of classes.

    Returns:
        float64 `[num_classes]`, the priors of the classifier.

    Raises:
        ValueError: if the priors' shape or values are wrong.
    """
    return np.minimum(2 * _check_priors(class_priors, num_classes), 0.99)


def _check_priors(class_priors: np.ndarray, num_classes: int) -> np.ndarray:
    priors = np.asarray(class_priors, np.float64)
    if (
        priors.shape != (num_classes,)
        or not ((priors > 0) & (priors < 1)).all()
    ):
        raise ValueError(
            f"expected {num_classes} priors in (0, 1). Received: "
            f"shape={priors.shape}, min={priors.min()}, max={priors.max()}"
        )
    return priors

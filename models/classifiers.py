"""The classifiers that models end with."""

import re

import keras
import numpy as np

from yt8m_compact import layers
from yt8m_compact import structures

# Layers whose biases `start_at_log_odds` sets.
CLASSIFIER = "classifier"
_EXPERTS = "experts"
GATING = "gating"
# The layer whose output is that of the model.
PREDICTIONS = "predictions"


def classify_logistic(
    x: keras.KerasTensor,
    *,
    num_classes: int,
    structure: str | structures.Structure,
    regularizer: keras.regularizers.Regularizer | None,
    name: str = PREDICTIONS,
) -> keras.KerasTensor:
    """Adds a logistic classifier: `sigmoid(x @ W + b)`.

    Args:
      x: `[batch, size]`.
      num_classes: number of classes.
      structure: how `W` is made.
      regularizer: regulariser of the weights of `W`.
      name: name of the layer that gives the probabilities.

    Returns:
      Probabilities, float32 `[batch, num_classes]`.
    """
    logits = layers.Projection(
        num_classes,
        structure,
        kernel_regularizer=regularizer,
        name=CLASSIFIER,
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
    name: str = PREDICTIONS,
) -> keras.KerasTensor:
    """Adds a mixture of logistic experts and a dummy expert for each class.

    The gates have no bias, the experts have one, as in the starter code.

    Args:
      x: `[batch, size]`.
      num_classes: number of classes.
      num_mixtures: number of experts of each class.
      structure: how the matrices to gates and to experts are made.
      regularizer: regulariser of the weights of both.
      name: name of the layer that gives the probabilities.

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
        name="gates",
    )(x)
    experts = layers.Projection(
        num_classes * num_mixtures,
        structure,
        kernel_regularizer=regularizer,
        name=_EXPERTS,
    )(x)
    return layers.MixtureOfExperts(
        num_classes, num_mixtures, dtype="float32", name=name
    )([gates, experts])


def gate_context(
    x: keras.KerasTensor,
    *,
    structure: str | structures.Structure,
    batch_norm_momentum: float = 0.99,
    name: str = GATING,
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
    gates = keras.layers.BatchNormalization(
        momentum=batch_norm_momentum, name=f"{name}_bn"
    )(gates)
    gates = keras.layers.Activation(
        "sigmoid", dtype=dtype, name=f"{name}_activation"
    )(gates)
    return keras.layers.Multiply(dtype=dtype, name=output_name)([x, gates])


def start_at_log_odds(model: keras.Model, class_priors: np.ndarray) -> None:
    """Sets the classifier's biases so that it starts at the classes' shares.

    A classifier over thousands of classes that starts at 1/2 everywhere takes
    thousands of steps to learn that labels are rare. For a mixture of M
    experts and a dummy, whose gates start about even, the experts start at
    `p (M + 1) / M`. Context gating starts at about 1/2, so that the classifier
    before it starts at twice as much.

    Args:
      model: a model that ends with `classify_logistic` or `classify_moe`, and
        perhaps `gate_context`; or with attention over, or a mixture of, the
        logits of projections whose names end with `CLASSIFIER`.
      class_priors: `[num_classes]`, the share of the videos that have each
        label, above 0 and below 1.

    Raises:
      ValueError: if the priors' shape or values are wrong, or the model has
        no such classifier.
    """
    priors = np.asarray(class_priors, np.float64)
    num_classes = model.output_shape[-1]
    if (
        priors.shape != (num_classes,)
        or not ((priors > 0) & (priors < 1)).all()
    ):
        raise ValueError(
            f"expected {num_classes} priors in (0, 1). Received: "
            f"shape={priors.shape}, min={priors.min()}, max={priors.max()}"
        )
    names = {layer.name for layer in model.layers}
    if GATING in names:
        priors = np.minimum(2 * priors, 0.99)
    logistic = [
        name for name in names if re.fullmatch(rf"(\w+_)?{CLASSIFIER}", name)
    ]
    if logistic:
        for name in logistic:
            bias = model.get_layer(name).bias
            share = np.repeat(priors, bias.shape[0] // num_classes)
            bias.assign(_log_odds(share))
    elif _EXPERTS in names:
        bias = model.get_layer(_EXPERTS).bias
        num_mixtures = bias.shape[0] // num_classes
        share = priors * (num_mixtures + 1) / num_mixtures
        share = np.minimum(share, 0.99)
        bias.assign(_log_odds(np.repeat(share, num_mixtures)))
    else:
        raise ValueError(
            f"expected a layer named {CLASSIFIER!r} or {_EXPERTS!r}. "
            f"Received: layers={sorted(names)}"
        )


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities) - np.log1p(-probabilities)

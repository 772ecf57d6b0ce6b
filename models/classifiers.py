"""The classifiers that models end with."""

import keras
import numpy as np

from yt8m_compact import layers

# Layers whose biases `start_at_log_odds` sets.
_CLASSIFIER = "classifier"
_EXPERTS = "experts"


def classify_logistic(
    x: keras.KerasTensor,
    *,
    num_classes: int,
    projection: str,
    regularizer: keras.regularizers.Regularizer | None,
) -> keras.KerasTensor:
    """Adds a logistic classifier: `sigmoid(x @ W + b)`.

    Args:
      x: `[batch, size]`.
      num_classes: number of classes.
      projection: kind of `W`.
      regularizer: regulariser of the weights of `W`.

    Returns:
      Probabilities, float32 `[batch, num_classes]`.
    """
    logits = layers.make_projection(
        projection,
        num_classes,
        kernel_regularizer=regularizer,
        name=_CLASSIFIER,
    )(x)
    return keras.layers.Activation(
        "sigmoid", dtype="float32", name="predictions"
    )(logits)


def classify_moe(
    x: keras.KerasTensor,
    *,
    num_classes: int,
    num_mixtures: int,
    projection: str,
    regularizer: keras.regularizers.Regularizer | None,
) -> keras.KerasTensor:
    """Adds a mixture of logistic experts and a dummy expert for each class.

    The gates have no bias, the experts have one, as in the starter code.

    Args:
      x: `[batch, size]`.
      num_classes: number of classes.
      num_mixtures: number of experts of each class.
      projection: kind of the projections to gates and to experts.
      regularizer: regulariser of the weights of both.

    Returns:
      Probabilities, float32 `[batch, num_classes]`.

    References:
      Abu-El-Haija et al., https://arxiv.org/abs/1609.08675, section 5.
    """
    gates = layers.make_projection(
        projection,
        num_classes * (num_mixtures + 1),
        use_bias=False,
        kernel_regularizer=regularizer,
        name="gates",
    )(x)
    experts = layers.make_projection(
        projection,
        num_classes * num_mixtures,
        kernel_regularizer=regularizer,
        name=_EXPERTS,
    )(x)
    return layers.MixtureOfExperts(
        num_classes, num_mixtures, dtype="float32", name="predictions"
    )([gates, experts])


def start_at_log_odds(model: keras.Model, class_priors: np.ndarray) -> None:
    """Sets the classifier's biases so that it starts at the classes' shares.

    A classifier over thousands of classes that starts at 1/2 everywhere takes
    thousands of steps to learn that labels are rare. For a mixture of M
    experts and a dummy, whose gates start about even, the experts start at
    `p (M + 1) / M`.

    Args:
      model: a model that ends with `classify_logistic` or `classify_moe`.
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
    if _CLASSIFIER in names:
        model.get_layer(_CLASSIFIER).bias.assign(_log_odds(priors))
    elif _EXPERTS in names:
        bias = model.get_layer(_EXPERTS).bias
        num_mixtures = bias.shape[0] // num_classes
        share = priors * (num_mixtures + 1) / num_mixtures
        share = np.minimum(share, 0.99)
        bias.assign(_log_odds(np.repeat(share, num_mixtures)))
    else:
        raise ValueError(
            f"expected a layer named {_CLASSIFIER!r} or {_EXPERTS!r}. "
            f"Received: layers={sorted(names)}"
        )


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities) - np.log1p(-probabilities)

"""Where a step first has values that are not finite."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.training import batches

_SHOWN = 5


def find_cause(
    model: keras.Model,
    batch: Mapping[str, tf.Tensor],
    label_loss: Callable[..., tf.Tensor],
) -> str:
    """Goes through a step to the first value that is not finite.

    Forward layer by layer, through the loss, and back: the weights, the inputs,
    each output, the loss of each video, the gradient of each output.

    Args:
        model: of Keras's functional kind, compiled, as it was before the step.
        batch: what `batches.read` gives.
        label_loss: `[batch]` losses of labels, predictions and weights.

    Returns:
        What is not finite, in which layer, for which videos.
    """
    ids = [one.decode() for one in batch["id"].numpy()]
    for weight in model.weights:
        if _bad_rows(weight.value, 1) is not None:
            return f"the weights {weight.path} before the step"
    data, _ = batches.to_keras(batch)
    inputs, labels, weights = (*data, None)[:3]
    for name, value in {**inputs, "labels": labels}.items():
        bad = _bad_rows(value, len(ids))
        if bad is not None:
            return f"{name}{_of_videos(bad, ids)}"
    names, probe = _probe(model)
    with tf.GradientTape() as tape:
        tape.watch([x for x in inputs.values() if x.dtype.is_floating])
        outputs = probe(inputs, training=True)
        predictions = outputs[-1]
        loss = model.compute_loss(
            x=inputs,
            y=labels,
            y_pred=predictions,
            sample_weight=weights,
            training=True,
        )
    for name, output in zip(names, outputs, strict=True):
        bad = _bad_rows(output, len(ids))
        if bad is not None:
            return f"the output of the layer {name}{_of_videos(bad, ids)}"
    losses = label_loss(labels, predictions, weights)
    bad = _bad_rows(losses, len(ids))
    if bad is not None:
        return f"the loss{_of_videos(bad, ids)}"
    if _bad_rows(loss, 1) is not None:
        return "the loss of the weights (l2_penalty)"
    gradients = tape.gradient(loss, outputs)
    for name, gradient in reversed([*zip(names, gradients, strict=True)]):
        bad = None if gradient is None else _bad_rows(gradient, len(ids))
        if bad is not None:
            where = _of_videos(bad, ids)
            return f"the gradient at the output of the layer {name}{where}"
    return "no value of the step itself: its update of the weights"


def _probe(model: keras.Model) -> tuple[list[str], keras.Model]:
    """Makes the model that gives what each layer gives, predictions last."""
    names, outputs = [], []
    for layer in model.operations:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        for output in keras.tree.flatten(layer.output):
            names.append(layer.name)
            outputs.append(output)
    return (
        [*names, "predictions"],
        keras.Model(model.input, [*outputs, model.output]),
    )


def _bad_rows(value: Any, num_videos: int) -> np.ndarray | None:
    """Finds videos with values that are not finite.

    Args:
        value: `[videos, ...]`, or `[videos * frames, ...]`, or anything.
        num_videos: how many there are.

    Returns:
        Which videos, none of them where they can't be told apart; None if all
        values are finite.
    """
    array = np.asarray(tf.convert_to_tensor(value))
    if array.dtype.kind in "iub":
        return None
    finite = np.isfinite(array.astype(np.float64))
    if finite.all():
        return None
    if not array.ndim or len(array) % num_videos:
        return np.array([], int)
    rows = finite.reshape([num_videos, -1]).all(axis=1)
    return np.flatnonzero(~rows)


def _of_videos(rows: np.ndarray, ids: Sequence[str]) -> str:
    if not len(rows):
        return ""
    if len(rows) == len(ids) > _SHOWN:
        return f" for all {len(ids)} videos of the batch"
    shown = ", ".join(ids[row] for row in rows[:_SHOWN])
    if len(rows) > _SHOWN:
        shown += f" and {len(rows) - _SHOWN} more"
    return f" for the video{'s' if len(rows) > 1 else ''} {shown}"

"""Recurrent layers in operators that other runtimes have."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import functools

import keras
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures


@contextlib.contextmanager
def portable_loops(model: keras.Model) -> Iterator[None]:
    """Traces the recurrent layers of a model without lists of tensors.

    Keras collects what the steps leave in such a list, and LiteRT has none of
    tensors with an unknown number of videos.

    Args:
        model: the model, whose layers are as they were afterwards.
    """
    recurrent = [
        layer for layer in model.layers if isinstance(layer, keras.layers.RNN)
    ]
    for layer in recurrent:
        # As Keras's own layers do, to call cuDNN.
        object.__setattr__(
            layer, "inner_loop", functools.partial(_inner_loop, layer)
        )
    try:
        yield
    finally:
        for layer in recurrent:
            object.__delattr__(layer, "inner_loop")


@contextlib.contextmanager
def decoded_ahead(
    model: keras.Model, given: Mapping[layers.Projection, structures.Weights]
) -> Iterator[None]:
    """Traces a model with weights that were rounded before its loops.

    Recurrent layers would round those that have a precision at each step, and
    other runtimes have not even the operators.

    Args:
        model: the model, whose layers are as they were afterwards.
        given: rounded weights by layer, of those that are not to be rounded
            here.
    """
    coded = [
        layer
        for layer in layers.projections(model)
        if layer.structure.base != layer.structure
    ]
    for layer in coded:
        weights = given[layer] if layer in given else layer.decoded()
        object.__setattr__(
            layer, "decoded", lambda training=None, weights=weights: weights
        )
    try:
        yield
    finally:
        for layer in coded:
            object.__delattr__(layer, "decoded")


def _inner_loop(
    layer: keras.layers.RNN,
    sequences: tf.Tensor,
    initial_state: Sequence[tf.Tensor] | tf.Tensor,
    mask: tf.Tensor | None,
    training: bool = False,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Does what `keras.layers.RNN.inner_loop` does.

    Returns:
        The last output, `[batch, units]`; those of all steps, `[batch, steps,
        units]`, or of the last one alone if others are not asked for; the last
        state.
    """
    del training
    time = sequences.shape[1]
    states = tf.nest.flatten(initial_state)
    start = tf.zeros_like(states[0])
    every = start[:, tf.newaxis]
    if layer.return_sequences:
        every = tf.tile(every, [1, time, 1])
    steps = tf.range(time)[tf.newaxis, :, tf.newaxis]

    def step(number, output, every, *states):
        new, new_states = layer.cell(
            tf.gather(sequences, number, axis=1), list(states), training=False
        )
        new_states = tf.nest.flatten(new_states)
        if mask is not None:
            # Padding leaves all as it is.
            exists = tf.gather(mask, number, axis=1)[:, tf.newaxis]
            new = tf.where(exists, new, output)
            new_states = [
                tf.where(exists, after, before)
                for after, before in zip(new_states, states, strict=True)
            ]
        if layer.return_sequences:
            every = tf.where(steps == number, new[:, tf.newaxis], every)
        return number + 1, new, every, *new_states

    _, output, every, *states = tf.while_loop(
        lambda number, *_: number < time,
        step,
        [tf.constant(0), start, every, *states],
    )
    if not layer.return_sequences:
        every = output[:, tf.newaxis]
    return output, every, states

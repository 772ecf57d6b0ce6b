"""Tests of batch normalisation whose moving statistics are right at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers

SIZE = 3
# The paces of the first steps: 20 / (t + 19), and 1 - .2 from step 6 on, where
# it is 20 / 25.
PACES = [20 / (t + 19) for t in range(1, 6)] + [0.8] * 4


def make_batches(number=9, rows=5):
    """Makes batches that differ in mean and variance, and by column."""
    rng = np.random.default_rng(0)
    spread = np.arange(1.0, number + 1)[:, np.newaxis, np.newaxis]
    values = rng.standard_normal((number, rows, SIZE)) * spread
    return 3 + spread + values * [1, 2, 3]


def make_layers(**kwargs):
    """Makes a layer and that of Keras, of the same weights."""
    ours = layers.BatchNormalization(**kwargs)
    theirs = keras.layers.BatchNormalization(**kwargs)
    for layer in (ours, theirs):
        layer.build((None, SIZE))
        for weight, value in zip(
            layer.weights,
            ([0.5, -2, 3], [1, 0, -1], [2, 3, 4], [0.5, 1, 2]),
            strict=True,
        ):
            weight.assign(value)
    return ours, theirs


def average(moments):
    """Averages what the steps have seen, by the weight of each."""
    weights = [
        pace * np.prod([1 - later for later in PACES[step + 1 : len(moments)]])
        for step, pace in enumerate(PACES[: len(moments)])
    ]
    np.testing.assert_allclose(sum(weights), 1)
    return np.tensordot(weights, moments, 1)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_statistics_are_averages_of_what_was_seen(mode):
    layer, _ = make_layers(momentum=0.2, dtype="float64")
    call = layer
    if mode != "eager":
        call = tf.function(layer, jit_compile=mode == "xla")
    seen = make_batches()
    for step, batch in enumerate(seen, start=1):
        call(tf.constant(batch), training=True)
        for moving, moments in (
            (layer.moving_mean, seen[:step].mean(axis=1)),
            (layer.moving_variance, seen[:step].var(axis=1)),
        ):
            np.testing.assert_allclose(moving, average(moments), rtol=1e-6)


def test_no_momentum_is_the_last_step_and_all_of_it_the_last_part():
    last, part = (
        layers.BatchNormalization(momentum=momentum, dtype="float64")
        for momentum in (0.0, 1.0)
    )
    for layer in (last, part):
        layer.build((None, SIZE))

        @tf.function
        def move(layer=layer):
            for number in tf.range(1, 1001, dtype=tf.float64):
                values = tf.fill([SIZE], number)
                layer.move_statistics(values, values)

        move()
    np.testing.assert_allclose(last.moving_mean, 1000)
    # The weight of step i is in proportion to i^19, about, and so the mean is
    # 20 / 21 of the last.
    np.testing.assert_allclose(part.moving_mean, 20_000 / 21, rtol=1e-3)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_outputs_and_gradients_are_those_of_keras(dtype, mask):
    pair = make_layers(dtype=dtype)
    x = tf.constant(make_batches(1)[0], tf.float32)
    kwargs = {}
    if mask:
        kwargs["mask"] = tf.constant([True, False, True, True, False])
    found = []
    for layer in pair:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True, **kwargs)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        found.append([outputs, *gradients])
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("without", ["center", "scale"])
def test_without_a_shift_or_a_scale(without):
    x = make_batches(1)[0]
    ours = layers.BatchNormalization(**{without: False}, dtype="float64")
    theirs = keras.layers.BatchNormalization(**{without: False})
    np.testing.assert_allclose(
        ours(x, training=True), theirs(x, training=True), rtol=1e-5
    )


@pytest.mark.parametrize("frozen", [False, True])
def test_predicts_by_what_is_stored(frozen):
    ours, theirs = make_layers(trainable=not frozen)
    x = make_batches(1)[0]
    found = ours(x, training=frozen)
    np.testing.assert_array_equal(found, theirs(x, training=False))
    np.testing.assert_array_equal(ours.moving_mean, [2, 3, 4])
    assert int(ours._statistics_steps) == 0


def test_the_count_is_no_weight():
    ours, theirs = make_layers()
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert ours.count_params() == 4 * SIZE


def test_config_round_trip():
    layer = layers.BatchNormalization(
        momentum=0.5, epsilon=0.25, center=False, name="bn", synchronized=True
    )
    config = layer.get_config()
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(again) is layers.BatchNormalization
    assert again.get_config() == config
    assert not layers.BatchNormalization().synchronized


@pytest.mark.parametrize(("name", "value"), [("axis", 1), ("renorm", True)])
def test_what_it_does_not_do_is_refused(name, value):
    expected = {"axis": -1}.get(name, False)
    with pytest.raises(
        ValueError,
        match=f"expected {name}={expected}. Received: {name}={value}",
    ):
        layers.BatchNormalization(**{name: value})

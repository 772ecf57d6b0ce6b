"""Tests of the training step on one device."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import step as step_lib

NUM_CLASSES = 3
LABELS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], "float32")
# The best class of each: 1, 1, 1, 2.
PREDICTIONS = np.array(
    [[0.4, 0.5, 0.1], [0.1, 0.9, 0.8], [0.2, 0.6, 0.5], [0.1, 0.25, 0.3]],
    "float32",
)


def make_model(layers, optimizer, size=NUM_CLASSES):
    inputs = keras.Input([size], name="features")
    x = inputs
    for layer in layers:
        x = layer(x)
    model = keras.Model({"features": inputs}, x)
    model.compile(
        optimizer=optimizer,
        loss=models.LabelLoss(ops.cross_entropy_loss),
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def make_step(model):
    return step_lib.TrainingStep(model, position_lib.Position())


def make_batches(batches, places=None):
    """Makes a data set of (features, labels, ...), each read up to a place."""
    places = places or range(1, len(batches) + 1)
    elements = [
        (({"features": features}, *others), np.int64(place))
        for (features, *others), place in zip(batches, places, strict=True)
    ]
    signature = tf.nest.map_structure(
        lambda x: tf.TensorSpec(
            [None, *x.shape[1:]] if x.ndim else [], x.dtype
        ),
        elements[0],
    )
    return tf.data.Dataset.from_generator(
        lambda: iter(elements), output_signature=signature
    )


def draw_batches(number, size=6, batch_size=5):
    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(size=[batch_size, size]).astype("float32"),
            rng.integers(0, 2, [batch_size, NUM_CLASSES]).astype("float32"),
        )
        for _ in range(number)
    ]


def draw_model(optimizer=None):
    keras.utils.set_random_seed(0)
    return make_model(
        [
            keras.layers.Dense(
                4, kernel_regularizer=keras.regularizers.L2(0.1)
            ),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(NUM_CLASSES, activation="sigmoid"),
        ],
        optimizer or keras.optimizers.Adam(0.1, clipnorm=0.05),
        size=6,
    )


@pytest.mark.slow
def test_weights_and_loss_of_keras_fit():
    batches = draw_batches(7)
    expected = draw_model()
    history = expected.fit(
        make_batches(batches).map(lambda batch, place: batch), verbose=0
    ).history
    model = draw_model()
    step = make_step(model)
    assert step.run(iter(make_batches(batches)), 100) == 7
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(
            weight.numpy(), other.numpy(), rtol=1e-5, atol=1e-6
        )
    assert step.logs()["loss"] == pytest.approx(history["loss"][0], rel=1e-5)


@pytest.mark.slow
def test_several_steps_in_a_call_are_those_of_several_calls():
    batches = draw_batches(7)
    found = []
    for limits in [(7,), (1,) * 7, (3, 2, 2)]:
        model = draw_model()
        step = make_step(model)
        iterator = iter(make_batches(batches))
        assert [step.run(iterator, limit) for limit in limits] == list(limits)
        found.append([weight.numpy() for weight in model.weights])
        assert step.run(iterator, 3) == 0
    for weights in found[1:]:
        for weight, other in zip(weights, found[0], strict=True):
            np.testing.assert_array_equal(weight, other)


@pytest.mark.slow
def test_position_is_that_of_the_last_step():
    model = draw_model()
    position = position_lib.Position()
    step = step_lib.TrainingStep(model, position)
    iterator = iter(make_batches(draw_batches(3), places=[5, 11, 15]))
    assert step.run(iterator, 2) == 2
    assert position.as_tuple() == (2, 0, 11)
    assert step.run(iterator, 2) == 1
    assert position.as_tuple() == (3, 0, 15)
    assert step.run(iterator, 2) == 0
    assert position.as_tuple() == (3, 0, 15)


@pytest.mark.slow
def test_batches_counted_by_their_size():
    position = position_lib.Position()
    step = step_lib.TrainingStep(draw_model(), position, batch_size=8)
    assert step.run(iter(make_batches(draw_batches(3))), 5) == 3
    assert position.as_tuple() == (3, 0, 24)


@pytest.mark.slow
def test_steps_before_damaged_data_are_counted():
    batches = draw_batches(5)

    def fail(batch, place):
        with tf.control_dependencies(
            [tf.debugging.assert_less(place, np.int64(4))]
        ):
            return batch, tf.identity(place)

    model = draw_model()
    position = position_lib.Position()
    step = step_lib.TrainingStep(model, position)
    with pytest.raises(tf.errors.InvalidArgumentError):
        step.run(iter(make_batches(batches).map(fail)), 10)
    assert position.as_tuple() == (3, 0, 3)
    whole = draw_model()
    make_step(whole).run(iter(make_batches(batches[:3])), 3)
    for weight, other in zip(model.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())


@pytest.fixture
def unchanged():
    """Makes a step of a model whose predictions are its features."""
    weight = keras.layers.Dense(
        NUM_CLASSES, kernel_initializer="identity", use_bias=False
    )
    return make_step(make_model([weight], keras.optimizers.SGD(0.0)))


@pytest.mark.slow
def test_metrics_are_means(unchanged):
    assert unchanged.logs() == {"loss": 0.0, "gap": 0.0, "hit_at_1": 0.0}
    batches = make_batches(
        [(PREDICTIONS[:1], LABELS[:1]), (PREDICTIONS[1:], LABELS[1:])]
    )
    assert unchanged.run(iter(batches), 2) == 2
    logs = unchanged.logs()
    # Wrong in the first batch; right in two of three of the second.
    assert logs["hit_at_1"] == pytest.approx((0 + 2 / 3) / 2)
    losses = -np.sum(
        LABELS * np.log(PREDICTIONS + 1e-5)
        + (1 - LABELS) * np.log(1 - PREDICTIONS + 1e-5),
        axis=1,
    )
    # The mean over videos, however they were put into batches.
    assert logs["loss"] == pytest.approx(losses.mean(), rel=1e-4)
    # By hand: in the first batch the label comes second. In the second, the
    # scores are .9 .8 .6 .5 .3 .25 .2 .1 .1, of which the first, the fourth,
    # the fifth and the sixth are the four labels.
    second = (1 / 1 + 2 / 4 + 3 / 5 + 4 / 6) / 4
    assert logs["gap"] == pytest.approx((1 / 2 + second) / 2)
    unchanged.reset_metrics()
    assert unchanged.logs()["hit_at_1"] == 0.0
    assert unchanged.epoch_logs() == logs
    batches = make_batches([(PREDICTIONS[:1], LABELS[:1])])
    assert unchanged.run(iter(batches), 1) == 1
    assert unchanged.logs()["hit_at_1"] == 0.0
    assert unchanged.epoch_logs()["hit_at_1"] == pytest.approx(2 / 9)
    unchanged.start_epoch()
    assert unchanged.epoch_logs()["hit_at_1"] == 0.0


def test_classes_without_a_weight_do_not_count(unchanged):
    # Without class 1, the best ones are 0, 2, 2, 2: the second has none.
    weights = np.array([[1, 0, 1]] * 4, "float32")
    batches = make_batches([(PREDICTIONS, LABELS, weights)])
    unchanged.run(iter(batches), 1)
    assert unchanged.logs()["hit_at_1"] == 0.75


@pytest.mark.slow
def test_loss_scaling():
    """Gradients are those of the loss, whatever it is multiplied by."""
    batches = draw_batches(4)
    found = []
    for scaled in (False, True):
        optimizer = keras.optimizers.SGD(0.1, clipnorm=0.05)
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(
                optimizer, initial_scale=8.0
            )
        model = draw_model(optimizer)
        step = make_step(model)
        step.run(iter(make_batches(batches)), 4)
        found.append([weight.numpy() for weight in model.weights])
        assert step.logs()["loss"] < 10
    for weight, other in zip(*found, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_waiting_for_batches_is_timed():
    batches = draw_batches(4)

    def slow(batch, place):
        def wait(value):
            time.sleep(0.05)
            return value

        place = tf.numpy_function(wait, [place], tf.int64)
        place.set_shape([])
        return batch, place

    step = make_step(draw_model())
    assert step.waited_seconds == 0
    iterator = iter(make_batches(batches).map(slow))
    start = time.perf_counter()
    assert step.run(iterator, 4) == 4
    # Four batches, and the end.
    assert 0.2 <= step.waited_seconds <= time.perf_counter() - start
    waited = step.waited_seconds
    # What is there already is not waited for: far less than a batch a step.
    ready = make_batches(batches).cache()
    list(ready)
    step.run(iter(ready), 4)
    assert step.waited_seconds - waited < 0.05


class DoublingTeachers:
    """Teaches twice the labels' negation."""

    def targets(self, inputs, labels):
        return inputs, 2 * (1 - labels)


@pytest.mark.slow
def test_what_teachers_say_is_augmented_as_labels_are():
    """Videos in reverse order, labels and what is learned likewise."""
    batches = draw_batches(4)

    def reverse(inputs, labels, weights, step):
        inputs = {name: value[::-1] for name, value in inputs.items()}
        return inputs, labels[::-1], weights

    # Adam makes as much of gradients that are nothing but rounding.
    model, expected = (draw_model(keras.optimizers.SGD(0.1)) for _ in range(2))
    step = step_lib.TrainingStep(
        model,
        position_lib.Position(),
        augment=reverse,
        teachers=DoublingTeachers(),
    )
    step.run(iter(make_batches(batches)), 10)
    other = make_step(expected)
    other.run(iter(make_batches([(x, 2 * (1 - y)) for x, y in batches])), 10)
    for weight, wanted in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-4, atol=1e-5)
    # The metrics are those of the labels.
    assert step.logs()["loss"] == pytest.approx(other.logs()["loss"], rel=1e-4)
    assert step.logs()["gap"] != pytest.approx(other.logs()["gap"], rel=1e-3)

"""Tests of what a checkpoint holds: every weight, or it is refused."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.run import checkpoint as run_checkpoint
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers


class InLists(keras.layers.Layer):
    """Keeps sublayers where TensorFlow does not follow."""

    def build(self, input_shape):
        dense = [keras.layers.Dense(2, name=f"dense_{n}") for n in range(3)]
        self.listed = [dense[0]]
        self.nested = {"a": (dense[1], [dense[2]])}
        for layer in dense:
            layer.build(input_shape)
        self._dense = dense
        self.built = True

    def call(self, inputs):
        return sum(layer(inputs) for layer in self._dense)


class WithState(keras.layers.Layer):
    """Has a variable that is no weight in a layer of its own."""

    def __init__(self):
        super().__init__()
        self.inner = layers.RepeatableDropout(0.5, name="drop")

    def call(self, inputs):
        return self.inner(inputs)


def make_model(*model_layers: keras.Layer) -> keras.Model:
    inputs = keras.Input([3])
    x = inputs
    for layer in model_layers:
        x = layer(x)
    return keras.Model(inputs, x)


def make_dense(**kwargs) -> keras.Model:
    return make_model(keras.layers.Dense(2, name="dense", **kwargs))


def make_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    return optimizer


def number(variables) -> None:
    """Gives all weights different values."""
    start = 1.0
    for variable in variables:
        size = np.prod(variable.shape, dtype=int)
        values = np.arange(start, start + size).reshape(variable.shape)
        variable.assign(values.astype(variable.dtype))
        start += size


def names_in(path: str) -> set[str]:
    return {
        name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
        for name, _ in tf.train.list_variables(path)
    }


def save(model, path, **kwargs) -> str:
    step = tf.Variable(7, dtype=tf.int64)
    saved = run_checkpoint.RunCheckpoint(model, {"step": step}, **kwargs)
    return saved.checkpoint.save(str(path))


def test_names_in_the_file(tmp_path):
    model = make_model(
        keras.layers.Dense(2, name="dense"),
        layers.BatchNormalization(name="norm"),
        layers.RepeatableDropout(0.5, name="drop"),
    )
    optimizer = make_optimizer(model)
    path = save(model, tmp_path / "ckpt", optimizer=optimizer)
    moments = {
        f"optimizer/{name}_{moment}"
        for name in ("dense_kernel", "dense_bias", "norm_gamma", "norm_beta")
        for moment in ("momentum", "velocity")
    }
    assert names_in(path) == {
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "save_counter",
        "step",
        "weights/dense.Skernel",
        "weights/dense.Sbias",
        "weights/norm.Sgamma",
        "weights/norm.Sbeta",
        "weights/norm.Smoving_mean",
        "weights/norm.Smoving_variance",
        "states/drop.Snum_steps",
        "states/norm.Sstatistics_steps",
        "optimizer/iteration",
        "optimizer/learning_rate",
        *moments,
    }


def test_names_of_an_optimizer_that_scales_the_loss(tmp_path):
    model = make_dense()
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(use_ema=True)
    )
    optimizer.build(model.trainable_variables)
    number(optimizer.variables)
    path = save(model, tmp_path / "ckpt", optimizer=optimizer)
    names = {n for n in names_in(path) if n.startswith("optimizer/")}
    assert names == {
        *(
            f"optimizer/{name}"
            for name in (
                "iteration",
                "learning_rate",
                "step_counter",
                "dynamic_scale",
                "inner.Siteration",
                "inner.Slearning_rate",
            )
        ),
        *(
            f"optimizer/inner.Sdense_{name}_{slot}"
            for name in ("kernel", "bias")
            for slot in ("average", "momentum", "velocity")
        ),
    }
    inner = optimizer.inner_optimizer
    found = run_checkpoint.read_slots(
        path, model.trainable_variables, "average"
    )
    for value, average in zip(
        found, inner._model_variables_moving_average, strict=True
    ):
        np.testing.assert_array_equal(value, average.numpy())


def test_slots_of_names_with_dots(tmp_path):
    model = make_model(keras.layers.Dense(2, name="a.b"))
    optimizer = make_optimizer(model)
    number(optimizer.variables)
    path = save(model, tmp_path / "ckpt", optimizer=optimizer)
    found = run_checkpoint.read_slots(
        path, model.trainable_variables, "velocity"
    )
    for value, velocity in zip(found, optimizer._velocities, strict=True):
        np.testing.assert_array_equal(value, velocity.numpy())


def test_slots_that_are_not_there(tmp_path):
    model = make_dense()
    path = save(model, tmp_path / "ckpt", optimizer=make_optimizer(model))
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{path}: expected the average of dense/kernel, which the run's "
            "optimiser keeps. Received: a checkpoint without it; restore the "
            "config.json that the run was started with"
        ),
    ):
        run_checkpoint.read_slots(path, model.trainable_variables, "average")
    with pytest.raises(ValueError, match="expected a checkpoint that can be "):
        run_checkpoint.read_slots(
            f"{path}x", model.trainable_variables, "average"
        )


def test_layers_in_lists_tuples_and_dicts(tmp_path):
    model = make_model(InLists(name="lists"))
    number(model.weights)
    assert len(model.weights) == 6
    path = save(model, tmp_path / "ckpt", optimizer=make_optimizer(model))
    other = make_model(InLists(name="lists"))
    step = tf.Variable(0, dtype=tf.int64)
    run_checkpoint.RunCheckpoint(other, {"step": step}).restore(path)
    assert int(step) == 7
    # 3 x 2 of a kernel and 2 of a bias, three times.
    values = np.concatenate([w.numpy().ravel() for w in other.weights])
    np.testing.assert_array_equal(values, np.arange(1, 25))


def test_optimizer_and_states_come_back(tmp_path):
    def make():
        model = make_model(
            keras.layers.Dense(2, name="dense"),
            layers.RepeatableDropout(0.5, seed=1, name="drop"),
            keras.layers.Dropout(0.5, seed=1),
        )
        return model, make_optimizer(model)

    model, optimizer = make()
    number(optimizer.variables)
    x = tf.ones([4, 3])
    model(x, training=True)
    path = save(model, tmp_path / "ckpt", optimizer=optimizer)
    expected = model(x, training=True)
    other, other_optimizer = make()
    step = tf.Variable(0, dtype=tf.int64)
    run_checkpoint.RunCheckpoint(
        other, {"step": step}, other_optimizer
    ).restore(path)
    for found, saved in zip(
        other_optimizer.variables, optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(found, saved)
    # What is dropped goes on: Keras's own dropout too.
    np.testing.assert_array_equal(other(x, training=True), expected)


def test_older_checkpoints_without_counts_and_averages(tmp_path):
    def make():
        return make_model(
            keras.layers.Dense(2, name="dense"),
            layers.BatchNormalization(name="norm"),
        )

    model = make()
    number(model.weights)
    # What such a version saved: optimisers had no averages of statistics.
    optimizer = optimizers.make_optimizer(
        config_lib.TrainingConfig(ema_momentum=0.5)
    )
    optimizer.build(model.trainable_variables)
    step = tf.Variable(7, dtype=tf.int64)
    saved = run_checkpoint.RunCheckpoint(model, {"step": step}, optimizer)
    path = saved._without([*saved._newer]).save(str(tmp_path / "ckpt"))
    assert not any("statistics" in name for name in names_in(path))
    assert run_checkpoint.has_slots(path, model.trainable_variables, "average")
    statistics = layers.moving_statistics(model)
    assert not run_checkpoint.has_slots(path, statistics, "average")
    other = make()
    optimizer = optimizers.make_optimizer(
        config_lib.TrainingConfig(ema_momentum=0.5), other
    )
    optimizer.build(other.trainable_variables)
    run_checkpoint.RunCheckpoint(
        other, {"step": tf.Variable(0, dtype=tf.int64)}, optimizer
    ).restore(path)
    # Averages of all of the run's steps; and what averages them starts there.
    assert int(other.get_layer("norm")._statistics_steps) == 7
    for average, statistic, before in zip(
        optimizer._averages_of_statistics,
        layers.moving_statistics(other),
        statistics,
        strict=True,
    ):
        np.testing.assert_array_equal(statistic, before)
        np.testing.assert_array_equal(average, before)
    with pytest.raises(ValueError, match="expected a checkpoint that can be "):
        run_checkpoint.has_slots(f"{path}x", statistics, "average")


def test_what_would_not_be_saved_is_refused():
    model = make_model(WithState(), keras.layers.Dense(2))
    with pytest.raises(
        ValueError,
        match="expected a checkpoint of all variables of the model and the "
        "optimiser. Received: one without Variable:0",
    ):
        run_checkpoint.RunCheckpoint(model, {}, make_optimizer(model))


@pytest.mark.parametrize("part", ["by_path", "_states"])
def test_a_part_that_forgets_a_variable_is_refused(monkeypatch, part):
    model = make_model(
        keras.layers.Dense(2, name="dense"),
        layers.RepeatableDropout(0.5, name="drop"),
    )
    optimizer = make_optimizer(model)
    make = getattr(run_checkpoint, part)
    monkeypatch.setattr(
        run_checkpoint, part, lambda found: dict([*make(found).items()][1:])
    )
    with pytest.raises(ValueError, match="Received: one without "):
        run_checkpoint.RunCheckpoint(model, {}, optimizer)


def test_two_variables_of_one_name_are_refused():
    first = keras.layers.Dense(2, name="dense")
    second = keras.layers.Dense(2, name="dense")
    for layer in (first, second):
        layer.build((None, 3))

    class Both(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = first, second

        def call(self, inputs):
            return self.first(inputs) + self.second(inputs)

    with pytest.raises(
        ValueError,
        match="expected variables of different names, to tell them apart in "
        "checkpoints. Received: dense/kernel twice",
    ):
        run_checkpoint.RunCheckpoint(make_model(Both()), {})


def check_refused(model, path, received) -> None:
    step = tf.Variable(0, dtype=tf.int64)
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(
        ValueError,
        match=(
            f"^{re.escape(path)}: expected the weights of the model that "
            "config.json describes. Received: other weights; restore the "
            rf"config.json that the run was started with. \({received}\)$"
        ),
    ):
        run_checkpoint.RunCheckpoint(model, {"step": step}).restore(path)
    if "missing" in received:  # Nothing was read by then.
        for weight, value in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)


def test_missing_weights(tmp_path):
    path = save(make_dense(use_bias=False), tmp_path / "ckpt")
    check_refused(make_dense(), path, "missing: dense/bias; unknown: none")


def test_weights_that_are_not_expected(tmp_path):
    path = save(make_dense(), tmp_path / "ckpt")
    check_refused(
        make_dense(use_bias=False),
        path,
        "missing: none; unknown: dense/bias",
    )


def test_many_missing_weights(tmp_path):
    path = save(make_dense(), tmp_path / "ckpt")
    check_refused(
        make_model(InLists(name="a")),
        path,
        r"missing: a/dense_0/bias, a/dense_0/kernel, a/dense_1/bias, "
        r"a/dense_1/kernel, a/dense_2/bias, \.\.\. \(6\); unknown: "
        "dense/bias, dense/kernel",
    )


def test_other_shapes(tmp_path):
    path = save(make_dense(), tmp_path / "ckpt")
    other = make_model(keras.layers.Dense(5, name="dense"))
    check_refused(other, path, r"[^\n]+")


def test_a_file_of_other_names(tmp_path):
    model = make_dense()
    step = tf.Variable(7, dtype=tf.int64)
    path = tf.train.Checkpoint(model=model, step=step).save(
        str(tmp_path / "ckpt")
    )
    check_refused(
        make_dense(),
        path,
        "missing: dense/bias, dense/kernel; unknown: none",
    )

"""Every case of projection is the same after it is saved and loaded."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

CASES = layer_conformance.CASES
# Every argument of Projection, none at its default.
ARGUMENTS = {
    "units": 17,
    "activation": "relu6",
    "kernel_initializer": keras.initializers.HeNormal(seed=3),
    "bias_initializer": keras.initializers.RandomNormal(seed=4),
    "kernel_regularizer": keras.regularizers.L2(0.25),
    "bias_regularizer": keras.regularizers.L1(0.5),
    "activity_regularizer": keras.regularizers.L2(0.125),
    "kernel_constraint": keras.constraints.MaxNorm(2.0),
    "bias_constraint": keras.constraints.NonNeg(),
    "name": "projection",
    "dtype": "mixed_bfloat16",
    "trainable": False,
}
# Arguments for structures that have diagonals.
OWN_ARGUMENTS = {
    "diagonal_initializer": keras.initializers.RandomNormal(seed=5),
    "diagonal_regularizer": keras.regularizers.L1(0.75),
    "diagonal_constraint": keras.constraints.UnitNorm(axis=1),
}


def own_arguments(case):
    names = layer_conformance.ORACLES[case].weight_shapes(7, 17)
    has_diagonals = any(name.endswith("diagonal") for name in names)
    return OWN_ARGUMENTS if has_diagonals else {}


@pytest.mark.parametrize("case", CASES)
def test_config_round_trip(case):
    arguments = ARGUMENTS | own_arguments(case)
    layer = layer_conformance.make_projection(case, **arguments)
    config = layer.get_config()
    plain = {"units", "name", "trainable"}
    for key, value in arguments.items():
        if key in plain:
            assert config[key] == value
        elif key == "activation":
            assert config[key] == "relu6"
        else:
            serialized = (
                keras.saving.serialize_keras_object(keras.DTypePolicy(value))
                if key == "dtype"
                else keras.saving.serialize_keras_object(value)
            )
            assert config[key] == serialized, key
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert again.structure == layer_conformance.ORACLES[case].structure
    # use_bias and the defaults.
    layer = layer_conformance.make_projection(case, 3, use_bias=False)
    again = type(layer).from_config(layer.get_config())
    again.build((None, 7))
    assert again.get_config() == layer.get_config()
    assert again.bias is None
    again(layer_conformance.random_rows(2, 7))


@pytest.mark.parametrize("case", CASES)
def test_same_config_and_seed_give_the_same_weights(case):
    layer = layer_conformance.make_projection(
        case, **(ARGUMENTS | own_arguments(case))
    )
    pair = [type(layer).from_config(layer.get_config()) for _ in range(2)]
    for again in pair:
        again.build((None, 7))
    ours, theirs = [layer_conformance.weights_by_name(each) for each in pair]
    for name in [*layer_conformance.ORACLES[case].initialized, "bias"]:
        assert np.unique(ours[name]).size > 1
        np.testing.assert_array_equal(ours[name], theirs[name])


def make_model(case):
    frames = keras.Input((None, 7), name="frames")
    wide = layer_conformance.make_layer(case, 7, 17, activation="tanh")
    narrow = layer_conformance.make_layer(case, 17, 5, use_bias=False, seed=1)
    return keras.Model(frames, narrow(wide(frames)))


@pytest.mark.parametrize("case", CASES)
def test_keras_file_round_trip(case, tmp_path):
    model = make_model(case)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [
        type(layer) for layer in model.layers
    ]
    x = layer_conformance.random_rows(2, 3, 7).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))
    np.testing.assert_array_equal(
        loaded.layers[1].as_dense_kernel(), model.layers[1].as_dense_kernel()
    )


@pytest.mark.parametrize("case", CASES)
def test_weights_file_round_trip(case, tmp_path):
    model = make_model(case)
    model.save_weights(tmp_path / "model.weights.h5")
    other = make_model(case)
    for variable in other.variables:
        variable.assign(tf.zeros(variable.shape, variable.dtype))
    other.load_weights(tmp_path / "model.weights.h5")
    x = layer_conformance.random_rows(2, 3, 7).astype("float32")
    np.testing.assert_array_equal(other(x), model(x))


@pytest.mark.parametrize("case", CASES)
def test_checkpoint_round_trip(case, tmp_path):
    model = make_model(case)
    path = tf.train.Checkpoint(model=model).save(tmp_path / "checkpoint")
    stored = [shape for _, shape in tf.train.list_variables(path)]
    # TensorFlow says nothing of weights that it does not find.
    for weight in model.weights:
        assert list(weight.shape) in stored
        stored.remove(list(weight.shape))
    other = make_model(case)
    for variable in other.variables:
        variable.assign(tf.zeros(variable.shape, variable.dtype))
    status = tf.train.Checkpoint(model=other).restore(path)
    status.assert_existing_objects_matched().assert_consumed()
    for ours, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.path)


def make_nested_model():
    """A model whose sums are in a model within it, and in a recurrent cell."""
    structure = structures.get("low_rank(rank=2) + toeplitz + low_rank")
    frames = keras.Input((None, 7), name="frames")
    inner = keras.Sequential(
        [
            keras.Input((None, 7)),
            layers.Projection(12, structure, activation="tanh", name="fc"),
        ],
        name="inner",
    )
    cell = layers.LstmCell(3, structure)
    return keras.Model(frames, keras.layers.RNN(cell)(inner(frames)))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["checkpoint", "keras", "weights", "export"])
def test_sums_within_keep_every_weight(way, tmp_path):
    model = make_nested_model()
    # 2 (2 + 1) weights and biases of two sums, of which no two are alike.
    assert len(model.weights) == 12
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.standard_normal(weight.shape))
    x = layer_conformance.random_rows(4, 5, 7).astype("float32")
    expected = model(x)
    other = make_nested_model()
    assert not np.isclose(other(x), expected).any()
    if way == "checkpoint":
        path = tf.train.Checkpoint(model=model).save(tmp_path / "checkpoint")
        tf.train.Checkpoint(model=other).restore(path).assert_consumed()
    elif way == "keras":
        model.save(tmp_path / "model.keras")
        other = keras.saving.load_model(tmp_path / "model.keras")
    elif way == "weights":
        model.save_weights(tmp_path / "model.weights.h5")
        other.load_weights(tmp_path / "model.weights.h5")
    else:
        model.export(tmp_path / "exported", verbose=False)
        exported = tf.saved_model.load(tmp_path / "exported")
        other = exported.serve
    np.testing.assert_allclose(other(x), expected, rtol=1e-5, atol=1e-6)
    if way != "export":
        for ours, theirs in zip(other.weights, model.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_saved_model_round_trip(tmp_path):
    # One model with all cases: each of its own would take a second.
    frames = keras.Input((None, 7), name="frames")
    each = [layer_conformance.make_layer(case, 7, 17) for case in CASES]
    model = keras.Model(frames, [layer(frames) for layer in each])
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for batch, frames in [(2, 3), (1, 4)]:
        x = layer_conformance.random_rows(batch, frames, 7).astype("float32")
        results = zip(CASES, exported.serve(x), model(x), strict=True)
        for case, ours, theirs in results:
            assert theirs.shape == (batch, frames, 17)
            np.testing.assert_allclose(
                ours, theirs, rtol=3e-5, atol=1e-5, err_msg=case
            )

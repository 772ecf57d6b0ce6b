"""Tests of packed layers, and of Keras's own `quantize`."""

import os
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures

X = np.random.default_rng(0).standard_normal((8, 100)).astype(np.float32)


def make_model(first="low_rank(rank=8) + diagonal_circulant@int8"):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((100,)),
            layers.Projection(64, first, activation="relu", name="first"),
            keras.layers.Dense(32, activation="relu", name="dense"),
            layers.Projection(500, "dense@binary", name="last"),
        ]
    )


@pytest.mark.slow
def test_pack_packs_what_has_a_precision():
    model = make_model()
    before = model.predict(X, verbose=0)
    layers.pack(model)
    assert str(model.get_layer("first").structure) == (
        "low_rank(rank=8) + diagonal_circulant@int8(packed=True)"
    )
    assert str(model.get_layer("last").structure) == "dense@binary(packed=True)"
    dtypes = [weight.dtype for weight in model.get_layer("first").weights]
    # Of the low rank and the bias; of a kernel and a diagonal.
    assert dtypes == ["float32"] * 3 + ["uint8", "float16"] * 2
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)
    layers.pack(model)
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)


def make_fitted(optimizer):
    model = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Projection(256, "dense@int4"),
            layers.Projection(128, "dense@binary"),
        ]
    )
    model.compile(optimizer, "mse")
    model.fit(X, np.zeros((8, 128)), verbose=0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("scaled", [False, True])
def test_files_of_a_fitted_model_hold_no_moments_of_floats(tmp_path, scaled):
    optimizer = keras.optimizers.Adam(0.025)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model = make_fitted(optimizer)
    layers.pack(model)
    before = model.predict(X, verbose=0)
    kind, config = type(model.optimizer), model.optimizer.get_config()
    assert (kind, config) == (type(optimizer), optimizer.get_config())
    path = os.path.join(tmp_path, "model.keras")
    model.save(path)
    # Codes, scales and biases; two moments of 4 bytes of the biases.
    codes = 100 * 256 // 2 + 256 * 128 // 8
    num_bytes = codes + (2 + 4 + 8) * (256 + 128)
    # 2 moments of all floats were 467 kB. Within it are h5 groups, too.
    assert os.path.getsize(path) < num_bytes + 50_000
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping variable loading")
        again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), before)
    # Biases are still trained, by both.
    for trained in (model, again):
        trained.fit(X, np.ones((8, 128)), verbose=0)
        assert trained.optimizer.iterations == 1
        assert not np.array_equal(trained.predict(X, verbose=0), before)


@keras.saving.register_keras_serializable(package="pack_test")
class Unknown(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that no configuration describes."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate

    def get_config(self):
        return {}


@pytest.mark.slow
def test_optimizers_stay_where_there_is_no_new_one():
    model = make_fitted(keras.optimizers.SGD(Unknown(0.01), momentum=0.9))
    optimizer = model.optimizer
    layers.pack(model)
    assert model.optimizer is optimizer
    model.fit(X, np.zeros((8, 128)), verbose=0)
    # And where nothing is packed.
    model = make_fitted("adam")
    layers.pack(model)
    optimizer = model.optimizer
    layers.pack(model)
    assert model.optimizer is optimizer


@pytest.mark.slow
def test_keras_quantizes_a_model_that_mixes_projections_with_dense():
    model = make_model()
    before = model.predict(X, verbose=0)
    model.quantize("int8", filters=lambda layer: "Input" not in str(layer))
    assert [str(layer.structure) for layer in layers.projections(model)] == [
        "low_rank(rank=8)@int8(packed=True) + "
        "diagonal_circulant@int8(packed=True)",
        "dense@binary(packed=True)",
    ]
    assert model.get_layer("dense").quantization_mode == "int8"
    after = model.predict(X, verbose=0)
    assert 0 < np.abs(after - before).max() < 0.05 * np.abs(before).max()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_files_of_a_quantized_model_have_its_bytes(kind, tmp_path):
    model = make_model("dense")
    model.quantize(kind, filters="first|last")
    before = model.predict(X, verbose=0)
    path = os.path.join(tmp_path, "model.keras")
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), before)
    for layer in layers.projections(again):
        for weight in layer.structure_weights.values():
            assert weight.dtype in ("uint8", "float16")

    folder = os.path.join(tmp_path, "saved_model")
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    np.testing.assert_allclose(loaded.serve(X), before, atol=1e-6)
    num_bytes = sum(
        layer.structure.num_bytes(*layer.sizes) + 4 * layer.units
        for layer in layers.projections(model)
    )
    dense = 4 * (64 * 32 + 32)
    data = os.path.join(folder, "variables", "variables.data-00000-of-00001")
    # The rest is what TensorFlow says of its objects, of every layer.
    assert 0 <= os.path.getsize(data) - num_bytes - dense < 25_000
    # Within it are h5 groups and a JSON of the layers.
    assert os.path.getsize(path) < num_bytes + dense + 30_000


def test_a_block_size_of_keras_counts():
    layer = layers.Projection(17)
    layer.build((None, 300))
    layer.quantize(
        config=keras.quantizers.Int4QuantizationConfig(
            block_size=64, activation_quantizer=None
        )
    )
    assert str(layer.structure) == "dense@int4(packed=True, block_size=64)"
    layer = layers.Projection(17)
    layer.build((None, 300))
    layer.quantize("int8")
    assert str(layer.structure) == "dense@int8(packed=True)"


def test_what_can_not_be_quantized_is_refused():
    layer = layers.Projection(17, name="fc")
    with pytest.raises(ValueError, match="expected a built layer"):
        layer.pack()
    layer.build((None, 30))
    message = "expected a mode of int8, int4 for a projection. Received: mode='"
    with pytest.raises(ValueError, match=message):
        layer.quantize("float8")
    config = keras.quantizers.Int8QuantizationConfig(
        weight_quantizer=keras.quantizers.AbsMaxQuantizer(axis=0)
    )
    with pytest.raises(ValueError, match="expected no weight quantiser"):
        layer.quantize(config=config)
    kernel = np.ones((30, 17))
    kernel[2, 3] = np.nan
    layer.kernel.assign(kernel)
    message = "expected a kernel of shape [30, 17] with finite values. Received"
    for _ in range(2):
        with pytest.raises(ValueError, match=re.escape(message)):
            layer.quantize("int4")
        assert layer.structure == structures.Dense()
    layer.kernel.assign(1e9 * np.ones((30, 17)))
    message = "expected weights whose scales are within the range of float16."
    with pytest.raises(ValueError, match=message):
        layer.quantize("int4")
    assert [weight.path for weight in layer.weights] == ["fc/kernel", "fc/bias"]
    layer(tf.ones([2, 30]))


@pytest.mark.slow
def test_a_deferred_product_has_the_rounded_weights():
    frames = keras.Input((5, 12))
    x = layers.Projection(
        40, "diagonal_circulant@int4", use_bias=False, deferred=True, name="p"
    )(frames)
    outputs = layers.FrameNormalization(
        units=40, structure="diagonal_circulant@int4", name="n"
    )(x)
    model = keras.Model(frames, outputs)
    plain = keras.Sequential(
        [
            keras.Input((5, 12)),
            layers.Projection(40, "diagonal_circulant@int4", use_bias=False),
            layers.FrameNormalization(),
        ]
    )
    plain.set_weights(model.get_weights())
    x = np.random.default_rng(1).standard_normal((2, 5, 12))
    x = x.astype(np.float32)
    expected = plain.predict(x, verbose=0)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5
    )
    layers.pack(model)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5
    )


def test_paths_of_packed_layers_within_others_stay(tmp_path):
    def make(structure):
        inputs = keras.Input((5, 24))
        cell = layers.LstmCell(6, structure, name="cell")
        outputs = keras.layers.RNN(cell, name="layer_0")(inputs)
        return keras.Model(inputs, outputs)

    model = make("dense@int8")
    layers.pack(model)
    built = make("dense@int8(packed=True)")
    paths = [weight.path for weight in model.weights]
    assert "layer_0/cell/recurrent/kernel_codes" in paths
    assert sorted(paths) == sorted(weight.path for weight in built.weights)

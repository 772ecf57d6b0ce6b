"""Every structure in every precision trains, packs, saves, loads, exports."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

INPUT_DIM, UNITS = 24, 40
PRECISIONS = tuple(structures.PRECISIONS)  # float32 too
# Many seconds each, most of them for graphs: sizes matter little.
CASES = layer_conformance.FIRST_CASES
RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, INPUT_DIM)).astype(np.float32)
WANTED = RNG.normal(size=(32, UNITS)).astype(np.float32)


def make_model(case):
    """Makes a model with an output of each precision."""
    base = layer_conformance.ORACLES[case].structure
    inputs = keras.Input((INPUT_DIM,))
    outputs = {
        name: layers.Projection(UNITS, f"({base})@{name}", name=name)(inputs)
        for name in PRECISIONS
    }
    return keras.Model(inputs, outputs)


def predict(model):
    return {name: y.numpy() for name, y in model(tf.constant(X)).items()}


def losses(outputs):
    return {name: np.mean((y - WANTED) ** 2) for name, y in outputs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_trained_packed_saved_loaded_and_exported(case, tmp_path):
    keras.utils.set_random_seed(0)
    model = make_model(case)
    before = losses(predict(model))
    latent = {weight.path: weight.numpy() for weight in model.trainable_weights}
    model.compile(
        keras.optimizers.Adam(0.02),
        dict.fromkeys(PRECISIONS, "mse"),
        jit_compile=False,
    )
    model.fit(X, dict.fromkeys(PRECISIONS, WANTED), epochs=8, verbose=0)
    for weight in model.trainable_weights:
        old = latent[weight.path]
        assert not np.array_equal(weight.numpy(), old), weight.path
    trained = predict(model)
    after = losses(trained)
    for name in PRECISIONS:
        assert after[name] < before[name], name

    layers.pack(model)
    np.testing.assert_equal(predict(model), trained)
    # Of float32 there is nothing to pack; of the others, nothing is left to
    # train but the bias, and nothing to keep but bits, scales and the bias.
    expected = 0
    for layer in layers.projections(model):
        if layer.name != "float32":
            assert [w.name for w in layer.trainable_weights] == ["bias"]
        num_bytes = layer.structure.num_bytes(INPUT_DIM, UNITS) + 4 * UNITS
        assert sum(w.numpy().nbytes for w in layer.weights) == num_bytes
        expected += num_bytes

    model.save(tmp_path / "model.keras")
    # Without Adam's moments of what is packed now.
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_equal(predict(loaded), trained)
    assert [str(layer.structure) for layer in layers.projections(loaded)] == [
        str(layer.structure) for layer in layers.projections(model)
    ]

    loaded.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    found = served.serve(X)
    for name in PRECISIONS:
        np.testing.assert_allclose(
            found[name], trained[name], rtol=1e-5, atol=1e-5
        )
    kept = sum(value.numpy().nbytes for value in served.variables)
    assert kept == expected

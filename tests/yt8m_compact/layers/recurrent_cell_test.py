"""Tests of the cells of recurrent layers."""

import keras
import numpy as np
import pytest

from yt8m_compact import layers

CELLS = {
    "lstm": (layers.LstmCell, keras.layers.LSTM),
    "gru": (layers.GruCell, keras.layers.GRU),
}


@pytest.mark.parametrize("name", CELLS)
def test_dense_cell_equals_the_layer_of_keras(name):
    cell, layer = CELLS[name]
    ours = keras.layers.RNN(cell(5), return_sequences=True)
    theirs = layer(5, return_sequences=True)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 6, 4)).astype("float32")
    mask = np.arange(6) < np.array([[6], [2], [4]])
    expected = theirs(x, mask=mask)
    kernel, recurrent_kernel, bias = (
        rng.normal(0, 0.5, w.shape) for w in theirs.weights
    )
    theirs.set_weights([kernel, recurrent_kernel, bias])
    expected = theirs(x, mask=mask)
    gates = (x @ kernel).astype("float32")
    ours(gates, mask=mask)
    ours.cell.recurrent_projection.assign_dense(recurrent_kernel)
    ours.cell.bias.assign(bias)
    np.testing.assert_allclose(
        ours(gates, mask=mask), expected, rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("structure", ["dense", "circulant"])
def test_starts_as_the_layer_of_keras(name, structure):
    cell, layer = CELLS[name]
    ours, theirs = cell(64, structure), layer(64)
    ours.build((None, 64 * cell.num_gates))
    theirs.build((None, None, 3))
    np.testing.assert_array_equal(ours.bias, theirs.cell.bias)
    kernel = ours.recurrent_projection.as_dense_kernel().numpy()
    # Orthogonal, 64 rows of unit length.
    length = np.sqrt((kernel**2).sum(axis=1))
    np.testing.assert_allclose(
        (length**2).mean(),
        cell.num_gates if structure != "dense" else 1,
        rtol=0.3,
    )


@pytest.mark.parametrize("name", CELLS)
def test_config_round_trip(name):
    cell = CELLS[name][0](5, "block_circulant(block_size=2)", name="cell")
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    assert again.recurrent_projection.structure.block_size == 2
    assert again.recurrent_projection.units == 5 * cell.num_gates
    assert not again.recurrent_projection.use_bias


@pytest.mark.parametrize("name", CELLS)
def test_wrong_sizes_are_refused(name):
    cell = CELLS[name][0]
    with pytest.raises(ValueError, match="positive int. Received: units=0"):
        cell(0)
    with pytest.raises(ValueError, match="Received: structure='thin'"):
        cell(3, "thin")
    with pytest.raises(
        ValueError,
        match=f"expected {5 * cell.num_gates} values for {cell.num_gates} "
        r"gates of 5 units. Received: input_shape=\(None, 7\)",
    ):
        cell(5).build((None, 7))


@pytest.mark.parametrize("kind", [layers.LstmCell, layers.GruCell])
def test_packed_weights_come_back_from_a_file(tmp_path, kind):
    frames = keras.Input((None, kind.num_gates * 6))
    cell = kind(6, "dense@int4")
    model = keras.Model(frames, keras.layers.RNN(cell)(frames))
    values = np.random.default_rng(0).normal(size=(2, 3, frames.shape[-1]))
    layers.pack(model)
    expected = model(values, training=False)
    assert str(cell.structure) == "dense@int4(packed=True)"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(values, training=False), expected)

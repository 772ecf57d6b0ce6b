"""Sums of structures, of any kinds, and the layers they are in."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

SUM = structures.Toeplitz() + structures.LowRank(2) + structures.Circulant()


def test_is_the_sum_of_its_parts():
    layer = layers.Projection(
        12, SUM, activation="tanh", bias_initializer="random_normal"
    )
    x = layer_conformance.random_rows(3, 5).astype("float32")
    outputs = layer(x)
    # W[i, j] = t[11 + i - j] + (L @ R)[i, j] + c[j // 5, (i - j) mod 5]
    kernel = layer.low_rank_left.numpy() @ layer.low_rank_right.numpy()
    for i, j in np.ndindex(5, 12):
        kernel[i, j] += layer.toeplitz_kernel.numpy()[11 + i - j]
        kernel[i, j] += layer.circulant_kernel.numpy()[j // 5, (i - j) % 5]
    np.testing.assert_allclose(layer.as_dense_kernel(), kernel, rtol=1e-5)
    expected = np.tanh(x @ kernel + layer.bias.numpy())
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    # 2 (5 + 12) of the low rank.
    assert layer.multiply_adds == 34 + sum(
        part.multiply_adds(5, 12)
        for part in (structures.Toeplitz(), structures.Circulant())
    )


def test_weights_of_parts_are_counted_and_named():
    layer = layers.Projection(12, SUM + structures.LowRank(1), name="fc")
    layer.build((None, 5))
    assert {w.path: tuple(w.shape) for w in layer.weights} == {
        "fc/toeplitz_kernel": (16,),
        "fc/low_rank_left": (5, 2),
        "fc/low_rank_right": (2, 12),
        "fc/circulant_kernel": (3, 5),
        "fc/low_rank_2_left": (5, 1),
        "fc/low_rank_2_right": (1, 12),
        "fc/bias": (12,),
    }
    assert layer.count_params() == 16 + 10 + 24 + 15 + 17 + 12


def test_sums_of_sums_are_flat():
    one, two, three = SUM.parts
    assert one + (two + three) == (one + two) + three == SUM
    assert SUM + SUM == structures.Sum((one, two, three, one, two, three))
    assert structures.Sum([SUM, one]).parts == (one, two, three, one)


def test_each_part_has_its_share_of_the_variance():
    keras.utils.set_random_seed(0)
    layer = layers.Projection(300, SUM, kernel_initializer="he_normal")
    layer.build((None, 300))
    weights = layer_conformance.weights_by_name(layer)
    low_rank = weights["low_rank_left"] @ weights["low_rank_right"]
    # 300 times the variance of an entry is 2 in all. The low rank has the
    # fewest weights, 2 times 600: 4 / sqrt(600).
    for entries in [
        weights["toeplitz_kernel"],
        weights["circulant_kernel"],
        low_rank,
    ]:
        np.testing.assert_allclose(300 * np.var(entries), 2 / 3, rtol=0.3)


def test_parts_of_one_kind_start_differently():
    structure = structures.get("circulant + diagonal_circulant") + SUM.parts[2]
    keras.utils.set_random_seed(0)
    layer = layers.Projection(9, structure, kernel_initializer="he_normal")
    layer.build((None, 9))
    weights = layer_conformance.weights_by_name(layer)
    values = np.concatenate(
        [
            weights[name].ravel()
            for name in (
                "circulant_kernel",
                "circulant_2_kernel",
                "diagonal_circulant_kernel",
            )
        ]
    )
    assert np.unique(values).size == 27
    pair = structures.DiagonalCirculant() + structures.DiagonalCirculant(2)
    layer = layers.Projection(40, pair)
    layer.build((None, 40))
    assert np.any(
        layer.diagonal_circulant_diagonal.numpy()
        != layer.diagonal_circulant_2_diagonal.numpy()[:1]
    )


def test_saves_and_loads_with_its_arguments(tmp_path):
    inputs = keras.Input((5,))
    layer = layers.Projection(
        12, SUM, kernel_regularizer=keras.regularizers.L2(0.5)
    )
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].structure == SUM
    x = layer_conformance.random_rows(3, 5).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))
    expected = sum(
        0.5 * np.sum(w.numpy() ** 2) for w in layer.weights if w.name != "bias"
    )
    np.testing.assert_allclose(sum(loaded.losses), expected, rtol=1e-5)


def test_nearest_is_better_than_that_of_a_part():
    kernel = layer_conformance.random_rows(6, 9)
    parts = (structures.Toeplitz(), structures.LowRank(2))

    def error_of(structure):
        nearest = structure.nearest(kernel)
        weights = {name: tf.constant(v) for name, v in nearest.items()}
        assert set(nearest) == {s.name for s in structure.weights(6, 9)}
        return np.sum((structure.as_dense(weights, 6, 9) - kernel) ** 2)

    error = error_of(structures.Sum(parts))
    for part in parts:
        assert error < 0.99 * error_of(part)


def test_a_16_bit_part_is_computed_in_the_dtype_it_needs():
    # Toeplitz takes no float16: its transforms are float32. The low rank is
    # a product of float16, which is what its kind asks for alone.
    structure = structures.Toeplitz() + structures.LowRank(2)
    assert structure.uses_transforms
    assert not (structures.LowRank() + structures.Dense()).uses_transforms
    x = tf.cast(layer_conformance.random_rows(3, 300), "float16")
    rng = np.random.default_rng(0)
    weights = {
        spec.name: tf.constant(rng.standard_normal(spec.shape) / 9, "float32")
        for spec in structure.weights(300, 400)
    }
    left = tf.cast(weights["low_rank_left"], "float16")
    right = tf.cast(weights["low_rank_right"], "float16")
    toeplitz = structures.Toeplitz().multiply(
        {"kernel": weights["toeplitz_kernel"]}, tf.cast(x, "float32"), 400
    )
    expected = tf.cast(toeplitz, "float16") + x @ left @ right
    result = structure.multiply(weights, x, 400)
    assert result.dtype == "float16"
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("number", [0, 1, 17])
def test_too_few_or_too_many_parts_are_refused(number):
    with pytest.raises(
        ValueError,
        match=rf"expected 2 to 16 parts of a sum\. Received: {number} parts",
    ):
        structures.Sum((structures.Dense(),) * number)


def test_parts_that_are_no_structures_are_refused():
    with pytest.raises(
        ValueError,
        match="expected structures as parts of a sum. Received: part='dense'",
    ):
        structures.Sum((structures.Dense(), "dense"))
    with pytest.raises(TypeError, match="unsupported operand"):
        structures.Dense() + "dense"

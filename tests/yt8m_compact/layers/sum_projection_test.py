"""Sums of structured projections, of any kinds."""

import keras
import numpy as np
import pytest

import layer_conformance
from yt8m_compact import layers


def make_sum(units=12, **kwargs):
    return layers.SumProjection(
        units, kinds=("toeplitz", "low_rank", "circulant"), rank=2, **kwargs
    )


def test_is_the_sum_of_its_parts():
    layer = make_sum(activation="tanh", bias_initializer="random_normal")
    x = layer_conformance.random_rows(3, 5).astype("float32")
    outputs = layer(x)
    toeplitz, low_rank, circulant = layer.parts
    assert isinstance(toeplitz, layers.ToeplitzProjection)
    assert isinstance(low_rank, layers.LowRankProjection)
    assert isinstance(circulant, layers.CirculantProjection)
    # W[i, j] = t[11 + i - j] + (L @ R)[i, j] + c[j // 5, (i - j) mod 5]
    kernel = np.array(low_rank.left) @ np.array(low_rank.right)
    for i, j in np.ndindex(5, 12):
        kernel[i, j] += toeplitz.kernel.numpy()[11 + i - j]
        kernel[i, j] += circulant.kernel.numpy()[j // 5, (i - j) % 5]
    np.testing.assert_allclose(layer.as_dense_kernel(), kernel, rtol=1e-5)
    expected = np.tanh(x @ kernel + layer.bias.numpy())
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert layer.multiply_adds == sum(p.multiply_adds for p in layer.parts)


def test_weights_of_parts_are_counted_and_named():
    layer = make_sum(name="fc")
    layer.build((None, 5))
    assert {w.path: tuple(w.shape) for w in layer.weights} == {
        "fc/toeplitz/kernel": (16,),
        "fc/low_rank/left": (5, 2),
        "fc/low_rank/right": (2, 12),
        "fc/circulant/kernel": (3, 5),
        "fc/bias": (12,),
    }
    assert layer.count_params() == 16 + 10 + 24 + 15 + 12


def test_options_go_to_the_parts_that_have_them():
    layer = layers.LowRankPlusCirculantProjection(
        12, rank=4, num_factors=3, shared_diagonal=True
    )
    low_rank, circulant = layer.parts
    assert low_rank.rank == 4
    assert (circulant.num_factors, circulant.shared_diagonal) == (3, True)
    layer.build((None, 5))
    # Three factors of three blocks and a diagonal, all of 5.
    assert layer.count_params() == 4 * 17 + 3 * (3 + 1) * 5 + 12


def test_each_part_has_its_share_of_the_variance():
    keras.utils.set_random_seed(0)
    x = layer_conformance.random_rows(50, 300).astype("float32")
    layer = make_sum(300, kernel_initializer="he_normal", use_bias=False)
    layer(x)
    # 2 in all. The low rank has the fewest weights, 2 times 600: 4 / sqrt(600).
    for part in layer.parts:
        np.testing.assert_allclose(np.var(part(x)), 2 / 3, rtol=0.3)


def test_saves_and_loads_with_its_options(tmp_path):
    inputs = keras.Input((5,))
    layer = make_sum(kernel_regularizer=keras.regularizers.L2(0.5))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.layers[1]
    assert isinstance(again, layers.SumProjection)
    assert again.kinds == ("toeplitz", "low_rank", "circulant")
    assert again.parts[1].rank == 2
    x = layer_conformance.random_rows(3, 5).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))
    expected = sum(
        0.5 * np.sum(w.numpy() ** 2) for w in layer.weights if w.name != "bias"
    )
    np.testing.assert_allclose(sum(loaded.losses), expected, rtol=1e-5)


def test_from_dense_of_other_kinds():
    kernel = layer_conformance.random_rows(6, 9)
    layer = layers.SumProjection.from_dense(
        kernel, kinds=("toeplitz", "low_rank"), rank=2
    )
    error = np.sum((layer.as_dense_kernel() - kernel) ** 2)
    for part in layer.parts:
        alone = type(part).from_dense(
            kernel, **({"rank": 2} if part.name == "low_rank" else {})
        )
        alone_error = np.sum((alone.as_dense_kernel() - kernel) ** 2)
        assert error < 0.99 * alone_error


@pytest.mark.parametrize(
    "kinds", [(), ("low_rank", "low_rank"), ("low_rank", "sparse")], ids=str
)
def test_bad_kinds_are_refused(kinds):
    with pytest.raises(
        ValueError,
        match=r"expected one or more different kinds, of dense, .*\. "
        r"Received: kinds=\(",
    ):
        layers.SumProjection(3, kinds=kinds)


def test_option_of_no_part_is_refused():
    with pytest.raises((TypeError, ValueError), match="block_size"):
        make_sum(block_size=3)

"""Tests of the projection layer, and of what only some structures have."""

import math

import keras
import numpy as np
import pytest

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures


def test_structure_is_a_text_or_a_value():
    for structure in ["low_rank(rank=3)", structures.LowRank(3)]:
        layer = layers.Projection(5, structure, name="fc", use_bias=False)
        assert layer.structure == structures.LowRank(rank=3)
        assert (layer.units, layer.name, layer.use_bias) == (5, "fc", False)
        assert layer.get_config()["structure"] == "low_rank(rank=3)"
    assert layers.Projection(5).structure == structures.Dense()


def test_unknown_structure_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected a structure, one of dense, circulant, .*\. Received: "
        r"structure='sparce'; did you mean sparse\?",
    ):
        layers.Projection(5, "sparce")


@pytest.mark.parametrize("name", ["initializer", "regularizer", "constraint"])
def test_arguments_for_diagonals_that_are_not_there_are_refused(name):
    argument = {
        "initializer": "ones",
        "regularizer": "l2",
        "constraint": "non_neg",
    }[name]
    layer = layers.Projection(
        5, "circulant", name="fc", **{f"diagonal_{name}": argument}
    )
    with pytest.raises(
        ValueError,
        match=f"expected a structure that has diagonals with diagonal_{name}. "
        "Received: structure=circulant, layer=fc",
    ):
        layer.build((None, 3))


def test_narrow_circulant_written_out():
    # C[i, j] = c[(i - j) mod 3]: column j is c turned down by j.
    layer = layers.Projection(2, "circulant", use_bias=False)
    layer.build((None, 3))
    layer.kernel.assign([[2.0, 3.0, 5.0]])
    expected = [[2, 5], [3, 2], [5, 3]]
    np.testing.assert_array_equal(layer.as_dense_kernel(), expected)
    # [1, 10, 100] @ expected
    np.testing.assert_allclose(
        layer(np.array([[1.0, 10, 100]])), [[532, 325]], rtol=1e-6
    )


def test_wide_diagonal_circulant_written_out():
    # Blocks diag(d) @ circ(c) for n = 2, three of the four columns kept.
    layer = layers.Projection(3, "diagonal_circulant", use_bias=False)
    layer.build((None, 2))
    layer.kernel.assign([[[2.0, 3.0], [5.0, 7.0]]])
    layer.diagonal.assign([[[1.0, 10.0], [100.0, 1000.0]]])
    expected = [[2, 3, 500], [30, 20, 7000]]
    np.testing.assert_array_equal(layer.as_dense_kernel(), expected)
    np.testing.assert_allclose(
        layer(np.array([[1.0, 2]])), [[62, 43, 14500]], rtol=1e-6
    )


def build(structure, input_dim, units):
    layer = layers.Projection(
        units, structure, kernel_initializer="zeros", use_bias=False
    )
    layer.build((None, input_dim))
    return layer


def test_weights_of_the_papers_layers():
    # The paper's table T1: the embedding and the hidden layer of the video
    # branch. Its compact mixture of experts has 38 + 31 circulants of 512.
    assert build("dense", 1024, 8192).count_params() == 8_388_608
    assert build("diagonal_circulant", 1024, 8192).count_params() == 16_384
    assert build("diagonal_circulant", 8192, 512).count_params() == 16_384
    assert build("diagonal_circulant", 4096, 512).count_params() == 8_192
    assert build("circulant", 512, 19_310).count_params() == 38 * 512
    assert build("circulant", 512, 15_448).count_params() == 31 * 512


def test_multiply_adds():
    assert build("dense", 1024, 8192).multiply_adds == 1024 * 8192
    # A transform of 1024: 1.25 * 1024 * 10 = 12800; 513 frequencies, 4 each.
    circulant = build("circulant", 1024, 8192).multiply_adds
    assert circulant == 9 * 12_800 + 8 * 513 * 4
    # Eight forward transforms instead of one, and the diagonals.
    diagonal = build("diagonal_circulant", 1024, 8192).multiply_adds
    assert diagonal == 16 * 12_800 + 8 * 513 * 4 + 8 * 1024
    # One block.
    narrow = build("circulant", 1152, 512).multiply_adds
    transforms = 2 * 1.25 * 1152 * math.log2(1152)
    assert narrow == math.ceil(transforms + 577 * 4)


def test_diagonal_starts_with_random_signs():
    layer = layers.Projection(2000, "diagonal_circulant")
    layer.build((None, 100))
    diagonal = layer.diagonal.numpy()
    np.testing.assert_array_equal(np.unique(diagonal), [-1, 1])
    assert abs(diagonal.mean()) < 0.1
    other = layers.Projection(2000, "diagonal_circulant")
    other.build((None, 100))
    assert 0.4 < np.mean(other.diagonal.numpy() == diagonal) < 0.6


def test_diagonal_arguments():
    layer = layers.Projection(
        17,
        "diagonal_circulant",
        diagonal_initializer=keras.initializers.RandomNormal(seed=1),
        diagonal_regularizer=keras.regularizers.L1(0.5),
        diagonal_constraint=keras.constraints.NonNeg(),
    )
    layer.build((None, 7))
    drawn = keras.initializers.RandomNormal(seed=1)((1, 3, 7))
    np.testing.assert_array_equal(layer.diagonal, drawn)
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.5 * np.abs(drawn).sum(), rtol=1e-5)
    keras.optimizers.SGD(0.0).apply(
        [np.zeros(v.shape, "float32") for v in layer.trainable_variables],
        layer.trainable_variables,
    )
    np.testing.assert_array_equal(layer.diagonal, np.maximum(drawn, 0))


def test_multiply_adds_of_the_other_structures():
    assert build("low_rank", 1024, 512).multiply_adds == 32 * (1024 + 512)
    assert build("hashed", 1024, 512).multiply_adds == 1024 * 512
    assert build("sparse", 1024, 512).multiply_adds == 1024 * 512
    # Two products with the matrix of 200 values, and the diagonals, a block.
    assert build("acdc", 200, 300).multiply_adds == 2 * 2 * (200**2 + 200)
    # Hadamard matrices of 32 and 32 along 1024 values; three diagonals.
    fastfood = build("fastfood", 1000, 1100).multiply_adds
    assert fastfood == 2 * (2 * 1024 * 64 + 3 * 1024)
    both = build("low_rank + diagonal_circulant", 1024, 512).multiply_adds
    part = build("diagonal_circulant", 1024, 512).multiply_adds
    assert both == 32 * (1024 + 512) + part


@pytest.mark.slow
def test_permutation_of_fastfood_comes_from_keras_seeds():
    def permutation():
        layer = layers.Projection(1500, "fastfood")
        layer.build((None, 1000))
        return layer.permutation.numpy()

    keras.utils.set_random_seed(3)
    one, other = permutation(), permutation()
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(permutation(), one)
    assert np.mean(one == other) < 0.01
    np.testing.assert_array_equal(np.sort(one), [range(1024)] * 2)


def test_conformance_helper_equals_explicit_loops():
    # What the other tests compare with, for a size with blocks cut short.
    layer = layer_conformance.make_layer("diagonal_circulant", 3, 8)
    weights = layer_conformance.weights_by_name(layer)
    loops = np.zeros([3, 8])
    for i in range(3):
        for column in range(8):
            block, j = divmod(column, 3)
            loops[i, column] = (
                weights["diagonal"][0, block, i]
                * weights["kernel"][0, block, (i - j) % 3]
            )
    np.testing.assert_allclose(
        layer_conformance.expected_kernel("diagonal_circulant", layer),
        loops,
        rtol=1e-6,
    )

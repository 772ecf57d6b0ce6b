"""Tests of the initialisers."""

import json

import keras
import numpy as np
import pytest

from yt8m_compact import layers
from yt8m_compact.layers import initializers


@pytest.mark.parametrize(
    "initializer",
    [
        keras.initializers.GlorotUniform(seed=1),
        keras.initializers.GlorotNormal(seed=2),
        keras.initializers.HeUniform(seed=3),
        keras.initializers.HeNormal(seed=4),
        keras.initializers.LecunNormal(seed=5),
        keras.initializers.VarianceScaling(
            3.0, mode="fan_out", distribution="untruncated_normal", seed=6
        ),
    ],
    ids=lambda initializer: type(initializer).__name__,
)
@pytest.mark.parametrize("shape", [(5, 40), (40, 5)], ids=str)
def test_for_dense_shape_fills_a_dense_kernel_as_keras_does(initializer, shape):
    rewritten = initializers.for_dense_shape(initializer, *shape)
    expected = initializer(shape)
    np.testing.assert_allclose(rewritten(shape), expected, rtol=1e-6)
    # The shape to fill no longer matters: a vector gets the same scale.
    draws = np.asarray(rewritten((2000,)))
    scale = np.std(initializer((shape[0], shape[1] * 100))) * np.sqrt(
        _fan(initializer.mode, shape[0], shape[1] * 100)
        / _fan(initializer.mode, *shape)
    )
    np.testing.assert_allclose(draws.std(), scale, rtol=0.05)


def _fan(mode, fan_in, fan_out):
    return {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "fan_avg": (fan_in + fan_out) / 2,
    }[mode]


def test_for_dense_shape_leaves_other_initializers_alone():
    for initializer in [
        keras.initializers.RandomNormal(seed=1),
        keras.initializers.Zeros(),
        layers.RandomSign(),
        None,
    ]:
        assert initializers.for_dense_shape(initializer, 3, 5) is initializer


def test_fan_out_normal_has_the_stddev_of_the_papers_code():
    # N(0, 1 / sqrt(512)) for both factors of the hidden layer, of 8192 values
    # here: their standard deviation is within 4 / sqrt(2 * 8192) of that.
    layer = layers.Projection(
        512,
        "diagonal_circulant(num_factors=3)",
        kernel_initializer=layers.FanOutNormal(),
        diagonal_initializer=layers.FanOutNormal(),
    )
    layer.build((None, 8192))
    for weight in [layer.kernel, layer.diagonal]:
        for factor in weight.numpy():
            np.testing.assert_allclose(factor.std(), 512**-0.5, rtol=0.032)
            assert abs(factor.mean()) < 4 * 512**-0.5 / 8192**0.5
    assert not np.isclose(layer.kernel, layer.diagonal).all()
    # Wide: the fan is the number of units, not the size of the blocks.
    wide = layers.Projection(
        19_310, "circulant", kernel_initializer=layers.FanOutNormal(seed=1)
    )
    wide.build((None, 512))
    assert wide.kernel.shape == (38, 512)
    np.testing.assert_allclose(
        wide.kernel.numpy().std(), 19_310**-0.5, rtol=0.03
    )


def test_initialization_of_the_follow_up():
    # c ~ N(0, sqrt(2 / n)) and d = +-1 (arXiv 1901.10255, section 4).
    layer = layers.Projection(
        1152,
        "diagonal_circulant",
        kernel_initializer=keras.initializers.RandomNormal(
            stddev=np.sqrt(2 / 1152)
        ),
    )
    layer.build((None, 1152))
    np.testing.assert_allclose(
        layer.kernel.numpy().std(), np.sqrt(2 / 1152), rtol=0.09
    )
    np.testing.assert_array_equal(np.unique(layer.diagonal), [-1, 1])


def test_fan_out_normal_of_a_matrix_seeds_and_config():
    one = layers.FanOutNormal(seed=1)
    draws = np.asarray(one((200, 50)))
    np.testing.assert_allclose(draws.std(), 50**-0.5, rtol=0.03)
    np.testing.assert_array_equal(one((200, 50)), draws)
    other = layers.FanOutNormal(seed=2)((200, 50))
    assert not np.isclose(other, draws).all()
    assert one((3,), dtype="float64").dtype == "float64"
    again = keras.initializers.deserialize(keras.initializers.serialize(one))
    assert isinstance(again, layers.FanOutNormal)
    assert again.seed == 1


def test_reseeded_draws_other_values_of_the_same_distribution():
    for initializer in [
        keras.initializers.RandomNormal(mean=5.0, stddev=0.5),
        keras.initializers.RandomNormal(mean=5.0, stddev=0.5, seed=3),
    ]:
        left = initializers.reseeded(initializer, "left")
        values = [
            np.asarray(each((1000,)))
            for each in [
                initializer,
                left,
                initializers.reseeded(initializer, "right"),
            ]
        ]
        for draws in values:
            np.testing.assert_allclose(draws.mean(), 5, atol=0.08)
            np.testing.assert_allclose(draws.std(), 0.5, atol=0.06)
        correlations = np.corrcoef(values) - np.eye(3)
        assert np.abs(correlations).max() < 0.13
        again = initializers.reseeded(initializer, "left")
        np.testing.assert_array_equal(left((9,)), again((9,)))
    for initializer in [
        keras.initializers.Ones(),
        keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(1)),
    ]:
        assert initializers.reseeded(initializer, "left") is initializer


def test_random_permutation():
    rows = np.asarray(initializers.RandomPermutation(seed=1)((30, 16)))
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(np.sort(rows, axis=1), [range(16)] * 30)
    # Each number is in many places, and rows differ.
    assert min(np.unique(column).size for column in rows.T) > 8
    again = initializers.RandomPermutation(seed=1)((30, 16))
    np.testing.assert_array_equal(rows, again)
    assert np.any(rows != initializers.RandomPermutation(seed=2)((30, 16)))
    config = keras.initializers.serialize(
        initializers.RandomPermutation(seed=7)
    )
    assert keras.initializers.deserialize(config).seed == 7


@pytest.mark.slow
def test_random_positions():
    # 5 of 12 entries: each is one of them in 5 of 12 draws, about.
    counts = np.zeros(12)
    for seed in range(300):
        drawn = initializers.RandomPositions(3, 4, kept=5, seed=seed)((5,))
        assert np.asarray(drawn).dtype == np.int32
        assert np.all(np.diff(drawn) > 0)
        counts[np.asarray(drawn)] += 1
    np.testing.assert_allclose(counts / 300, 5 / 12, atol=0.12)
    arguments = {"rows": 7, "columns": 5, "kept": 2, "group": 4, "seed": 1}
    one = initializers.RandomPositions(**arguments)
    # A group of 4 and one of 3, of 2 each.
    drawn = np.asarray(one((20,)))
    of_groups = drawn // 7 * 2 + drawn % 7 // 4
    np.testing.assert_array_equal(np.bincount(of_groups), np.full(10, 2))
    config = keras.initializers.serialize(one)
    again = keras.initializers.deserialize(config)
    assert again.get_config() == arguments
    np.testing.assert_array_equal(again((20,)), drawn)
    other = initializers.RandomPositions(**{**arguments, "seed": 2})
    assert np.any(other((20,)) != drawn)
    with pytest.raises(
        ValueError,
        match=r"expected the shape of 20 positions\. Received: shape=\(21,\)",
    ):
        one((21,))


def test_random_sign_draws_both_signs_evenly():
    signs = np.asarray(layers.RandomSign(seed=1)((50, 80)))
    assert signs.dtype == np.float32
    np.testing.assert_array_equal(np.unique(signs), [-1, 1])
    # 4000 draws: the mean of fair signs is within 4 / sqrt(4000).
    assert abs(signs.mean()) < 0.063
    for axis in [0, 1]:
        assert np.unique(signs.sum(axis=axis)).size > 5


def test_random_sign_seeds():
    shape = (100,)
    one = layers.RandomSign(seed=1)(shape)
    np.testing.assert_array_equal(layers.RandomSign(seed=1)(shape), one)
    assert np.any(layers.RandomSign(seed=2)(shape) != one)
    unseeded = [np.asarray(layers.RandomSign()(shape)) for _ in range(2)]
    assert np.any(unseeded[0] != unseeded[1])


def test_random_sign_dtype_and_config():
    assert layers.RandomSign()((3,), dtype="float64").dtype == "float64"
    config = keras.initializers.serialize(layers.RandomSign(seed=7))
    again = keras.initializers.deserialize(config)
    assert isinstance(again, layers.RandomSign)
    assert again.seed == 7


def test_log_odds():
    initializer = layers.LogOdds([0.5, 0.2, 0.9])
    # log(1 / 1), log(1 / 4), log(9 / 1).
    expected = [0.0, -1.3862944, 2.1972246]
    np.testing.assert_allclose(initializer((3,)), expected, atol=1e-6)
    assert initializer((3,)).dtype == "float32"
    assert initializer((3,), "float16").dtype == "float16"
    np.testing.assert_allclose(
        initializer((6,)), np.repeat(expected, 2), atol=1e-6
    )


def test_log_odds_are_saved_with_a_layer():
    layer = layers.Projection(4, bias_initializer=layers.LogOdds([0.5, 0.2]))
    config = json.loads(json.dumps(layer.get_config()))
    copy = layers.Projection.from_config(config)
    copy.build((None, 3))
    np.testing.assert_allclose(
        copy.bias, [0, 0, -1.3862944, -1.3862944], atol=1e-6
    )


@pytest.mark.parametrize("values", [[0.5, 1.0], [0.0], [[0.5]], [np.nan], 0.5])
def test_log_odds_of_no_probabilities(values):
    with pytest.raises(
        ValueError, match=r"expected a vector of probabilities in \(0, 1\)\. R"
    ):
        layers.LogOdds(values)


@pytest.mark.parametrize("shape", [(3,), (2, 2), ()])
def test_log_odds_of_another_shape(shape):
    with pytest.raises(
        ValueError,
        match=r"expected a shape of one axis, a multiple of 2\. Received: sha",
    ):
        layers.LogOdds([0.5, 0.2])(shape)

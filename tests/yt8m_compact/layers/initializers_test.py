"""Tests of the initialisers."""

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

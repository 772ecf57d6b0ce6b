"""Tests of the dequantisation layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers

CODES = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
# google/youtube-8m, utils.py: a step of 4 / 255, half a step above -2.
FEATURES = CODES.astype(np.float64) * (4 / 255) + (4 / 512 - 2)


@pytest.mark.parametrize(
    ("policy", "dtype", "tolerance"),
    [
        ("float32", "float32", 3e-7),
        ("mixed_float16", "float16", 1e-3),
        ("mixed_bfloat16", "bfloat16", 8e-3),
    ],
)
def test_all_codes(policy, dtype, tolerance):
    result = layers.Dequantize(dtype=policy)(CODES)
    assert result.dtype == dtype
    assert result.shape == CODES.shape
    np.testing.assert_allclose(
        tf.cast(result, "float64"), FEATURES, rtol=0, atol=tolerance
    )


def test_float64_layer_has_float64_outputs():
    result = layers.Dequantize(dtype="float64")(CODES)
    assert result.dtype == "float64"
    np.testing.assert_allclose(result, FEATURES, rtol=0, atol=3e-7)


def test_symbolic_shape_and_config():
    layer = layers.Dequantize(name="dequantize", dtype="mixed_bfloat16")
    again = layers.Dequantize.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    symbolic = again(keras.Input((None, 3), dtype="uint8"))
    assert symbolic.shape == (None, None, 3)
    assert symbolic.dtype == "bfloat16"

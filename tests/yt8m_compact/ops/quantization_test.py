"""Tests of the 8-bit feature code."""

import numpy as np
import tensorflow as tf

from yt8m_compact.ops import quantization


def test_dequantize_is_the_starter_codes_formula():
    codes = np.arange(256, dtype=np.uint8)
    # google/youtube-8m utils.py: feat_vector * scalar + bias with
    # scalar = 4/255 and bias = 4/512 - 2.
    expected = codes.astype(np.float64) * 4 / 255 + 4 / 512 - 2
    result = quantization.dequantize(codes)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-7)
    assert expected[0] == -1.9921875
    assert expected[255] == 2.0078125


def test_dequantize_keeps_shape_and_casts():
    codes = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    result = quantization.dequantize(codes, tf.bfloat16)
    assert result.shape == (2, 3, 4)
    assert result.dtype == tf.bfloat16


def test_quantize_inverts_dequantize():
    codes = np.arange(256, dtype=np.uint8)
    result = quantization.quantize(quantization.dequantize(codes))
    assert result.dtype == tf.uint8
    np.testing.assert_array_equal(result, codes)


def test_quantize_rounds_to_the_nearest_code_and_clips():
    step = 4 / 255
    low = -1.9921875
    features = [-99.0, low - step, low + 0.4 * step, low + 0.6 * step, 2.1, 99]
    np.testing.assert_array_equal(
        quantization.quantize(tf.constant(features)), [0, 0, 0, 1, 255, 255]
    )

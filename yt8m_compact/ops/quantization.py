"""The 8-bit code in which YouTube-8M and AudioSet store their features."""

import tensorflow as tf

# The starter code's Dequantize(max_quantized_value=2, min_quantized_value=-2):
# a step of 4/255 and half a step of 4/256 above the minimum.
STEP = 4.0 / 255.0
OFFSET = 4.0 / 512.0 - 2.0


def dequantize(codes: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Turns 8-bit codes into features: `x = q * 4/255 + 4/512 - 2`.

    Args:
        codes: uint8, of any shape.
        dtype: The floating-point type to return. The arithmetic is float32.

    Returns:
        Features in [-1.9921875, 2.0078125], of the same shape.

    References:
        google/youtube-8m, utils.py, `Dequantize`.
    """
    features = tf.cast(codes, tf.float32) * STEP + OFFSET
    return tf.cast(features, dtype)


def quantize(features: tf.Tensor) -> tf.Tensor:
    """Turns features into 8-bit codes, the inverse of `dequantize`.

    Args:
        features: Floating point, of any shape. Values outside the range of
            `dequantize` get the nearest code, 0 or 255.

    Returns:
        uint8 codes of the same shape; `quantize(dequantize(q)) == q`.
    """
    codes = tf.round((tf.cast(features, tf.float32) - OFFSET) / STEP)
    return tf.cast(tf.clip_by_value(codes, 0.0, 255.0), tf.uint8)

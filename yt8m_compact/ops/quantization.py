"""The 8-bit code in which YouTube-8M and AudioSet store their features."""

import tensorflow as tf

# What the codes of YouTube-8M stand for, and those that models read.
MIN_VALUE, MAX_VALUE = -2.0, 2.0


def step(min_value: float = MIN_VALUE, max_value: float = MAX_VALUE) -> float:
    """Returns the difference of two neighbouring codes' features.

    Args:
        min_value: The range that the codes stand for.
        max_value: Its other end.
    """
    return (max_value - min_value) / 255.0


def offset(min_value: float = MIN_VALUE, max_value: float = MAX_VALUE) -> float:
    """Returns the feature of the code 0: half of a 256th above the minimum.

    Args:
        min_value: The range that the codes stand for.
        max_value: Its other end.
    """
    return (max_value - min_value) / 512.0 + min_value


# The starter code's Dequantize(max_quantized_value=2, min_quantized_value=-2):
# a step of 4/255 and half a step of 4/256 above the minimum.
STEP = step()
OFFSET = offset()


def dequantize(codes: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Turns 8-bit codes into features: `x = q * 4/255 + 4/512 - 2`.

    Example:
        >>> import tensorflow as tf
        >>> codes = tf.constant([0, 255], tf.uint8)
        >>> print(yt8m.ops.dequantize(codes).numpy().round(4))
        [-1.9922  2.0078]

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


def quantize(
    features: tf.Tensor,
    min_value: float = MIN_VALUE,
    max_value: float = MAX_VALUE,
) -> tf.Tensor:
    """Turns features into 8-bit codes, the inverse of `dequantize`.

    Example:
        >>> import tensorflow as tf
        >>> features = tf.constant([-3.0, 0.0, 1.0])
        >>> yt8m.ops.quantize(features).numpy().tolist()
        [0, 127, 191]

    Args:
        features: Floating point, of any shape. Values outside the range of
            `dequantize` get the nearest code, 0 or 255.
        min_value: The range that the codes stand for; models take them for
            those of [-2, 2], so that features of another range are scaled to
            that.
        max_value: Its other end.

    Returns:
        uint8 codes of the same shape; `quantize(dequantize(q)) == q`.
    """
    features = tf.cast(features, tf.float32)
    codes = tf.round(
        (features - offset(min_value, max_value)) / step(min_value, max_value)
    )
    return tf.cast(tf.clip_by_value(codes, 0.0, 255.0), tf.uint8)

"""Whole numbers of few levels, several to a byte."""

import numpy as np
import tensorflow as tf


def codes_per_byte(num_levels: int) -> int:
    """Counts the codes that a byte holds.

    Example:
        >>> [yt8m.ops.codes_per_byte(levels) for levels in (2, 3, 16, 256)]
        [8, 5, 2, 1]

    Args:
        num_levels: how many values a code has, 2 to 256.

    Returns:
        The largest k with `num_levels ** k <= 256`.
    """
    per_byte = 1
    while num_levels ** (per_byte + 1) <= 256:
        per_byte += 1
    return per_byte


def packed_size(size: int, num_levels: int) -> int:
    """Counts the bytes of packed codes.

    Example:
        >>> yt8m.ops.packed_size(1024, num_levels=3)  # five to a byte
        205

    Args:
        size: the number of codes.
        num_levels: how many values a code has.

    Returns:
        The number of bytes, of which the last may be filled in part.
    """
    return -(-size // codes_per_byte(num_levels))


def pack_codes(codes: np.ndarray, num_levels: int) -> np.ndarray:
    """Packs codes into bytes.

    A byte is `sum_i code_i * num_levels ** i`: bits of two levels as
    `np.packbits` does with `bitorder="little"`, five ternary digits.

    Example:
        >>> codes = np.array([1, 0, 2, 1, 0, 2])
        >>> yt8m.ops.pack_codes(codes, num_levels=3).tolist()  # 1 + 2 * 9 + 27
        [46, 2]

    Args:
        codes: `[size]`, whole numbers from 0 to `num_levels - 1`.
        num_levels: how many values a code has, 2 to 256.

    Returns:
        `[packed_size]`, uint8; codes behind the last count as 0.

    Raises:
        ValueError: if a code is out of range.
    """
    if codes.size and not 0 <= codes.min() <= codes.max() < num_levels:
        raise ValueError(
            f"expected codes from 0 to {num_levels - 1}. Received: codes from "
            f"{codes.min()} to {codes.max()}"
        )
    per_byte = codes_per_byte(num_levels)
    padded = np.zeros(packed_size(codes.size, num_levels) * per_byte, np.int64)
    padded[: codes.size] = codes
    powers = num_levels ** np.arange(per_byte)
    return (padded.reshape(-1, per_byte) @ powers).astype(np.uint8)


def unpack_codes(packed: tf.Tensor, size: int, levels: tf.Tensor) -> tf.Tensor:
    """Unpacks bytes into the values of their codes.

    Example:
        >>> import tensorflow as tf
        >>> packed = tf.constant([46, 2], tf.uint8)
        >>> levels = tf.constant([-1.0, 0.0, 1.0])
        >>> yt8m.ops.unpack_codes(packed, 6, levels).numpy().tolist()
        [0.0, -1.0, 1.0, 0.0, -1.0, 1.0]

    Args:
        packed: `[packed_size]`, uint8, of `pack_codes`.
        size: the number of codes.
        levels: `[num_levels]`, the value of each code.

    Returns:
        `[size]`, of the dtype of `levels`.
    """
    num_levels = levels.shape[0]
    per_byte = codes_per_byte(num_levels)
    powers = num_levels ** np.arange(per_byte)
    # Bytes that no codes make are there too, and never looked up.
    table = np.arange(256)[:, np.newaxis] // powers % num_levels
    values = tf.gather(levels, tf.constant(table, tf.int32))
    unpacked = tf.gather(values, tf.cast(packed, tf.int32))
    return tf.reshape(unpacked, [-1])[:size]

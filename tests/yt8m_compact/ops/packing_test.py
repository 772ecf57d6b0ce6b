"""Tests of packed codes."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops


@pytest.mark.parametrize(
    ("num_levels", "per_byte"),
    [(2, 8), (3, 5), (4, 4), (6, 3), (7, 2), (16, 2), (17, 1), (256, 1)],
)
def test_codes_per_byte(num_levels, per_byte):
    assert ops.codes_per_byte(num_levels) == per_byte
    for size in (0, 1, per_byte, per_byte + 1, 40 * per_byte):
        assert ops.packed_size(size, num_levels) == -(-size // per_byte)


@pytest.mark.parametrize(
    ("num_levels", "codes", "expected"),
    [
        (2, [1, 0, 1, 1, 0, 0, 0, 1, 1], [1 + 4 + 8 + 128, 1]),
        # 0 + 1 * 3 + 2 * 9 + 2 * 27 + 1 * 81, and a byte of one digit.
        (3, [0, 1, 2, 2, 1, 2], [156, 2]),
        (16, [1, 15, 8], [1 + 15 * 16, 8]),
        (256, [0, 255, 7], [0, 255, 7]),
    ],
)
def test_bytes(num_levels, codes, expected):
    packed = ops.pack_codes(np.array(codes), num_levels)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(packed, expected)


def test_bits_are_those_of_numpy():
    codes = np.random.default_rng(0).integers(0, 2, 1003)
    np.testing.assert_array_equal(
        ops.pack_codes(codes, 2), np.packbits(codes, bitorder="little")
    )


@pytest.mark.parametrize("num_levels", [2, 3, 5, 16, 255, 256])
def test_round_trip(num_levels):
    rng = np.random.default_rng(num_levels)
    levels = tf.constant(rng.permutation(num_levels), tf.float32)
    for size in (0, 1, 7, 40, 1001):
        codes = rng.integers(0, num_levels, size)
        packed = ops.pack_codes(codes, num_levels)
        unpacked = ops.unpack_codes(tf.constant(packed), size, levels)
        np.testing.assert_array_equal(unpacked, levels.numpy()[codes])


@pytest.mark.parametrize("codes", [[0, 3], [-1, 2]])
def test_codes_out_of_range_are_refused(codes):
    with pytest.raises(ValueError, match="expected codes from 0 to 2. Receiv"):
        ops.pack_codes(np.array(codes), 3)

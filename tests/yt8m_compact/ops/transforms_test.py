"""Tests of the transforms and of the estimates of their cost."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.ops import transforms


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("size", "length"), [(1, 1), (2, 2), (7, 7), (8, 8), (5, 9)]
)
def test_transforms_are_those_of_numpy(size, length, dtype):
    x = np.random.default_rng(0).standard_normal([2, 3, size]).astype(dtype)
    spectrum = transforms.real_fft(tf.constant(x), length)
    expected = np.fft.rfft(x, length)
    np.testing.assert_allclose(spectrum, expected, atol=1e-5)
    back = transforms.inverse_real_fft(spectrum, length)
    padded = np.pad(x, [(0, 0), (0, 0), (0, length - size)])
    np.testing.assert_allclose(back, padded, atol=1e-5)
    assert back.dtype == dtype
    kept = transforms.inverse_real_fft(spectrum, length, size)
    np.testing.assert_allclose(kept, x, atol=1e-5)


def test_fast_lengths_are_the_smallest_of_2_3_and_5():
    smooth = sorted(
        2**a * 3**b * 5**c
        for a in range(13)
        for b in range(8)
        for c in range(6)
        if 2**a * 3**b * 5**c <= 5000
    )
    for minimum in range(1, 4001):
        expected = next(length for length in smooth if length >= minimum)
        assert transforms.fast_length(minimum) == expected


def test_multiply_adds():
    # 1.25 n log2 n.
    assert transforms.transform_multiply_adds(1024) == 12800
    assert transforms.transform_multiply_adds(1) == 1.25
    # A prime costs more than the next power of two, but less than n^2 / 2.
    for prime in [251, 1931]:
        cost = transforms.transform_multiply_adds(prime)
        power = 1 << prime.bit_length()
        assert transforms.transform_multiply_adds(power) < cost < prime**2 / 2

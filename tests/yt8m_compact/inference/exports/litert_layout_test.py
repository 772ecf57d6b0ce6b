"""Tests of the codes that LiteRT stores."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import structures
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import litert_layout


def lay_out(codes, scales):
    return litert_layout.lay_out(structures.CodedWeight(codes, scales))


def test_one_scale():
    codes = np.array([[1, -1], [0, 1]], np.int8)
    stored = lay_out(codes, np.full((2, 2), 0.5, np.float32))
    assert (stored.axis, stored.bits) == (0, 2)
    np.testing.assert_array_equal(stored.scales, [0.5])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_scale_for_each_slice(axis):
    codes = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    values = np.arange(1, codes.shape[axis] + 1, dtype=np.float32)
    shape = [1, 1, 1]
    shape[axis] = -1
    scales = np.broadcast_to(values.reshape(shape), codes.shape)
    stored = lay_out(codes, scales)
    assert (stored.axis, stored.bits) == (axis, 8)
    np.testing.assert_array_equal(stored.decode(), codes * scales)


def test_a_scale_for_each_run():
    codes = np.arange(48, dtype=np.int8).reshape(2, 24) % 8
    scales = np.repeat(np.arange(1, 7, dtype=np.float32), 8).reshape(2, 24)
    stored = lay_out(codes, scales)
    assert (stored.codes.shape, stored.axis, stored.bits) == ((6, 8), 0, 4)
    np.testing.assert_array_equal(
        stored.decode().reshape(2, 24), codes * scales
    )


def test_scales_that_change_too_often():
    codes = np.ones((2, 24), np.int8)
    scales = np.repeat(np.arange(1, 13, dtype=np.float32), 4).reshape(2, 24)
    assert lay_out(codes, scales) is None


def test_floats_of_16_bits():
    values = np.array([1.5, -2.25], np.float16)
    stored = lay_out(values, np.ones(2, np.float32))
    assert isinstance(stored, litert_constants.Halves)
    np.testing.assert_array_equal(stored.decode(), [1.5, -2.25])
    assert lay_out(values, np.full(2, 0.5, np.float32)) is None
    # LiteRT has no other ones.
    bfloat16 = values.astype(tf.bfloat16.as_numpy_dtype)
    assert lay_out(bfloat16, np.ones(2, np.float32)) is None


def test_codes_that_the_interpreter_has(monkeypatch):
    codes, scales = np.array([1, 0, -1] * 4, np.int8), np.ones(12, np.float32)
    assert lay_out(codes, scales).bits == 2
    monkeypatch.setattr(litert_constants, "readable_bits", lambda: (8,))
    assert lay_out(codes, scales).bits == 8

"""Tests of constants in few bits; their choice: litert_quantization_test.py."""

import numpy as np
import pytest

from yt8m_compact import structures
from yt8m_compact.inference.exports import few_bits


@pytest.mark.parametrize("name", ["Int8", "Int4"])
def test_rounds_as_precisions_do(name):
    # A scale a row: within half a step of the largest value of it.
    values = np.random.default_rng(0).standard_normal((3, 40))
    values = (values * [[1], [10], [100]]).astype(np.float32)
    stored = few_bits.coded(values, getattr(structures, name)())
    assert (stored.scales == stored.scales[:, :1]).all()
    assert np.ptp(stored.codes) < 2 ** {"Int8": 8, "Int4": 4}[name]
    error = np.sum((stored.decode() - values) ** 2, axis=1)
    # Of normal values, 16 levels leave 1.2 % (J. Max, 1960).
    share = error / np.sum(values**2, axis=1)
    assert share.max() < {"Int8": 1e-4, "Int4": 0.025}[name]


def test_short_rows_share_a_scale():
    values = np.random.default_rng(0).standard_normal((30, 8))
    stored = few_bits.coded(values.astype(np.float32), structures.Int8())
    assert (stored.scales == stored.scales[0, 0]).all()


def test_halves_of_large_values():
    values = np.array([1e6, -1e6, 1 / 3], np.float32)
    np.testing.assert_array_equal(
        few_bits.halves(values).decode(),
        np.array([65504, -65504, 1 / 3], np.float16),
    )

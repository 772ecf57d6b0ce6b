"""Tests of arrays that grow."""

import numpy as np
import pytest

from yt8m_compact.eval import growing_array


@pytest.mark.parametrize("shape", [(), (3,)])
def test_what_was_added_is_returned(shape):
    rng = np.random.default_rng(0)
    growing = growing_array.GrowingArray()
    parts = []
    # Beyond what is there at first, several times.
    for number in (0, 1, 7000, 0, 20_000, 50_000):
        parts.append(rng.random((number, *shape)).astype(np.float32))
        growing.append(parts[-1])
    found = growing.get()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.concatenate(parts))
    np.testing.assert_array_equal(growing.get(), found)


def test_what_was_returned_stays():
    growing = growing_array.GrowingArray()
    growing.append(np.arange(5))
    first = growing.get()
    for _ in range(4):
        growing.append(np.arange(20_000))
    np.testing.assert_array_equal(first, np.arange(5))
    second = growing.get()
    assert len(second) == 80_005
    growing.append(np.arange(90_000))
    np.testing.assert_array_equal(second[:5], np.arange(5))
    np.testing.assert_array_equal(growing.get()[80_005:], np.arange(90_000))

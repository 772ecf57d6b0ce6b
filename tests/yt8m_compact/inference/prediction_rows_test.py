"""Tests of rows that are cut into blocks."""

import numpy as np
import pytest

from yt8m_compact.inference import prediction_rows


@pytest.mark.parametrize("sizes", [[], [5], [64], [3, 60, 1, 200], [64, 0, 64]])
def test_blocks(sizes):
    numbers = np.arange(sum(sizes))
    parts = [
        (part, 2 * part)
        for part in np.split(numbers, np.cumsum(sizes)[:-1])
        if sizes
    ]
    blocks = [*prediction_rows.in_blocks(parts)]
    lengths = [len(first) for first, _ in blocks]
    assert lengths[:-1] == [64] * (len(lengths) - 1)
    assert sum(lengths) == sum(sizes)
    assert 0 not in lengths
    for first, second in blocks:
        np.testing.assert_array_equal(second, 2 * first)
    found = np.concatenate([first for first, _ in blocks] or [numbers])
    np.testing.assert_array_equal(found, numbers)

"""Tests of bringing features to one frame rate."""

import numpy as np
import pytest

from yt8m_compact.datasets import alignment

Align = alignment.Align


def test_nearest_by_hand():
    values = np.array([[0.0], [1], [2], [3], [4]])
    # 5 frames in the time of 2: middles at 1.25 and 3.75.
    found = alignment.align(values, 2, 2.5, Align.NEAREST)
    assert found.tolist() == [[1], [3]]
    # Twice as many: middles at .25, .75, 1.25, ...
    found = alignment.align(values[:2], 4, 0.5, Align.NEAREST)
    assert found.tolist() == [[0], [0], [1], [1]]


def test_mean_by_hand():
    values = np.array([[0.0, 9], [1, 7], [2, 5], [3, 3], [10, 1]])
    # From 0 to 2.5: 0, 1 and half of 2; from 2.5 to 5: half of 2, 3 and 10.
    found = alignment.align(values, 2, 2.5, Align.MEAN)
    expected = [[(0 + 1 + 1) / 2.5, 18.5 / 2.5], [14 / 2.5, 6.5 / 2.5]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # The last one ends after the values: the mean of what there is of it.
    found = alignment.align(values, 3, 2.0, Align.MEAN)
    np.testing.assert_allclose(found, [[0.5, 8], [2.5, 4], [10, 1]])


@pytest.mark.parametrize("num_frames", [1, 3, 7, 50])
@pytest.mark.parametrize("num_others", [1, 2, 7, 20, 101])
def test_equal_lengths_in_time_lose_no_frame(num_frames, num_others):
    ratio = num_others / num_frames
    number = alignment.count_frames(num_frames, num_others, ratio)
    assert number == num_frames
    values = np.random.default_rng(3).normal(size=(num_others, 2))
    for how in (Align.NEAREST, Align.MEAN):
        found = alignment.align(values, number, ratio, how)
        assert found.shape == (num_frames, 2)
    # A mean of equal shares keeps the mean of all.
    np.testing.assert_allclose(found.mean(axis=0), values.mean(axis=0))


def test_number_of_frames():
    # Middles at 1, 3, 5, ... of 6 frames: three are before the end.
    assert alignment.count_frames(10, 6, 2.0) == 3
    # At 1.5 and 4.5.
    assert alignment.count_frames(10, 5, 3.0) == 2
    assert alignment.count_frames(10, 1, 3.0) == 0
    assert alignment.count_frames(2, 100, 1.0) == 2

"""Tests of what a structure says of a weight."""

import numpy as np

from yt8m_compact import structures


def test_standard_deviation_of_a_part():
    spec = structures.WeightSpec("left", (5, 2), gain=3.0, exponent=0.5)
    # 3 * sqrt(0.25)
    assert spec.stddev(0.25) == 1.5
    assert spec.size == 10
    assert structures.WeightSpec("kernel", (7,)).stddev(0.25) == 0.25


def test_shares_of_the_variance():
    # Rank 16: 16 s^4 is the variance of an entry, so that s = (v / 16)^(1/4).
    left, right = structures.LowRank(16).weights(100, 50)
    np.testing.assert_allclose(left.stddev(0.5), (0.25 / 16) ** 0.25)
    assert right.stddev(0.5) == left.stddev(0.5)
    # Two circulants of 9: (9 s^2)^2 is 9 times the variance of an entry.
    kernel, _ = structures.DiagonalCirculant(2).weights(9, 9)
    np.testing.assert_allclose((9 * kernel.stddev(0.5) ** 2) ** 2, 9 * 0.25)
    # Two parts: half the variance each.
    total = structures.Toeplitz() + structures.LowRank(16)
    toeplitz, left, _ = total.weights(100, 50)
    np.testing.assert_allclose(toeplitz.stddev(0.5) ** 2, 0.125)
    np.testing.assert_allclose(16 * left.stddev(0.5) ** 4, 0.125)


def test_draws():
    rng = np.random.default_rng(0)
    starts = structures.Start
    kernel = structures.WeightSpec("kernel", (50, 80)).draw(rng)
    np.testing.assert_allclose(np.std(kernel), 1, rtol=0.05)
    signs = structures.WeightSpec("d", (50, 80), start=starts.SIGNS).draw(rng)
    np.testing.assert_array_equal(np.unique(signs), [-1, 1])
    assert abs(signs.mean()) < 0.063
    rows = structures.WeightSpec(
        "p", (3, 80), start=starts.PERMUTATION, dtype="int32"
    ).draw(rng)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(np.sort(rows, axis=1), [range(80)] * 3)
    assert np.any(rows[0] != rows[1])
    _, spec = structures.Sparse(0.25).weights(10, 8)
    assert (spec.start, spec.trained) == (starts.POSITIONS, False)
    positions = spec.draw(rng)
    assert (positions.dtype, positions.shape) == (np.int32, (20,))
    assert np.all(np.diff(positions) > 0)
    assert 0 <= positions[0] < positions[-1] < 80
    assert np.any(spec.draw(rng) != positions)

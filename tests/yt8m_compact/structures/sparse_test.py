"""Tests of sparse matrices, beside those of every structure."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import structures


def as_dense(structure, weights, *shape):
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    return structure.as_dense(tensors, *shape).numpy()


def test_written_out():
    # Positions count down the columns: 2 is (2, 0), 3 is (0, 1) of 3 rows.
    structure = structures.Sparse(density=0.5)
    weights = {
        "kernel": np.array([5.0, 7.0, 11.0]),
        "positions": np.array([2, 3, 4], np.int32),
    }
    np.testing.assert_array_equal(
        as_dense(structure, weights, 3, 2), [[0, 7], [0, 11], [5, 0]]
    )
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    x = tf.constant([[1.0, 10.0, 100.0]], tf.float64)
    # 5 * 100, 7 * 1 + 11 * 10
    np.testing.assert_array_equal(
        structure.multiply(tensors, x, 2), [[500, 117]]
    )


def test_counts():
    # 10 % of 1152 * 1024 = 117964.8.
    kernel, positions = structures.Sparse().weights(1152, 1024)
    assert kernel.shape == positions.shape == (117_965,)
    assert structures.Sparse(1e-9).weights(7, 5)[0].shape == (1,)
    assert structures.Sparse(1).weights(7, 5)[0].shape == (35,)
    # Of 10 inputs two groups of 4 and one of 2.
    assert structures.Sparse(0.5, 4).weights(10, 3)[0].shape == (18,)
    assert structures.Sparse(0.25, 4).weights(10, 3)[0].shape == (9,)
    assert structures.Sparse(0.333, 3).weights(9, 2)[0].shape == (6,)


def test_positions_are_as_wide_as_the_matrix_needs():
    def dtype(*shape):
        return structures.Sparse(1e-9).weights(*shape)[1].dtype

    assert dtype(2**15, 2**15) == "int32"
    assert dtype(2**16, 2**15) == "int64"


@pytest.mark.parametrize("structure", ["sparse", "sparse(group=10)"])
def test_nearest_is_the_one_it_was(structure):
    structure = structures.get(structure)
    rng = np.random.default_rng(0)
    weights = {s.name: s.draw(rng) for s in structure.weights(30, 20)}
    nearest = structure.nearest(as_dense(structure, weights, 30, 20))
    for name in ("kernel", "positions"):
        np.testing.assert_array_equal(nearest[name], weights[name])


def test_of_equal_values_the_first_are_kept():
    kernel = np.array([[1.0, -1.0], [1.0, 1.0]])
    nearest = structures.Sparse(0.5).nearest(kernel)
    np.testing.assert_array_equal(nearest["positions"], [0, 1])
    # Enough of them are kept where most are 0.
    nearest = structures.Sparse(0.75).nearest(np.array([[0.0, 2], [0, 0]]))
    np.testing.assert_array_equal(nearest["positions"], [0, 1, 2])
    np.testing.assert_array_equal(nearest["kernel"], [0, 0, 2])


def test_sum_splits_a_low_rank_and_few_large_entries():
    # Reference 28: rank 8, and 2 % of entries that it has not.
    rng = np.random.default_rng(0)
    low_rank = rng.standard_normal((60, 8)) @ rng.standard_normal((8, 50))
    kernel = low_rank + 0.01 * rng.standard_normal((60, 50))
    places = rng.choice(kernel.size, 60, replace=False)
    kernel.flat[places] += 40 * rng.choice([-1, 1], 60)
    structure = structures.LowRank(8) + structures.Sparse(0.02)

    def lost(structure):
        nearest = structure.nearest(kernel)
        error = as_dense(structure, nearest, 60, 50) - kernel
        return np.sum(error**2) / np.sum(kernel**2)

    parts = [lost(part) for part in structure.parts]
    # As many weights in one part: those of the sparse one count twice.
    parts.append(lost(structures.LowRank(9)))
    # Down to the noise.
    assert lost(structure) < 1e-4 * min(parts)


def test_sum_is_no_worse_on_a_random_kernel():
    kernel = layer_conformance.random_rows(60, 50)
    structure = structures.LowRank(8) + structures.Sparse(0.1)

    def lost(structure):
        nearest = structure.nearest(kernel)
        return np.sum((as_dense(structure, nearest, 60, 50) - kernel) ** 2)

    assert lost(structure) < 0.9 * min(map(lost, structure.parts))


@pytest.mark.parametrize(
    ("density", "group", "hint"),
    [(0.1, 4, r"1/4=0\.25"), (0.3, 8, r"2/8=0\.25"), (0.7, 2, r"1/2=0\.5")],
)
def test_density_that_cuts_a_group_is_refused(density, group, hint):
    with pytest.raises(
        ValueError,
        match="expected a density that keeps a whole number of each group, "
        rf"such as {hint}\. Received: density={density}, group={group}",
    ):
        structures.Sparse(density, group)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        # 7,200 of 72,000: 3 bits, one, and one of each 8 entries; fewer bits
        # than a bitmap's 9,000 bytes.
        ("sparse", (7200 * 4 + 71_999 // 8 + 7) // 8),
        # 3 bits for 2 of 4, of which a column of 300 has 75.
        ("sparse(density=0.5, group=4)", 240 * 75 * 3 // 8),
    ],
)
def test_packed_positions_are_bits(text, positions):
    structure = structures.get(text) @ structures.Int8()
    rng = np.random.default_rng(0)
    weights = {s.name: s.draw(rng) for s in structure.weights(300, 240)}
    packed = structure.pack(weights, 300, 240)
    assert packed["positions_codes"].nbytes == positions
    # A byte a value, and one scale.
    count = weights["kernel"].size
    assert structure.num_bytes(300, 240) == positions + count + 2
    expected = as_dense(structure, weights, 300, 240)
    np.testing.assert_array_equal(
        as_dense(structure.packed(), packed, 300, 240), expected
    )
    assert np.count_nonzero(expected) <= count

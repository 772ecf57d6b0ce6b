"""Tests of pruning, sharing and coding."""

import math

import numpy as np
import pytest

from yt8m_compact.compression import deep_compression

KERNEL = np.random.default_rng(0).standard_normal((300, 200))
KERNEL = KERNEL.astype(np.float32)


def test_written_out():
    kernel = np.array([[0.1, -5.0], [4.0, 0.2], [0.3, 6.0]], np.float32)
    shared = deep_compression.deep_compress(
        {"fc": kernel}, density=0.5, num_clusters=2
    )["fc"]
    # 4 and 6 share 5.
    np.testing.assert_array_equal(shared.array, [[0, -5], [5, 0], [0, 5]])
    assert shared.array.dtype == np.float32
    assert (shared.num_kept, shared.num_clusters) == (3, 2)
    assert shared.raw_bytes == 24
    # A bit for each of 3, two float32, a bit for each of 6.
    assert shared.packed_bytes == 1 + 8 + 1


def test_without_pruning_all_values_are_kept():
    shared = deep_compression.deep_compress({"w": KERNEL}, num_clusters=16)["w"]
    assert shared.num_kept == KERNEL.size
    assert np.unique(shared.array).size == shared.num_clusters == 16
    # Four bits each, and 16 float32.
    assert shared.packed_bytes == KERNEL.size // 2 + 64
    counts = np.unique(shared.array, return_counts=True)[1]
    bits = -np.sum(counts * np.log2(counts / KERNEL.size))
    assert bits / 8 < shared.coded_bytes - 64 < 1.05 * bits / 8
    error = np.sum((shared.array - KERNEL) ** 2) / np.sum(KERNEL**2)
    assert error < 0.02


@pytest.mark.parametrize("density", [0.05, 0.1])
def test_pruned_arrays_keep_the_largest(density):
    shared = deep_compression.deep_compress(
        {"w": KERNEL}, density=density, num_clusters=32
    )["w"]
    kept = round(density * KERNEL.size)
    assert shared.num_kept == np.count_nonzero(shared.array) == kept
    least = np.sort(np.abs(KERNEL), axis=None)[-kept]
    np.testing.assert_array_equal(shared.array != 0, np.abs(KERNEL) >= least)
    # Of positions at random, entropy; five bits a code, or fewer.
    entropy = -density * math.log2(density)
    entropy -= (1 - density) * math.log2(1 - density)
    positions = entropy * KERNEL.size / 8
    assert positions < shared.coded_bytes < 1.1 * positions + 5 / 8 * kept + 128
    assert shared.coded_bytes < shared.packed_bytes < shared.raw_bytes / 10


def test_arrays_of_any_shape_and_dtype():
    arrays = {
        "cube": np.random.default_rng(1).standard_normal((2, 30, 50)),
        "vector": np.arange(1.0, 9.0, dtype=np.float16),
    }
    shared = deep_compression.deep_compress(
        arrays, density=0.25, num_clusters=4
    )
    for name, array in arrays.items():
        result = shared[name].array
        assert (result.shape, result.dtype) == (array.shape, array.dtype)
        assert np.count_nonzero(result) == array.size / 4
        # What is kept is where it was, and near what it was.
        kept = result != 0
        assert np.corrcoef(result[kept], array[kept])[0, 1] > 0.9
    np.testing.assert_array_equal(
        shared["vector"].array, [0, 0, 0, 0, 0, 0, 7, 8]
    )


def test_what_is_0_goes_first():
    kernel = np.where(np.random.default_rng(0).random((40, 30)) < 0.2, 1.5, 0)
    count = np.count_nonzero(kernel)
    shared = deep_compression.deep_compress(
        {"w": kernel}, density=count / kernel.size, num_clusters=16
    )["w"]
    np.testing.assert_array_equal(shared.array, kernel)
    assert shared.num_clusters == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros([0, 3]), r"dtype=float64, shape=\[0, 3\]"),
        (np.arange(3), r"dtype=int64, shape=\[3\]"),
        (np.float32(3), r"dtype=float32, shape=\[\]"),
    ],
)
def test_wrong_arrays_are_refused(array, message):
    with pytest.raises(
        ValueError,
        match="expected an array of floats, of one axis or more. Received: "
        f"{message}",
    ):
        deep_compression.deep_compress({"w": array})


def test_infinite_values_are_refused():
    with pytest.raises(
        ValueError, match="expected finite values. Received: not finite: 2"
    ):
        deep_compression.deep_compress({"w": np.array([1, np.nan, np.inf])})


def test_wrong_shares_are_refused():
    with pytest.raises(ValueError, match="at most 1. Received: density=1.5"):
        deep_compression.deep_compress({"w": KERNEL}, density=1.5)

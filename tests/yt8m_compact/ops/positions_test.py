"""Tests of positions and their bits."""

import math

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops

Pattern = ops.PositionPattern
BITMAP = ops.PositionForm.BITMAP
SPLIT = ops.PositionForm.SPLIT
COMBINATIONS = ops.PositionForm.COMBINATIONS
# By the form that has the fewest bits.
PATTERNS = (
    (Pattern(7, 17, 12), SPLIT),
    (Pattern(7, 17, 1), SPLIT),
    (Pattern(7, 17, 60), BITMAP),
    (Pattern(7, 17, 119), BITMAP),
    (Pattern(1, 1, 1), BITMAP),
    (Pattern(10, 6, 2, group=4), COMBINATIONS),
    (Pattern(8, 3, 1, group=4), COMBINATIONS),
    (Pattern(3, 6, 2, group=4), COMBINATIONS),
    (Pattern(8, 3, 4, group=4), COMBINATIONS),
    (Pattern(10, 6, 3, group=10), COMBINATIONS),
    # More choices than a table has.
    (Pattern(70, 3, 8, group=64), SPLIT),
    (Pattern(300, 200, 6000), SPLIT),
)


def draw(pattern, seed=0):
    return ops.draw_positions(np.random.default_rng(seed), pattern)


@pytest.mark.parametrize(("pattern", "form"), PATTERNS)
def test_round_trip(pattern, form):
    assert pattern.form is form
    decode = tf.function(
        lambda codes: ops.decode_positions(codes, pattern), jit_compile=True
    )
    first = np.arange(pattern.count)
    edges = [first, pattern.size - 1 - first[::-1]]
    for positions in [draw(pattern), draw(pattern, 1), *edges]:
        if pattern.group is not None and any(positions is one for one in edges):
            continue
        codes = ops.encode_positions(positions, pattern)
        assert codes.dtype == np.uint8
        assert codes.shape == (pattern.num_bytes,)
        for again in (
            ops.decode_positions_array(codes, pattern),
            ops.decode_positions(tf.constant(codes), pattern),
            decode(tf.constant(codes)),
        ):
            assert np.asarray(again).dtype == np.int32
            np.testing.assert_array_equal(again, positions)


def test_bits_of_a_bitmap():
    # 1, 3, 8 of 9: bits 1 and 3 of the first byte, 0 of the second.
    codes = ops.encode_positions(np.array([1, 3, 4, 5, 8]), Pattern(9, 1, 5))
    np.testing.assert_array_equal(codes, [0b00111010, 1])


def test_bits_of_split_positions():
    # 3, 21 and 30 of 32, three low bits: 3, 5, 6, and 0, 2, 3 above, which set
    # bits 0 + 0, 2 + 1 and 3 + 2 of 6: 15 in all.
    pattern = Pattern(8, 4, 3)
    assert (pattern.form, pattern.low_bits) == (SPLIT, 3)
    codes = ops.encode_positions(np.array([3, 21, 30]), pattern)
    low = 3 | 5 << 3 | 6 << 6
    high = 1 << 0 | 1 << 3 | 1 << 5
    whole = low | high << 9
    np.testing.assert_array_equal(codes, [whole & 255, whole >> 8])


def test_bits_of_combinations():
    # 01 02 12 03 13 23: numbers 0 to 5, three bits each.
    pattern = Pattern(4, 3, 2, group=4)
    positions = np.array([0, 3, 4 + 1, 4 + 2, 8 + 2, 8 + 3])
    codes = ops.encode_positions(positions, pattern)
    whole = 3 | 2 << 3 | 5 << 6
    np.testing.assert_array_equal(codes, [whole & 255, whole >> 8])


@pytest.mark.parametrize("density", [0.02, 0.05, 0.1, 0.2])
def test_bytes_are_near_what_random_positions_need(density):
    size = 1152 * 1024
    count = round(density * size)
    pattern = Pattern(1152, 1024, count)
    entropy = -density * math.log2(density)
    entropy -= (1 - density) * math.log2(1 - density)
    # What the split form is above it, at most, up to a density of .2.
    assert entropy * size < 8 * pattern.num_bytes
    assert 8 * pattern.num_bytes < entropy * size + 0.65 * count


def test_bytes_of_groups():
    # 2 of 4: 6 choices, 3 bits, and not 4.
    assert Pattern(1152, 1024, 2, group=4).num_bytes == 288 * 1024 * 3 / 8
    # 1 of 4: 2 bits; of the last 2 of each column, 1 bit.
    pattern = Pattern(10, 16, 1, group=4)
    assert pattern.num_bytes == 16 * (2 + 2 + 1) / 8
    # All of them: nothing.
    assert Pattern(8, 3, 4, group=4).num_bytes == 0


def test_positions_of_more_than_31_bits():
    pattern = Pattern(2**20, 2**12, 3)
    assert pattern.dtype == "int64"
    positions = np.array([5, 2**31, 2**32 - 1])
    codes = ops.encode_positions(positions, pattern)
    assert codes.size < 16
    np.testing.assert_array_equal(
        ops.decode_positions_array(codes, pattern), positions
    )
    again = ops.decode_positions(tf.constant(codes), pattern)
    np.testing.assert_array_equal(again, positions)


def test_largest_positions():
    scores = tf.constant([[1.0, 9.0], [5.0, 2.0], [7.0, 3.0], [4.0, 8.0]])
    # Down the columns: 1 5 7 4 9 2 3 8.
    largest = ops.largest_positions(scores, Pattern(4, 2, 3))
    np.testing.assert_array_equal(largest, [2, 4, 7])
    # Of 1 5 7, 4, 9 2 3 and 8.
    by_group = ops.largest_positions(scores, Pattern(4, 2, 1, group=3))
    np.testing.assert_array_equal(by_group, [2, 3, 4, 7])


def test_scatter():
    values = tf.constant([5.0, 7.0])
    dense = ops.scatter_positions(values, tf.constant([4, 1]), Pattern(3, 2, 2))
    np.testing.assert_array_equal(dense, [[0, 7, 0], [0, 5, 0]])


@pytest.mark.parametrize(
    ("positions", "pattern", "message"),
    [
        ([1.0, 2.0], Pattern(3, 2, 2), r"dtype=float64, shape=\[2\]"),
        ([[1, 2]], Pattern(3, 2, 2), r"dtype=int64, shape=\[1, 2\]"),
        ([1, 2, 3], Pattern(3, 2, 2), "3 positions"),
        ([2, 1], Pattern(3, 2, 2), "positions that are not sorted, or come"),
        ([1, 1], Pattern(3, 2, 2), "positions that are not sorted, or come"),
        ([-1, 1], Pattern(3, 2, 2), "positions from -1 to 1"),
        ([1, 6], Pattern(3, 2, 2), "positions from 1 to 6"),
        (
            [0, 1],
            Pattern(4, 1, 1, group=2),
            "groups of which 0 to 2 are kept",
        ),
    ],
)
def test_wrong_positions_are_refused(positions, pattern, message):
    with pytest.raises(
        ValueError,
        match=rf"expected 2 sorted positions of .*\. Received: {message}",
    ):
        ops.encode_positions(np.array(positions), pattern)


@pytest.mark.parametrize(("pattern", "form"), PATTERNS)
def test_wrong_bytes_are_refused_or_mean_positions(pattern, form):
    del form
    codes = ops.encode_positions(draw(pattern), pattern)
    for wrong in (codes[1:], codes.astype(np.int32), codes[np.newaxis]):
        if wrong.shape == codes.shape and wrong.dtype == codes.dtype:
            continue  # There are no bytes.
        with pytest.raises(
            ValueError,
            match=rf"expected {pattern.num_bytes} bytes of positions\. ",
        ):
            ops.decode_positions_array(wrong, pattern)
    rng = np.random.default_rng(0)
    for _ in range(20):
        damaged = codes ^ rng.integers(0, 256, codes.shape, np.uint8)
        try:
            positions = ops.decode_positions_array(damaged, pattern)
        except ValueError as error:
            assert str(error).startswith("expected ")
            continue
        again = ops.encode_positions(positions, pattern)
        np.testing.assert_array_equal(again, damaged)


@pytest.mark.parametrize(("pattern", "form"), PATTERNS)
def test_zeros_are_bits_of_positions_in_the_matrix(pattern, form):
    # What a model has before its bits are read, and is traced with.
    del form
    codes = tf.zeros([pattern.num_bytes], tf.uint8)
    positions = ops.decode_positions(codes, pattern).numpy()
    assert positions.shape == (pattern.count,)
    assert 0 <= positions.min() <= positions.max() < pattern.size


def test_bits_that_nothing_wrote_are_refused():
    # 6 and 7 are no choices of 2 of 4.
    with pytest.raises(
        ValueError,
        match="expected bytes of positions that were written for .*others",
    ):
        ops.decode_positions_array(
            np.array([7], np.uint8), Pattern(4, 1, 2, group=4)
        )


def test_groups_of_a_pattern_without_are_refused():
    with pytest.raises(
        ValueError,
        match="expected a pattern of groups. Received: group=None",
    ):
        _ = Pattern(4, 2, 3).groups

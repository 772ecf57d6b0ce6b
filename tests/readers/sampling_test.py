"""Tests of the choice of frames."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.readers import sampling
from yt8m_compact.readers.sampling import FrameSampling

_SEED = tf.constant([3, 5], tf.int64)
_MASK = 2**64 - 1


def _sample(num_frames, num_samples, how, seed=_SEED):
    indices, number = readers.sample_frame_indices(
        tf.constant(num_frames, tf.int32), num_samples, how, seed
    )
    assert indices.dtype == number.dtype == tf.int32
    assert indices.shape == (len(num_frames), num_samples)
    return indices.numpy(), number.numpy()


def test_names_are_those_of_the_flag():
    assert [how.value for how in FrameSampling] == [
        "all",
        "random",
        "sequence",
        "even",
    ]
    indices, _ = _sample([4], 2, "even")
    np.testing.assert_array_equal(indices, [[1, 3]])


def test_all_takes_the_first_frames():
    indices, number = _sample([7, 2, 0], 4, FrameSampling.ALL, None)
    np.testing.assert_array_equal(number, [4, 2, 0])
    np.testing.assert_array_equal(indices[0], [0, 1, 2, 3])
    np.testing.assert_array_equal(indices[1, :2], [0, 1])
    assert indices.max() < 7
    assert indices[1].max() < 2


@pytest.mark.parametrize("num_samples", [1, 2, 7, 30])
def test_even_is_the_formula_and_never_repeats(num_samples):
    num_frames = list(range(num_samples, 302))
    indices, number = _sample(num_frames, num_samples, FrameSampling.EVEN, None)
    steps = np.arange(num_samples) + 0.5
    expected = np.floor(
        np.outer(num_frames, steps) / num_samples + 1e-9
    ).astype(int)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(number, num_samples)
    assert (np.diff(indices, axis=1) > 0).all()
    assert (indices >= 0).all()
    assert (indices < np.array(num_frames)[:, np.newaxis]).all()


def test_even_gives_a_short_video_once_and_in_order():
    indices, number = _sample([3, 5, 1], 5, FrameSampling.EVEN, None)
    np.testing.assert_array_equal(number, [3, 5, 1])
    np.testing.assert_array_equal(indices[0, :3], [0, 1, 2])
    np.testing.assert_array_equal(indices[1], [0, 1, 2, 3, 4])
    assert (indices[0] < 3).all()
    assert (indices[2] == 0).all()


def test_random_lies_in_range_and_is_uniform():
    num_frames = 7
    indices, number = _sample([num_frames] * 400, 50, FrameSampling.RANDOM)
    np.testing.assert_array_equal(number, 50)
    counts = np.bincount(indices.ravel(), minlength=num_frames)
    assert len(counts) == num_frames
    # 20,000 draws, 2857 expected in each cell, standard deviation 49.5.
    np.testing.assert_allclose(counts, 20000 / 7, atol=5 * 49.5)
    # Neighbouring draws are independent: 49 cells of 19,600 pairs, 400 each.
    pairs = np.bincount(
        (indices[:, :-1] * num_frames + indices[:, 1:]).ravel(), minlength=49
    )
    np.testing.assert_allclose(pairs, 400, atol=5 * 20)


def test_random_gives_a_short_video_with_repetition():
    indices, number = _sample([2, 300], 30, FrameSampling.RANDOM)
    np.testing.assert_array_equal(number, 30)
    assert set(indices[0]) == {0, 1}
    assert indices[1].max() < 300


def test_sequence_is_consecutive_and_starts_anywhere():
    num_frames, num_samples = 10, 4
    indices, number = _sample(
        [num_frames] * 700, num_samples, FrameSampling.SEQUENCE
    )
    np.testing.assert_array_equal(number, num_samples)
    assert (np.diff(indices, axis=1) == 1).all()
    starts = np.bincount(indices[:, 0], minlength=7)
    assert len(starts) == 7  # starts 0 to 6, so that the last frame is 9
    # 100 expected for each start, standard deviation 9.3.
    np.testing.assert_allclose(starts, 100, atol=5 * 9.3)


def test_sequence_gives_a_short_video_whole():
    indices, number = _sample([3, 4, 1], 4, FrameSampling.SEQUENCE)
    np.testing.assert_array_equal(number, [3, 4, 1])
    np.testing.assert_array_equal(indices[0, :3], [0, 1, 2])
    np.testing.assert_array_equal(indices[1], [0, 1, 2, 3])


@pytest.mark.parametrize("how", list(FrameSampling))
def test_video_without_frames_gives_none(how):
    indices, number = _sample([0, 0], 3, how)
    np.testing.assert_array_equal(number, 0)
    np.testing.assert_array_equal(indices, 0)


@pytest.mark.parametrize("how", [FrameSampling.RANDOM, FrameSampling.SEQUENCE])
def test_seed_decides(how):
    first, _ = _sample([200] * 5, 8, how)
    again, _ = _sample([200] * 5, 8, how)
    np.testing.assert_array_equal(first, again)
    for seed in ([3, 6], [4, 5], [5, 3]):
        other, _ = _sample([200] * 5, 8, how, tf.constant(seed, tf.int64))
        assert (other != first).any(axis=1).all()
    assert len(np.unique(first, axis=0)) == 5


@pytest.mark.parametrize("how", [FrameSampling.RANDOM, FrameSampling.SEQUENCE])
def test_video_with_a_seed_of_its_own_does_not_depend_on_its_batch(how):
    ids = tf.constant([b"aa", b"bb", b"cc", b"dd"])
    num_frames = [100, 200, 250, 300]
    seeds = sampling.seed_by_id(_SEED, ids)
    assert seeds.shape == (4, 2)
    whole, _ = _sample(num_frames, 6, how, seeds)
    for row in range(4):
        one, _ = _sample(
            [num_frames[row]],
            6,
            how,
            sampling.seed_by_id(_SEED, ids[row : row + 1]),
        )
        np.testing.assert_array_equal(one[0], whole[row])


def test_seeds_by_id_differ_between_ids_seeds_and_epochs():
    ids = tf.constant([b"%d" % index for index in range(100)])
    seeds = [
        sampling.seed_by_id(tf.constant(seed, tf.int64), ids).numpy()
        for seed in ([0, 0], [0, 1], [1, 0], [1, 1])
    ]
    draws = [
        _sample([2**31 - 1] * 100, 1, FrameSampling.RANDOM, tf.constant(seed))
        for seed in seeds
    ]
    values = np.concatenate([indices.ravel() for indices, _ in draws])
    assert len(np.unique(values)) == 400


def _split_mix(state):
    """SplitMix64's output function, in Python's integers."""
    state ^= state >> 30
    state = state * 0xBF58476D1CE4E5B9 & _MASK
    state ^= state >> 27
    state = state * 0x94D049BB133111EB & _MASK
    return state ^ state >> 31


def test_random_draws_are_split_mix_64():
    # The first outputs for state 0, from the published reference code.
    gamma = 0x9E3779B97F4A7C15
    assert _split_mix(gamma) == 0xE220A8397B1DCDAF
    seeds = [[11, -3], [0, 2**62]]
    indices, _ = _sample(
        [299, 17], 4, FrameSampling.RANDOM, tf.constant(seeds, tf.int64)
    )
    for row, (high, low) in enumerate(seeds):
        state = _split_mix(high + gamma & _MASK)
        state = _split_mix(state + low & _MASK)
        for draw in range(4):
            bits = _split_mix(state + (draw + 1) * gamma & _MASK)
            expected = (bits >> 33) * [299, 17][row] >> 31
            assert indices[row, draw] == expected


@pytest.mark.slow
def test_works_in_a_graph_with_unknown_batch():
    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([2], tf.int64),
        ]
    )
    def sample(num_frames, seed):
        return readers.sample_frame_indices(
            num_frames, 5, FrameSampling.RANDOM, seed
        )

    for num_frames in ([9, 300, 41], [12]):
        indices, _ = sample(tf.constant(num_frames), _SEED)
        expected, _ = _sample(num_frames, 5, FrameSampling.RANDOM)
        np.testing.assert_array_equal(indices, expected)


@pytest.mark.parametrize("how", ["random", "sequence"])
def test_random_sampling_without_a_seed(how):
    with pytest.raises(ValueError, match=f"sampled with '{how}'.*seed=None"):
        readers.sample_frame_indices(tf.constant([3]), 2, how)


def test_number_of_samples_below_one():
    with pytest.raises(ValueError, match="at least 1. Received: num_samples=0"):
        readers.sample_frame_indices(tf.constant([3]), 0, FrameSampling.EVEN)


def test_unknown_sampling():
    with pytest.raises(ValueError, match="'first' is not a valid FrameSampl"):
        readers.sample_frame_indices(tf.constant([3]), 1, "first")

"""Which frames of a video are looked at."""

import enum

import tensorflow as tf

# SplitMix64's increment, 2^64 divided by the golden ratio.
_GAMMA = 0x9E3779B97F4A7C15


class FrameSampling(enum.StrEnum):
    """How frames are chosen.

    Attributes:
        ALL: Every frame.
        RANDOM: Uniformly, with replacement, as in the starter code's
            `SampleRandomFrames` and the paper.
        SEQUENCE: A run of consecutive frames from a random start, as in the
            starter code's `SampleRandomSequence`. A shorter video gives all its
            frames.
        EVEN: At equal distances, the same at every call. A video with no more
            frames than asked for gives all of them once.

    Example:
        >>> for sampling in ("even", "all"):
        ...     indices, num_sampled = yt8m.readers.sample_frame_indices(
        ...         tf.constant([12]), 4, yt8m.readers.FrameSampling(sampling)
        ...     )
        ...     print(sampling, indices.numpy().tolist())
        even [[1, 4, 7, 10]]
        all [[0, 1, 2, 3]]
    """

    ALL = "all"
    RANDOM = "random"
    SEQUENCE = "sequence"
    EVEN = "even"


def sample_frame_indices(
    num_frames: tf.Tensor,
    num_samples: int,
    sampling: FrameSampling,
    seed: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses frames of each video of a batch.

    The choice for a video depends on its number of frames and its seed alone,
    not on the batch it is in.

    Args:
        num_frames: int32 `[batch]`, the frames each video has.
        num_samples: How many frames to choose from each video.
        sampling: How to choose. `ALL` takes the first `num_samples`.
        seed: int64 `[batch, 2]`, one for each video, for `RANDOM` and
            `SEQUENCE`. With shape `[2]` the videos' rows of the batch make
            the difference between them.

    Returns:
        `indices`, int32 `[batch, num_samples]`, and `num_sampled`, int32
        `[batch]`: the first `num_sampled` indices of a row are the frames
        chosen, and the rest of the row repeats a valid index (0 where the video
        has no frame).

    Raises:
        ValueError: If `num_samples` is not positive, or a random sampling gets
            no seed.

    Example:
        >>> indices, num_sampled = yt8m.readers.sample_frame_indices(
        ...     tf.constant([10, 2]), 4, yt8m.readers.FrameSampling.EVEN
        ... )
        >>> indices.numpy().tolist(), num_sampled.numpy().tolist()
        ([[1, 3, 6, 8], [0, 1, 1, 1]], [4, 2])
    """
    sampling = FrameSampling(sampling)
    if num_samples < 1:
        raise ValueError(
            "`num_samples` is expected to be at least 1. Received: "
            f"num_samples={num_samples}"
        )
    if seed is None and sampling in (
        FrameSampling.RANDOM,
        FrameSampling.SEQUENCE,
    ):
        raise ValueError(
            f"`seed` is expected where frames are sampled with "
            f"'{sampling.value}'. Received: seed=None"
        )
    num_frames = tf.cast(num_frames, tf.int32)
    steps = tf.range(num_samples)[tf.newaxis, :]
    frames = num_frames[:, tf.newaxis]
    num_sampled = tf.minimum(num_frames, num_samples)

    if sampling is FrameSampling.ALL:
        indices = tf.broadcast_to(
            steps, tf.stack([tf.size(num_frames), num_samples])
        )
    elif sampling is FrameSampling.EVEN:
        # floor((i + 1/2) * n / k), in integers.
        spread = (2 * steps + 1) * frames // (2 * num_samples)
        indices = tf.where(frames <= num_samples, steps, spread)
    elif sampling is FrameSampling.SEQUENCE:
        num_starts = tf.maximum(frames - num_samples, 0) + 1
        indices = _uniform(num_starts, 1, seed) + steps
    else:
        indices = _uniform(frames, num_samples, seed)
        num_sampled = tf.where(num_frames > 0, num_samples, 0)
    indices = tf.clip_by_value(indices, 0, tf.maximum(frames - 1, 0))
    return indices, num_sampled


def seed_by_id(seed: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Gives each video a seed of its own.

    Args:
        seed: int64 `[2]`.
        ids: String `[batch]`.

    Returns:
        int64 `[batch, 2]`, for `sample_frame_indices`.
    """
    key = _combine(_unsigned(seed[0]), _unsigned(seed[1]))
    hashes = tf.strings.to_hash_bucket_fast(ids, 2**63 - 1)
    keys = tf.fill(tf.shape(hashes), tf.bitcast(key, tf.int64))
    return tf.stack([keys, hashes], axis=1)


def _uniform(bounds: tf.Tensor, num_draws: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws integers from `[0, bound)` for each row, from the row's own seed.

    TensorFlow's stateless generators take one seed for a whole batch, which
    would tie a video's frames to the batch it is in; this is SplitMix64 with a
    row's seed as the state.

    Args:
        bounds: int32 `[batch, 1]`; 0 counts as 1.
        num_draws: Columns to return.
        seed: int64 `[batch, 2]` or `[2]`.

    Returns:
        int32 `[batch, num_draws]`.
    """
    seed = _unsigned(seed)
    if seed.shape.rank == 1:
        rows = tf.cast(tf.range(tf.shape(bounds)[0]), tf.uint64)
        state = _combine(_combine(seed[0], seed[1]), rows[:, tf.newaxis])
    else:
        state = _combine(seed[:, :1], seed[:, 1:])
    draws = tf.cast(tf.range(1, num_draws + 1), tf.uint64)[tf.newaxis, :]
    bits = _mix(state + draws * _uint64(_GAMMA))
    # 31 bits times a bound below 2^31 stay inside int64.
    fraction = tf.cast(tf.bitwise.right_shift(bits, _uint64(33)), tf.int64)
    bounds = tf.cast(tf.maximum(bounds, 1), tf.int64)
    return tf.cast(tf.bitwise.right_shift(fraction * bounds, 31), tf.int32)


def _combine(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Makes one state of two numbers; their order matters."""
    return _mix(_mix(a + _uint64(_GAMMA)) + b)


def _mix(x: tf.Tensor) -> tf.Tensor:
    """SplitMix64's output function, a bijection of 64-bit integers."""
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _uint64(30)))
    x *= _uint64(0xBF58476D1CE4E5B9)
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _uint64(27)))
    x *= _uint64(0x94D049BB133111EB)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _uint64(31)))


def _uint64(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


def _unsigned(x: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(tf.cast(x, tf.int64), tf.uint64)

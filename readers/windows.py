"""Parts of videos: halves, and segments of 5 s as in YouTube-8M of 2019."""

import dataclasses

import tensorflow as tf

from yt8m_compact.readers import checks

SEGMENT_FRAMES = 5

_LABELS = "segment_labels"
_STARTS = "segment_start_times"
_ENDS = "segment_end_times"
_SCORES = "segment_scores"
# The lists of a tf.train.Feature that segments are in.
SEGMENT_KINDS = {
    _LABELS: "int64_list",
    _STARTS: "int64_list",
    _ENDS: "int64_list",
    _SCORES: "float_list",
}
SEGMENT_KEYS = tuple(SEGMENT_KINDS)

# Above every start of a segment, in seconds.
_LARGEST_START = 2**31

# The bits of the float32 0, -0 and 1. Not compared as numbers: TensorFlow's
# threads read numbers below 1.2e-38 as zero.
_SCORE_BITS = (0, -(2**31), 0x3F800000)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Parts of the videos of a batch.

    Attributes:
        rows: int32 `[windows]`, the video of each, by its row of the batch.
        starts: int32 `[windows]`, its first frame.
        lengths: int32 `[windows]`, its number of frames.
        ids: String `[windows]`, different for the parts of a video.
    """

    rows: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor
    ids: tf.Tensor


def whole_videos(num_frames: tf.Tensor, ids: tf.Tensor) -> Windows:
    """Takes every video as it is.

    Args:
        num_frames: int32 `[batch]`.
        ids: String `[batch]`.

    Returns:
        The windows.
    """
    rows = tf.range(tf.size(num_frames))
    return Windows(rows, tf.zeros_like(num_frames), num_frames, ids)


def halves(num_frames: tf.Tensor, ids: tf.Tensor) -> Windows:
    """Splits every video in two.

    The first half has the frame in the middle of an odd number. A video of a
    single frame gives it twice.

    Args:
        num_frames: int32 `[batch]`.
        ids: String `[batch]`.

    Returns:
        The windows, the two of a video one after the other.

    References:
        Skalic et al., https://arxiv.org/abs/1707.01408.
    """
    first = (num_frames + 1) // 2
    second = tf.maximum(num_frames - first, tf.minimum(num_frames, 1))
    starts = tf.stack([tf.zeros_like(first), num_frames - second], axis=1)
    lengths = tf.stack([first, second], axis=1)
    names = tf.stack(
        [tf.strings.join([ids, half]) for half in (":first", ":second")], axis=1
    )
    rows = tf.repeat(tf.range(tf.size(num_frames)), 2)
    return Windows(
        rows,
        tf.reshape(starts, [-1]),
        tf.reshape(lengths, [-1]),
        tf.reshape(names, [-1]),
    )


def all_segments(num_frames: tf.Tensor, ids: tf.Tensor) -> Windows:
    """Cuts every video into segments, the last one shorter.

    Args:
        num_frames: int32 `[batch]`.
        ids: String `[batch]`.

    Returns:
        The windows, those of a video in their order; `ids` as in
        `rated_segments`.
    """
    number = -(-num_frames // SEGMENT_FRAMES)
    rows = tf.repeat(tf.range(tf.size(num_frames)), number)
    first = tf.gather(tf.cumsum(number, exclusive=True), rows)
    starts = SEGMENT_FRAMES * (tf.range(tf.size(rows)) - first)
    return _segments(rows, starts, num_frames, ids)


def segments_spec() -> dict[str, tf.io.RaggedFeature]:
    """Returns the parsing specification of rated segments."""
    spec = {key: tf.io.RaggedFeature(tf.int64) for key in SEGMENT_KEYS}
    return spec | {_SCORES: tf.io.RaggedFeature(tf.float32)}


def check_segments(
    video: dict[str, tf.RaggedTensor], num_frames: tf.Tensor, num_classes: int
) -> list[checks.Check]:
    """Checks rated segments.

    Args:
        video: What was parsed with `segments_spec`.
        num_frames: int32 `[batch]`.
        num_classes: The number of classes.

    Returns:
        The checks; those after the first rely on it.
    """
    number = video[_LABELS].row_lengths()
    differs = tf.zeros_like(number, tf.bool)
    for key in (_STARTS, _ENDS, _SCORES):
        differs |= tf.not_equal(video[key].row_lengths(), number)
    splits = video[_LABELS].row_splits
    # Of the same length each, so that the checks can be computed.
    size = tf.reduce_min([tf.size(video[key].values) for key in SEGMENT_KEYS])
    labels, starts, ends, scores = (
        video[key].values[:size] for key in SEGMENT_KEYS
    )
    rows = video[_LABELS].value_rowids()[:size]
    limit = tf.gather(tf.cast(num_frames, tf.int64), rows)
    tests = (
        (
            (labels < 0) | (labels >= num_classes),
            f"expected segment labels from 0 to {num_classes - 1}. Received: "
            "another. Set the number of classes to that of the data.",
        ),
        (
            (starts < 0)
            | (starts >= limit)
            | tf.not_equal(ends - starts, SEGMENT_FRAMES),
            f"expected segments of {SEGMENT_FRAMES} s that start inside of "
            "the video. Received: another. Write the record again, or leave it "
            "out.",
        ),
        (
            ~_are_zero_or_one(scores),
            "expected segment scores of 0 or 1. Received: another. Write the "
            "record again, or leave it out.",
        ),
    )

    def padded(flags):
        return tf.pad(flags, [[0, tf.size(video[_LABELS].values) - size]])

    def check(flags, text):
        return checks.Check(
            failed=tf.reduce_any(flags),
            bad=lambda: checks.rows_with(padded(flags), splits),
            describe=lambda row: tf.constant(text),
        )

    return [
        checks.Check(
            failed=tf.reduce_any(differs),
            bad=lambda: differs,
            describe=lambda row: tf.constant(
                f"expected as many values of {', '.join(SEGMENT_KEYS[1:])} as "
                f"of {_LABELS}. Received: other numbers. Write the record "
                "again, or leave it out."
            ),
        ),
        *(check(flags, text) for flags, text in tests),
    ]


def _are_zero_or_one(scores: tf.Tensor) -> tf.Tensor:
    bits = tf.bitcast(scores, tf.int32)[:, tf.newaxis]
    return tf.reduce_any(tf.equal(bits, _SCORE_BITS), axis=1)


def rated_segments(
    video: dict[str, tf.RaggedTensor], num_frames: tf.Tensor, ids: tf.Tensor
) -> Windows:
    """Takes every segment of a video that has a rating.

    Args:
        video: What was parsed with `segments_spec`.
        num_frames: int32 `[batch]`.
        ids: String `[batch]`.

    Returns:
        The windows, in the order of their first ratings; `ids` are those of
        the videos with the start in seconds, `id:start`, as in the starter
        code's predictions.
    """
    segments, _ = _unique_segments(video)
    rows = tf.cast(segments // _LARGEST_START, tf.int32)
    starts = tf.cast(segments % _LARGEST_START, tf.int32)
    return _segments(rows, starts, num_frames, ids)


def _segments(
    rows: tf.Tensor, starts: tf.Tensor, num_frames: tf.Tensor, ids: tf.Tensor
) -> Windows:
    left = tf.gather(num_frames, rows) - starts
    names = tf.strings.join(
        [tf.gather(ids, rows), ":", tf.strings.as_string(starts)]
    )
    return Windows(rows, starts, tf.minimum(left, SEGMENT_FRAMES), names)


def segment_labels(
    video: dict[str, tf.RaggedTensor], num_classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts the ratings of segments into rows.

    Args:
        video: What was parsed with `segments_spec`.
        num_classes: The number of classes.

    Returns:
        `labels` and `label_weights`, float32 `[segments, num_classes]`: the
        scores, and 1 where there is one.
    """
    segments, index = _unique_segments(video)
    where = tf.stack([tf.cast(index, tf.int64), video[_LABELS].values], axis=1)
    shape = tf.stack([tf.size(segments, tf.int64), num_classes])

    def rows(values):
        # Without validation a label that is rated twice is simply set twice.
        dense = tf.sparse.to_dense(
            tf.SparseTensor(where, values, shape), validate_indices=False
        )
        return tf.ensure_shape(dense, [None, num_classes])

    scores = video[_SCORES].values
    return rows(scores), rows(tf.ones_like(scores))


def _unique_segments(
    video: dict[str, tf.RaggedTensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    rows = tf.cast(video[_STARTS].value_rowids(), tf.int64)
    return tf.unique(rows * _LARGEST_START + video[_STARTS].values)

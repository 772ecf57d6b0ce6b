"""Checks of the frames of frame-level records."""

from collections.abc import Iterable, Sequence

import tensorflow as tf

from yt8m_compact.readers import checks


def check_frames(
    names: Sequence[str],
    sizes: Sequence[int],
    lists: dict[str, tf.RaggedTensor],
) -> list[checks.Check]:
    """Checks lists of one string per frame.

    Args:
        names: Keys of the features.
        sizes: Their bytes per frame.
        lists: String `[batch, (frames), (strings)]` by key.

    Returns:
        The checks.
    """
    return _check_lists(
        names,
        lists,
        (
            _check_size(name, size, lists[name])
            for name, size in zip(names, sizes, strict=True)
        ),
    )


def check_float_frames(
    names: Sequence[str],
    sizes: Sequence[int],
    lists: dict[str, tf.RaggedTensor],
) -> list[checks.Check]:
    """Checks lists of floats per frame.

    Args:
        names: Keys of the features.
        sizes: Their floats per frame.
        lists: float32 `[batch, (frames), (floats)]` by key.

    Returns:
        The checks.
    """
    return _check_lists(
        names,
        lists,
        (
            *(
                _check_float_size(name, size, lists[name])
                for name, size in zip(names, sizes, strict=True)
            ),
            *(_check_finite(name, lists[name]) for name in names),
        ),
    )


def _check_lists(
    names: Sequence[str],
    lists: dict[str, tf.RaggedTensor],
    of_frames: Iterable[checks.Check],
) -> list[checks.Check]:
    """Checks the numbers of frames, before and after what is in them."""
    return [
        *(_check_frames(name, lists[name]) for name in names),
        *of_frames,
        *(
            _check_same(names[0], lists[names[0]], name, lists[name])
            for name in names[1:]
        ),
    ]


def check_packed(
    names: Sequence[str], sizes: Sequence[int], packed: list[tf.RaggedTensor]
) -> list[checks.Check]:
    """Checks packed features, one string for all frames of a video.

    Args:
        names: Keys of the features.
        sizes: Their bytes per frame.
        packed: String `[batch, (strings)]` of each.

    Returns:
        The checks; those of lengths rely on the first.
    """
    single = [tf.equal(feature.row_lengths(), 1) for feature in packed]
    lengths = [
        tf.where(
            alone,
            tf.strings.length(
                feature.to_tensor(default_value="", shape=[None, 1])[:, 0]
            ),
            size,
        )
        for feature, alone, size in zip(packed, single, sizes, strict=True)
    ]
    numbers = [
        length // size for length, size in zip(lengths, sizes, strict=True)
    ]

    def check(bad, text):
        return checks.Check(
            failed=tf.reduce_any(bad),
            bad=lambda: bad,
            describe=lambda row: tf.constant(text),
        )

    return [
        *(
            check(
                ~alone,
                f"expected one bytes value under the key '{name}', as in the "
                "other records, which are packed. Read packed files and others "
                "in two runs, or repack all of them.",
            )
            for alone, name in zip(single, names, strict=True)
        ),
        *(
            check(
                tf.not_equal(length % size, 0) | tf.equal(length, 0),
                f"expected the packed feature '{name}' to be a multiple of "
                f"{size} bytes, at least one frame. Set feature_sizes to those "
                "of the data, or write the record again.",
            )
            for name, size, length in zip(names, sizes, lengths, strict=True)
        ),
        *(
            check(
                tf.not_equal(number, numbers[0]),
                f"expected as many frames of '{name}' as of '{names[0]}'. "
                "Leave the record out or write it again.",
            )
            for name, number in zip(names[1:], numbers[1:], strict=True)
        ),
    ]


def _check_float_size(
    name: str, size: int, frames: tf.RaggedTensor
) -> checks.Check:
    wrong = tf.not_equal(frames.values.row_lengths(), size)
    return checks.Check(
        failed=tf.reduce_any(wrong),
        bad=lambda: checks.rows_with(wrong, frames.row_splits),
        describe=lambda row: tf.constant(
            f"expected {size} floats of the feature '{name}' in every frame. "
            "Received: another number. Set feature_sizes to those of the data, "
            "or write the record again."
        ),
    )


def _check_finite(name: str, frames: tf.RaggedTensor) -> checks.Check:
    wrong = ~tf.math.is_finite(frames.flat_values)
    return checks.Check(
        failed=tf.reduce_any(wrong),
        bad=lambda: checks.rows_with(
            checks.rows_with(wrong, frames.values.row_splits),
            frames.row_splits,
        ),
        describe=lambda row: tf.constant(
            f"expected finite values in the feature '{name}'. Received: NaN or "
            "infinity. Leave the record out or write it again."
        ),
    )


def _check_frames(name: str, frames: tf.RaggedTensor) -> checks.Check:
    bad = tf.equal(frames.row_lengths(), 0)
    return checks.Check(
        failed=tf.reduce_any(bad),
        bad=lambda: bad,
        describe=lambda row: tf.constant(
            f"expected at least one frame of the feature '{name}'. Received: "
            "none. Set feature_names to those of the data, use the video-level "
            "reader (frame_features=False) if its features are averages over "
            "the video, or leave the record out."
        ),
    )


def _check_size(name: str, size: int, frames: tf.RaggedTensor) -> checks.Check:
    # [batch, (frames), (strings of a frame)]
    lengths = tf.strings.length(frames.flat_values)
    strings = frames.values.row_lengths()

    def bad_frames():
        wrong = tf.not_equal(lengths, size)
        wrong = checks.rows_with(wrong, frames.values.row_splits)
        return wrong | tf.not_equal(strings, 1)

    def describe(row):
        wrong = checks.row_of(bad_frames(), frames.row_splits, row)
        first = tf.where(wrong)[:1, 0]
        number = checks.row_of(strings, frames.row_splits, row)
        number = tf.reduce_sum(tf.gather(number, first))
        # The strings of all frames of the record up to that one.
        upto = tf.gather(frames.row_splits, row) + tf.cast(
            tf.reduce_sum(first), frames.row_splits.dtype
        )
        string = tf.gather(frames.values.row_splits, upto)
        received = tf.cond(
            tf.equal(number, 1),
            lambda: tf.strings.as_string(lengths[string]) + " bytes",
            lambda: tf.strings.as_string(number) + " strings",
        )
        return tf.strings.join(
            [
                f"expected one string of {size} bytes (8-bit codes) of the "
                f"feature '{name}' in every frame. Received: ",
                received,
                " in frame ",
                tf.strings.reduce_join(tf.strings.as_string(first)),
                ". Set feature_sizes to those of the data, or write the record "
                "again.",
            ]
        )

    return checks.Check(
        failed=tf.reduce_any(tf.not_equal(lengths, size))
        | tf.reduce_any(tf.not_equal(strings, 1)),
        bad=lambda: checks.rows_with(bad_frames(), frames.row_splits),
        describe=describe,
    )


def _check_same(
    first_name: str,
    first: tf.RaggedTensor,
    name: str,
    frames: tf.RaggedTensor,
) -> checks.Check:
    first_lengths = first.row_lengths()
    lengths = frames.row_lengths()
    bad = tf.not_equal(lengths, first_lengths)
    return checks.Check(
        failed=tf.reduce_any(bad),
        bad=lambda: bad,
        describe=lambda row: tf.strings.join(
            [
                f"expected as many frames of '{name}' as of '{first_name}'. "
                "Received: ",
                tf.strings.as_string(lengths[row]),
                " and ",
                tf.strings.as_string(first_lengths[row]),
                ". Leave the record out or write it again.",
            ]
        ),
    )

"""Which records are encoded as protobuf libraries encode them.

TensorFlow's parsers silently read other values than protobuf does of a record
that is encoded in another way: [3] of the labels [3] and [4, 5] in two packed
parts. Looking at every byte would take as long as all the rest of reading; the
number of bytes tells as much. No encoding of values is shorter than the usual
one, but that of a list of a single number, which without packing takes one byte
less, and nothing that adds or replaces values takes one byte alone. So a record
of as many bytes as the values take that TensorFlow read holds these values and
nothing else, as long as one of its lists at most has a single number.

Counts are exact or too small: a header longer than counted here makes a good
record unusual, and never an unusual one good. What is unusual is left to
protobuf.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import tensorflow as tf

from yt8m_compact.readers import ids as ids_lib
from yt8m_compact.readers import labels as labels_lib

_Number = TypeVar("_Number", int, tf.Tensor)

# Tags and lengths, a byte each: of the entry of a map, of its key, of the
# value, of the list in that, and of what is in the list.
_ENTRY_BYTES = 10
# Every record of AudioSet has these, one number each.
_TIMES = ("start_time_seconds", "end_time_seconds")
# And every video-level record of YouTube-8M these, whichever are read.
_MEANS = ("mean_rgb", "mean_audio")
# Larger labels than this are left to protobuf.
_ANY_LABEL = 2**31


def times_spec() -> dict[str, tf.io.RaggedFeature]:
    """Returns the parsing specification of what AudioSet's contexts add."""
    return {key: tf.io.RaggedFeature(tf.float32) for key in _TIMES}


def means_spec() -> dict[str, tf.io.RaggedFeature]:
    """Returns the parsing specification of YouTube-8M's features of videos."""
    return {key: tf.io.RaggedFeature(tf.float32) for key in _MEANS}


def usual_contexts(
    contexts: tf.Tensor,
    parsed: Mapping[str, tf.RaggedTensor],
    ids: tf.Tensor,
    num_classes: int | None,
) -> tf.Tensor:
    """Says which contexts hold an id, labels and times alone, as usual.

    Args:
        contexts: String `[batch]`, `tf.train.SequenceExample` without lists.
        parsed: What was parsed by the specifications of `ids`, `labels` and
            `times_spec`.
        ids: String `[batch]`, the ids selected.
        num_classes: Labels are below this number; None if they may be any.

    Returns:
        Bool `[batch]`.
    """
    starts, ends = (
        tf.cast(parsed[key].row_lengths(), tf.int32) for key in _TIMES
    )
    size = _ids_and_labels(parsed, ids, num_classes)
    size += starts * sum(_entry(key, _field(4)) for key in _TIMES)
    usual = tf.equal(tf.strings.length(contexts), _field(size))
    usual &= tf.equal(starts, ends) & (starts <= 1)
    # Lists of a single number, three with the label: were they not packed,
    # two bytes could be left for something else.
    packed = tf.cond(
        tf.reduce_any(starts > 0),
        lambda: tf.equal(starts, 0) | _has_packed_times(contexts),
        lambda: tf.ones_like(usual),
    )
    return usual & packed


def usual_packed(
    serialized: tf.Tensor,
    parsed: Mapping[str, tf.RaggedTensor],
    names: Sequence[str],
    num_classes: int | None,
) -> tf.Tensor:
    """Says which records hold an id, labels and packed frames, as usual.

    Args:
        serialized: String `[batch]`, the records.
        parsed: What was parsed by the specifications of `ids`, `labels` and
            bytes features.
        names: Keys of those.
        num_classes: Labels are below this number; None if they may be any.

    Returns:
        Bool `[batch]`.
    """
    size = _ids_and_labels(parsed, ids_lib.select_ids(parsed), num_classes)
    usual = tf.ones_like(size, tf.bool)
    for name in names:
        values = parsed[name]
        usual &= tf.equal(values.row_lengths(), 1)
        lengths = _sums(tf.strings.length(values.values), values.row_splits)
        size += _entry(name, _field(lengths))
    return usual & _are_whole(serialized, size)


def usual_videos(
    serialized: tf.Tensor,
    parsed: Mapping[str, tf.RaggedTensor],
    ids: tf.Tensor,
    names: Sequence[str],
    sizes: Sequence[int],
    num_classes: int | None,
) -> tf.Tensor:
    """Says which records hold an id, labels and float lists, as usual.

    Features of YouTube-8M that are not read may be there, too.

    Args:
        serialized: String `[batch]`, the records.
        parsed: What was parsed by the specifications of `ids`, `labels`,
            float features and `means_spec`.
        ids: String `[batch]`, the ids selected.
        names: Keys of the features.
        sizes: Their sizes.
        num_classes: Labels are below this number; None if they may be any.

    Returns:
        Bool `[batch]`; nothing is usual where a feature has one float.
    """
    if min(sizes) < 2:
        return tf.zeros_like(serialized, tf.bool)
    size = _ids_and_labels(parsed, ids, num_classes)
    size += sum(
        _entry(name, _field(4 * number))
        for name, number in zip(names, sizes, strict=True)
    )
    not_one = tf.ones_like(size, tf.bool)
    for name in sorted(set(_MEANS) - set(names)):
        number = tf.cast(parsed[name].row_lengths(), tf.int32)
        size += tf.where(number > 0, _entry(name, _field(4 * number)), 0)
        not_one &= tf.not_equal(number, 1)
    usual = _are_whole(serialized, size) & not_one
    for name, number in zip(names, sizes, strict=True):
        usual &= tf.equal(parsed[name].row_lengths(), number)
    return usual


def _ids_and_labels(
    parsed: Mapping[str, tf.RaggedTensor],
    ids: tf.Tensor,
    num_classes: int | None,
) -> tf.Tensor:
    """Counts the bytes of the entries of one id and the labels."""
    first, second = ids_lib.ID_KEYS
    has_second = tf.cast(parsed[second].row_lengths() > 0, tf.int32)
    of_ids = (
        tf.strings.length(ids)
        + (_ENTRY_BYTES + len(first))
        + has_second * (len(second) - len(first))
    )
    labels = parsed[labels_lib.LABELS_KEY]
    number = tf.cast(labels.row_lengths(), tf.int32)
    of_labels = number + tf.where(
        number > 0, _ENTRY_BYTES + len(labels_lib.LABELS_KEY), 0
    )
    bound = 128
    while bound < (num_classes or _ANY_LABEL):
        larger = tf.cast(labels.values >= bound, tf.int32)
        of_labels += _sums(larger, labels.row_splits)
        bound *= 128
    return of_ids + of_labels


def _has_packed_times(contexts: tf.Tensor) -> tf.Tensor:
    """Says which contexts hold both times as packed lists of one number."""

    def entry(key):
        r"""Returns a pattern in which \C is any byte."""
        headers = (_entry(key, _field(4)) - 2, len(key)), (8, 6, 4)
        (whole, name), values = headers
        return (
            rf"\n\x{whole:02x}\n\x{name:02x}{key}"
            rf"\x12\x{values[0]:02x}\x12\x{values[1]:02x}\n\x{values[2]:02x}"
            r"\C{4}"
        )

    first, second = map(entry, _TIMES)
    pattern = rf"\C*({first}\C*{second}|{second}\C*{first})\C*"
    return tf.strings.regex_full_match(contexts, pattern)


def _are_whole(serialized: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Says which records hold features of so many bytes and nothing else.

    YouTube-8M's video-level records end with lists that are empty, the two
    bytes 18 and 0. Within the features the same two could be anything, so the
    length of the features, or its first seven bits, has to be theirs as well.
    """
    lengths = tf.strings.length(serialized)
    ones = tf.ones_like(lengths)
    more = lengths - _field(size)
    second = tf.strings.substr(serialized, tf.minimum(lengths, ones), ones)
    second = tf.io.decode_raw(second, tf.uint8, fixed_length=1)[:, 0]
    same = tf.equal(tf.cast(second, tf.int32) % 128, size % 128)
    ends = tf.strings.substr(serialized, -tf.minimum(lengths, 2), 2 * ones)
    lists = tf.equal(more, 2) & same & tf.equal(ends, b"\x12\x00")
    return tf.equal(more, 0) | lists


def _sums(values: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Adds up the values of each row of a ragged tensor."""
    sums = tf.gather(tf.pad(tf.cumsum(values), [[1, 0]]), row_splits)
    return sums[1:] - sums[:-1]


def _entry(key: str, values: _Number) -> _Number:
    """Counts the bytes of an entry of a map.

    Args:
        key: Its key.
        values: The bytes of what is in its list.
    """
    return _field(_field(len(key.encode())) + _field(_field(values)))


def _field(length: _Number) -> _Number:
    """Counts the bytes of a field: its tag, its length, and what is in it."""
    total = length + 2
    for bound in (2**7, 2**14):
        more = length >= bound
        total += tf.cast(more, tf.int32) if tf.is_tensor(more) else int(more)
    return total

"""Frames of records that are laid out regularly, without parsing every frame.

`tf.io.parse_sequence_example` makes a string of every frame, 460 for a video of
YouTube-8M. In a record as every protobuf library writes it, the frames of a
feature follow one another at a fixed distance: two or three places have to be
looked up, and one copy decodes them all. Whatever is laid out in another way is
left to the parser, as is everything that has to be reported.

Memory is what limits this: a batch of 80 videos has 20 MB. Frames that are not
picked are not touched.
"""

from collections.abc import Sequence
import dataclasses

import tensorflow as tf

_PEEK_BYTES = 12
_VARINT_BYTES = 5  # lengths below 2^35

# Fields of tf.train.SequenceExample and of what is in it, with the wire type of
# a length and as many bytes.
_FIELD_1 = 0x0A
_FIELD_2 = 0x12

# A batch is left to the parser if padding would make it larger than this.
_MAX_PADDING = 4


@dataclasses.dataclass(frozen=True)
class RegularFrames:
    """Where the frames of a batch are.

    Attributes:
        serialized: String `[batch]`, the records.
        lengths: int64 `[batch]`, their bytes.
        regular: Scalar bool, whether all records are laid out regularly, as
            far as lengths say; frames are checked when they are decoded.
        context: String `[batch]`, each a record without its frames, or empty
            where `regular` is false.
        num_frames: int64 `[batch]`, at least 1, or 0 where `regular` is false.
        starts: int64 `[batch]` for each feature, where its frames start.
    """

    serialized: tf.Tensor
    lengths: tf.Tensor
    regular: tf.Tensor
    context: tf.Tensor
    num_frames: tf.Tensor
    starts: list[tf.Tensor]


def frame_header(size: int) -> bytes:
    """Returns the bytes in a `tf.train.FeatureList` before a frame's codes.

    Args:
        size: Bytes of the frame.

    Returns:
        The headers of the Feature, its BytesList, and the value in that.
    """
    value = bytes([_FIELD_1]) + varint(size)
    values = bytes([_FIELD_1]) + varint(len(value) + size)
    feature = bytes([_FIELD_1]) + varint(len(values) + len(value) + size)
    return feature + values + value


def frame_strides(sizes: Sequence[int]) -> list[int]:
    """Returns the bytes from frame to frame, given those of a frame's codes."""
    return [len(frame_header(size)) + size for size in sizes]


def find_frames(
    serialized: tf.Tensor, names: Sequence[str], sizes: Sequence[int]
) -> RegularFrames:
    """Finds the frames of a batch of `tf.train.SequenceExample`.

    Args:
        serialized: String `[batch]`.
        names: Keys of the features.
        sizes: Bytes of a frame of each.

    Returns:
        The frames.
    """
    lengths = tf.cast(tf.strings.length(serialized), tf.int64)

    def enter(start, field):
        return _enter(serialized, lengths, start, tf.constant(field, tf.uint8))

    def cut(start, number):
        return _cut(serialized, lengths, start, number)

    zeros = tf.zeros_like(lengths)
    good_context, start, length = enter(zeros, _FIELD_1)
    context_end = start + length
    regular, position, length = enter(context_end, _FIELD_2)
    regular &= good_context & tf.equal(position + length, lengths)

    starts = [zeros for _ in names]
    counts = [zeros for _ in names]
    for _ in range(len(names) + 1):
        inside = position < lengths
        good_entry, entry, length = enter(position, _FIELD_1)
        entry_end = entry + length
        good_key, key_start, key_length = enter(entry, _FIELD_1)
        key = cut(key_start, key_length)
        good_value, value, value_length = enter(
            key_start + key_length, _FIELD_2
        )
        good_entry &= good_key & good_value
        good_entry &= tf.equal(value + value_length, entry_end)
        good_entry &= entry_end <= lengths
        regular &= good_entry | ~inside
        for index, (name, size) in enumerate(zip(names, sizes, strict=True)):
            is_feature = inside & good_entry & tf.equal(key, name)
            # A key that comes twice is not regular.
            regular &= ~(is_feature & (counts[index] > 0))
            (stride,) = frame_strides([size])
            number = value_length // stride
            regular &= ~is_feature | tf.equal(number * stride, value_length)
            starts[index] = tf.where(is_feature, value, starts[index])
            counts[index] = tf.where(is_feature, number, counts[index])
        position = tf.where(inside & good_entry, entry_end, position)
    regular &= tf.equal(position, lengths)
    number = counts[0]
    regular &= number > 0
    for other in counts[1:]:
        regular &= tf.equal(other, number)
    all_regular = tf.reduce_all(regular)
    longest = tf.reduce_max(tf.concat([number, [1]], axis=0))
    all_regular &= longest * tf.size(number, tf.int64) <= (
        _MAX_PADDING * tf.reduce_sum(number)
    )
    return RegularFrames(
        serialized=serialized,
        lengths=lengths,
        regular=all_regular,
        context=cut(zeros, tf.where(all_regular, context_end, 0)),
        num_frames=tf.where(all_regular, number, 0),
        starts=starts,
    )


def decode_frames(
    regular: RegularFrames, sizes: Sequence[int]
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Decodes all frames.

    Args:
        regular: Where they are.
        sizes: Bytes of a frame of each feature.

    Returns:
        uint8 `[batch, frames, stride]` for each feature, in which the codes of
        a frame are the last ones of its stride, zeros after a video's end; and
        a scalar bool, whether every frame is where it should be.
    """
    number = regular.num_frames
    longest = tf.reduce_max(tf.concat([number, [1]], axis=0))
    features, good = [], tf.constant(True)
    for size, start in zip(sizes, regular.starts, strict=True):
        header = frame_header(size)
        stride = len(header) + size
        frames = tf.io.decode_raw(
            _cut(regular.serialized, regular.lengths, start, number * stride),
            tf.uint8,
            fixed_length=tf.cast(longest, tf.int32) * stride,
        )
        frames = tf.reshape(frames, [-1, longest, stride])
        # After a video's end all bytes are 0, those of no header.
        same = tf.math.count_nonzero(
            _has_header(frames, header), dtype=tf.int64
        )
        good &= tf.equal(same, tf.reduce_sum(number))
        features.append(frames)
    return features, good


def pick_frames(
    regular: RegularFrames, sizes: Sequence[int], steps: tf.Tensor
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Decodes some frames, and touches no other.

    Args:
        regular: Where the frames are.
        sizes: Bytes of a frame of each feature.
        steps: int32 `[batch, picks]`, the numbers of frames of each video.

    Returns:
        uint8 `[batch, picks, stride]` for each feature, as of `decode_frames`;
        and a scalar bool, whether every one of them is where it should be.
    """
    features, good = [], tf.constant(True)
    for size, start in zip(sizes, regular.starts, strict=True):
        header = frame_header(size)
        frames = pick_slices(
            regular.serialized,
            regular.lengths,
            start,
            len(header) + size,
            steps,
        )
        good &= tf.reduce_all(_has_header(frames, header))
        features.append(frames)
    return features, good


def pick_slices(
    strings: tf.Tensor,
    lengths: tf.Tensor,
    start: tf.Tensor,
    stride: int,
    steps: tf.Tensor,
) -> tf.Tensor:
    """Decodes some slices of strings, all of one size.

    Args:
        strings: String `[batch]`.
        lengths: int64 `[batch]`, their bytes.
        start: int64 `[batch]`, where the first slice starts.
        stride: Bytes of a slice.
        steps: int32 `[batch, picks]`, the numbers of slices of each string.

    Returns:
        uint8 `[batch, picks, stride]`.
    """
    starts = start[:, tf.newaxis] + tf.cast(steps, tf.int64) * stride
    starts, number = _clip(lengths[:, tf.newaxis], starts, stride)
    # One substr for all would copy every string for each of its slices.
    picked = [
        tf.io.decode_raw(
            tf.strings.substr(strings, *bounds), tf.uint8, fixed_length=stride
        )
        for bounds in zip(
            tf.unstack(starts, axis=1), tf.unstack(number, axis=1), strict=True
        )
    ]
    return tf.stack(picked, axis=1)


def _has_header(frames: tf.Tensor, header: bytes) -> tf.Tensor:
    """Says which frames `[batch, frames, stride]` start with a header."""
    same = tf.equal(frames[:, :, : len(header)], list(header))
    return tf.reduce_all(same, axis=2)


def _cut(
    strings: tf.Tensor, lengths: tf.Tensor, start: tf.Tensor, number: tf.Tensor
) -> tf.Tensor:
    """Cuts a part out of each string; what is outside of it is left out."""
    start, number = _clip(lengths, start, number)
    return tf.strings.substr(strings, start, number)


def _clip(
    lengths: tf.Tensor, start: tf.Tensor, number: tf.Tensor | int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Clips parts of `number` bytes from `start` on to what is there."""
    start = tf.maximum(tf.minimum(start, lengths), 0)
    number = tf.minimum(tf.cast(number, tf.int64), lengths - start)
    return start, tf.maximum(number, 0)


# A function, since it is traced once and used three times for each feature.
@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.string),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([], tf.uint8),
    ],
    autograph=False,
)
def _enter(
    strings: tf.Tensor, lengths: tf.Tensor, start: tf.Tensor, field: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Reads the header of a field: its tag, and its length as a varint.

    Args:
        strings: String `[batch]`.
        lengths: int64 `[batch]`, their lengths.
        start: int64 `[batch]`, where the field should be.
        field: uint8, its tag.

    Returns:
        Bool `[batch]`, whether it is there; int64 `[batch]`, where its
        content starts; int64 `[batch]`, the length of its content.
    """
    count = tf.fill(tf.shape(start), tf.constant(_PEEK_BYTES, tf.int64))
    head = tf.io.decode_raw(
        _cut(strings, lengths, start, count),
        tf.uint8,
        fixed_length=_PEEK_BYTES,
    )
    digits = tf.cast(head[:, 1 : 1 + _VARINT_BYTES], tf.int64)
    goes_on = tf.cast(digits >= 128, tf.int64)
    is_part = tf.math.cumprod(goes_on, axis=1, exclusive=True)
    shifts = [2 ** (7 * byte) for byte in range(_VARINT_BYTES)]
    length = tf.reduce_sum(
        is_part * (digits % 128) * tf.constant(shifts, tf.int64), axis=1
    )
    number = tf.reduce_sum(is_part, axis=1)
    endless = tf.equal(goes_on[:, -1] * is_part[:, -1], 1)
    content = start + 1 + number
    good = tf.equal(head[:, 0], field) & ~endless
    good &= content + length <= lengths
    return good, content, length


def varint(number: int) -> bytes:
    """Writes a number as protobuf does.

    Args:
        number: 0 or more.

    Returns:
        7 bits a byte, the lowest first.
    """
    digits = []
    while number >= 128:
        digits.append(number % 128 + 128)
        number //= 128
    return bytes([*digits, number])

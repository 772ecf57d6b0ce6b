"""Records as protobuf's own parser reads them, however they are encoded.

TensorFlow's parsers are written by hand: of labels in two packed parts they
read the first, they refuse a key that comes after its value, and don't look
into features that nobody asks for. What protobuf reads is what a record holds.
"""

from collections.abc import Iterable, Sequence

import tensorflow as tf


def parse(data: bytes) -> tf.train.SequenceExample | None:
    """Parses a record of either kind.

    Args:
        data: A serialized `tf.train.SequenceExample` or `tf.train.Example`,
            which reads as one whose context are its features.

    Returns:
        The message, None if `data` is neither.
    """
    message = read(data)
    if message is None or not (
        message.HasField("context") or message.HasField("feature_lists")
    ):
        return None
    return message


def read(data: bytes) -> tf.train.SequenceExample | None:
    """Reads a record, which may hold nothing; None if protobuf refuses it."""
    message = tf.train.SequenceExample()
    try:
        message.ParseFromString(data)
    except Exception:  # DecodeError; which class depends on protobuf's build
        return None
    return message


def has_frames(message: tf.train.SequenceExample, names: Iterable[str]) -> bool:
    """Says whether features come frame by frame; packed ones do not.

    Args:
        message: A frame-level record.
        names: Keys of the features.
    """
    lists = message.feature_lists.feature_list
    return any(name in lists and lists[name].feature for name in names)


def keep(
    message: tf.train.SequenceExample,
    keys: Iterable[str],
    names: Sequence[str] = (),
) -> None:
    """Takes out of a record what is not asked for.

    Args:
        message: The record, changed in place.
        keys: Keys of the features to keep.
        names: Keys of frame-level features. Those of a record that has frames
            are its lists, those of another its packed features.
    """
    keys = {*keys}
    lists = set()
    if has_frames(message, names):
        lists |= {*names}
    else:
        keys |= {*names}
    for wanted, held in (
        (keys, message.context.feature),
        (lists, message.feature_lists.feature_list),
    ):
        for key in [key for key in held if key not in wanted]:
            del held[key]
    message.DiscardUnknownFields()


def unpack(
    message: tf.train.SequenceExample,
    names: Sequence[str],
    sizes: Sequence[int],
) -> None:
    """Turns a packed record into one with frames, if it is a good one.

    Args:
        message: The record, changed in place.
        names: Keys of the features.
        sizes: Their bytes per frame.
    """
    context = message.context.feature
    packed = {}
    for name, size in zip(names, sizes, strict=True):
        values = context[name].bytes_list.value if name in context else ()
        if len(values) != 1 or len(values[0]) % size:
            return
        packed[name] = values[0]
    for name, size in zip(names, sizes, strict=True):
        steps = message.feature_lists.feature_list[name].feature
        for start in range(0, len(packed[name]), size):
            frame = packed[name][start : start + size]
            steps.add().bytes_list.value.append(frame)
        del context[name]


def frame_codes(message: tf.train.SequenceExample, name: str) -> bytes:
    """Returns the codes of all frames of a good record, packed or not."""
    if has_frames(message, [name]):
        steps = message.feature_lists.feature_list[name].feature
        return b"".join(step.bytes_list.value[0] for step in steps)
    return message.context.feature[name].bytes_list.value[0]

"""What the records of a data set hold, as one of them shows."""

from collections.abc import Sequence

import tensorflow as tf

from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import ids
from yt8m_compact.readers import messages
from yt8m_compact.readers import record_rules
from yt8m_compact.readers import windows

# Sizes of features, by their names in YouTube-8M and AudioSet.
_FRAME_SIZES = {"rgb": 1024, "audio": 128, "audio_embedding": 128}
_VIDEO_SIZES = {
    "mean_rgb": 1024,
    "mean_audio": 128,
    # What `yt8m-data pool` writes beside them.
    "std_rgb": 1024,
    "std_audio": 128,
}
_NO_FEATURES = (*windows.SEGMENT_KEYS, "start_time_seconds", "end_time_seconds")


def detect_spec(
    data: bytes,
    where: str,
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    num_classes: int,
) -> record_rules.RecordSpec:
    """Finds out what records hold from one of them.

    Args:
        data: A serialized record.
        where: What to call it in errors.
        feature_names: Keys of the features, all of the record if empty.
        feature_sizes: Their sizes, those of the record if empty. Packed
            records don't say theirs: those of YouTube-8M and AudioSet.
        num_classes: The number of classes.

    Returns:
        What the others should hold.

    Raises:
        ValueError: If the record has no features that can be recognised.
    """
    message = messages.parse(data)
    if message is None:
        raise ValueError(
            f"{where}: expected a tf.train.Example or tf.train.SequenceExample."
            f" Received: {len(data)} bytes that are neither"
        )
    if feature_sizes:
        feature_spec.validate(feature_names, feature_sizes, num_classes)
    layout, detected = _find_features(message, feature_names)
    names = tuple(feature_names) or tuple(detected)
    sizes = tuple(feature_sizes)
    if not sizes:
        for name in names:
            if not detected.get(name):
                raise ValueError(
                    f"{where}: expected features whose names and sizes can be "
                    "recognised; set feature_names and feature_sizes. "
                    f"Received: {_describe(message)}"
                )
        sizes = tuple(detected[name] for name in names)
    if not names:
        raise ValueError(
            f"{where}: expected features; set feature_names and "
            f"feature_sizes. Received: {_describe(message)}"
        )
    return record_rules.RecordSpec(layout, names, sizes, num_classes)


def usual_sizes(spec: record_rules.RecordSpec) -> dict[str, int]:
    """Lists features whose size in YouTube-8M and AudioSet is another one.

    Args:
        spec: What records hold.

    Returns:
        The size there of each feature that has another one in `spec`.
    """
    usual = (
        _VIDEO_SIZES
        if spec.layout is record_rules.Layout.VIDEO
        else _FRAME_SIZES
    )
    return {
        name: usual[name]
        for name, size in zip(
            spec.feature_names, spec.feature_sizes, strict=True
        )
        if name in usual and usual[name] != size
    }


def _find_features(
    message: tf.train.SequenceExample, wanted: Sequence[str]
) -> tuple[record_rules.Layout, dict[str, int | None]]:
    """Returns the layout and the features' sizes, None where not known."""
    lists = message.feature_lists.feature_list
    if lists:
        codes, floats = {}, {}
        for name in sorted(lists):
            frames = lists[name].feature
            kind = frames[0].WhichOneof("kind") if frames else None
            if kind is None:
                codes[name] = _FRAME_SIZES.get(name)
            elif kind == "bytes_list":
                values = frames[0].bytes_list.value
                codes[name] = len(values[0]) if values else None
            elif kind == "float_list":
                floats[name] = len(frames[0].float_list.value)
        if floats and not any(name in codes for name in wanted or codes):
            return record_rules.Layout.FLOATS, _known_order(floats)
        return record_rules.Layout.FRAMES, _known_order(codes)
    packed, video = {}, {}
    for name, feature in sorted(message.context.feature.items()):
        kind = feature.WhichOneof("kind")
        if kind == "bytes_list" and name not in ids.ID_KEYS:
            packed[name] = _FRAME_SIZES.get(name)
        elif kind == "float_list" and name not in _NO_FEATURES:
            number = len(feature.float_list.value)
            video[name] = number or _VIDEO_SIZES.get(name)
    if any(name in packed for name in wanted or _FRAME_SIZES) or not video:
        if not wanted:
            known = {name: size for name, size in packed.items() if size}
            packed = known or packed
        return record_rules.Layout.PACKED, _known_order(packed)
    return record_rules.Layout.VIDEO, _known_order(video)


def _known_order(sizes: dict[str, int | None]) -> dict[str, int | None]:
    """Puts known features first: rgb before audio."""
    known = [name for name in (*_FRAME_SIZES, *_VIDEO_SIZES) if name in sizes]
    return {name: sizes[name] for name in dict.fromkeys([*known, *sizes])}


def _describe(message: tf.train.SequenceExample) -> str:
    keys = sorted(message.context.feature)
    lists = sorted(message.feature_lists.feature_list)
    return f"keys={','.join(keys)}; frame by frame: {','.join(lists) or 'none'}"

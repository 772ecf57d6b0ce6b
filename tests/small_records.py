"""What small records of each kind hold, and float frames as MediaPipe's."""

import dataclasses

import tensorflow as tf

from yt8m_compact.readers import record_rules

VIDEO = record_rules.RecordSpec(
    record_rules.Layout.VIDEO, ("mean_rgb", "mean_audio"), (6, 3), 10
)
FRAMES = record_rules.RecordSpec(
    record_rules.Layout.FRAMES, ("rgb", "audio"), (6, 3), 10
)
PACKED = dataclasses.replace(FRAMES, layout=record_rules.Layout.PACKED)


FLOATS = record_rules.RecordSpec(
    record_rules.Layout.FLOATS,
    ("AUDIO/feature/floats", "RGB/feature/floats"),
    (2, 3),
    10,
)


def make_floats(rgb: list[list[float]], audio: list[list[float]]) -> bytes:
    """Makes a record of float frames, as MediaPipe writes them."""
    message = tf.train.SequenceExample()
    message.context.feature["id"].bytes_list.value.append(b"abc")
    for name, frames in (("RGB", rgb), ("AUDIO", audio)):
        steps = message.feature_lists.feature_list[f"{name}/feature/floats"]
        times = message.feature_lists.feature_list[f"{name}/feature/timestamp"]
        for number, frame in enumerate(frames):
            steps.feature.add().float_list.value.extend(frame)
            times.feature.add().int64_list.value.append(number)
    return message.SerializeToString()

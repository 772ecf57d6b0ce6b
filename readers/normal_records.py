"""Records as protobuf reads and writes them, for TensorFlow's parsers."""

from collections.abc import Sequence
import dataclasses

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import checks
from yt8m_compact.readers import messages


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a reader asks of a record.

    Attributes:
        keys: Keys of the features of the video.
        names: Keys of the features that come frame by frame, packed or not.
        sizes: Bytes per frame of each; empty where they can't be packed.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def normalize(
        self, records: Sequence[bytes]
    ) -> tuple[list[bytes], list[bool]]:
        """Encodes records as usual, without what is not asked for.

        Args:
            records: Serialized `tf.train.SequenceExample` or
                `tf.train.Example`.

        Returns:
            The same records, with frames if only some of them are packed; and
            which of them protobuf refuses, which are empty then.
        """
        parsed = [messages.read(record) for record in records]
        packed = []
        for message in parsed:
            if message is not None:
                messages.keep(message, self.keys, self.names)
                if not messages.has_frames(message, self.names):
                    packed.append(message)
        if self.sizes and len(packed) < len(parsed) - parsed.count(None):
            for message in packed:
                messages.unpack(message, self.names, self.sizes)
        return (
            [
                b"" if message is None else message.SerializeToString()
                for message in parsed
            ],
            [message is None for message in parsed],
        )

    def normalize_in_graph(
        self, records: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Does so inside a graph.

        Args:
            records: String `[batch]`.

        Returns:
            String `[batch]` and bool `[batch]`.
        """

        def run(records):
            normal, refused = self.normalize(records)
            return np.array(normal, object), np.array(refused, bool)

        normal, refused = tf.numpy_function(
            run, [records], [tf.string, tf.bool]
        )
        return tf.ensure_shape(normal, [None]), tf.ensure_shape(refused, [None])


def check_refused(refused: tf.Tensor, expected: str) -> checks.Check:
    """Checks that protobuf refuses no record.

    Args:
        refused: Bool `[batch]`.
        expected: What a record should be, and what to do.
    """
    return checks.Check(
        failed=tf.reduce_any(refused),
        bad=lambda: refused,
        describe=lambda row: tf.constant(expected),
    )

"""Writes records in every encoding that protobuf allows, at random.

What such a record holds is what protobuf's parser reads of it: mostly, but not
always, what the record held that went in.
"""

import numpy as np
import tensorflow as tf

_VARINT, _DELIMITED, _FIXED32 = 0, 2, 5


def varint(number: int, extra: int = 0) -> bytes:
    """Writes a number, with `extra` bytes more than it takes."""
    number %= 2**64
    parts = []
    while number >= 128:
        parts.append(number % 128)
        number //= 128
    parts += [number] + [0] * extra
    return bytes([part | 128 for part in parts[:-1]] + parts[-1:])


def field(number: int, content: bytes, extra: int = 0) -> bytes:
    """Writes a field of a length and as many bytes."""
    head = varint(number * 8 + _DELIMITED)
    return head + varint(len(content), extra) + content


class Encoder:
    """Writes records.

    Args:
        rng: Decides what is unusual.
        rate: How often it is at each place, from 0 to 1.
    """

    def __init__(self, rng: np.random.Generator, rate: float = 0.3) -> None:
        self._rng = rng
        self._rate = rate

    def record(self, data: bytes) -> bytes:
        """Writes a `tf.train.SequenceExample` or `tf.train.Example` again."""
        message = tf.train.SequenceExample.FromString(data)
        context = self._map(message.context.feature, self._feature)
        lists = self._map(message.feature_lists.feature_list, self._list)
        parts = self._split(1, context)
        if lists or self._often():
            parts += self._split(2, lists)
        return self._join(parts, shuffle=self._often())

    def _often(self) -> bool:
        return self._rng.random() < self._rate

    def _field(self, number: int, content: bytes) -> bytes:
        extra = int(self._rng.integers(1, 3)) if self._often() else 0
        if len(varint(len(content), extra)) > 5:
            extra = 0
        return field(number, content, extra)

    def _split(self, number: int, parts: list[bytes]) -> list[bytes]:
        """Writes a message in one field or, as protobuf merges, in two."""
        if not self._often():
            return [self._field(number, self._join(parts))]
        cut = int(self._rng.integers(0, len(parts) + 1))
        return [
            self._field(number, self._join(part))
            for part in (parts[:cut], parts[cut:])
        ]

    def _join(self, parts: list[bytes], *, shuffle: bool = False) -> bytes:
        parts = list(parts)
        if shuffle:
            self._rng.shuffle(parts)
        if self._often() and self._often():
            place = int(self._rng.integers(0, len(parts) + 1))
            parts.insert(place, self._unknown())
        return b"".join(parts)

    def _unknown(self) -> bytes:
        """Writes a field, or a group, that no message has."""
        number = int(self._rng.integers(9, 40))
        kind = int(self._rng.integers(4))
        if kind == 0:
            return varint(number * 8 + _VARINT) + varint(300)
        if kind == 1:
            return field(number, self._rng.bytes(3))
        if kind == 2:
            return varint(number * 8 + _FIXED32) + self._rng.bytes(4)
        inside = varint(8) + varint(5)
        return varint(number * 8 + 3) + inside + varint(number * 8 + 4)

    def _map(self, found, write) -> list[bytes]:
        """Writes the entries of a map, some twice: the last one counts."""
        entries = []
        keys = sorted(found)
        self._rng.shuffle(keys)
        for key in keys:
            if self._often() and self._often():
                entries.append(self._entry(key, [b""]))
            entries.append(self._entry(key, write(found[key])))
        return entries

    def _entry(self, key: str, value: list[bytes]) -> bytes:
        parts = [self._field(1, key.encode()), *self._split(2, value)]
        if self._often() and self._often():
            parts.append(parts.pop(0))  # the key last
        return self._field(1, self._join(parts))

    def _list(self, message: tf.train.FeatureList) -> list[bytes]:
        return [
            self._field(1, self._join(self._feature(one)))
            for one in message.feature
        ]

    def _feature(self, message: tf.train.Feature) -> list[bytes]:
        kind = message.WhichOneof("kind")
        if kind is None:
            return []
        values = getattr(message, kind).value
        if kind == "bytes_list":
            number, parts = 1, [self._field(1, value) for value in values]
        elif kind == "float_list":
            number = 2
            parts = self._numbers([np.float32(v).tobytes() for v in values], 5)
        else:
            number = 3
            parts = self._numbers(
                [varint(v, int(self._often() and v >= 0)) for v in values], 0
            )
        lists = self._split(number, parts)
        if self._often() and self._often():
            # Of several kinds the last one counts.
            lists.insert(0, field(1 + number % 3, b""))
        return lists

    def _numbers(self, values: list[bytes], wire_type: int) -> list[bytes]:
        """Writes a list packed, not packed, and in parts of both."""
        if not self._often():
            return [self._field(1, b"".join(values))] if values else []
        parts = []
        while values:
            cut = int(self._rng.integers(1, len(values) + 1))
            some, values = values[:cut], values[cut:]
            if self._rng.integers(2):
                parts.append(self._field(1, b"".join(some)))
            else:
                parts += [varint(8 + wire_type) + one for one in some]
        return parts

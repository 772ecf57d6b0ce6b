"""Tests of the checksum of TFRecord files."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.readers import crc32c


def test_known_values():
    # RFC 3720, B.4: the CRC of 32 zeros, 32 ones, and 0 to 31.
    assert crc32c.crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c.crc32c(bytes(range(32))) == 0x46DD794E
    # The usual check value of CRC-32C.
    assert crc32c.crc32c(b"123456789") == 0xE3069283
    assert crc32c.crc32c(b"") == 0


# Around the size of a block, 1024, of the loop, 64, and of the register, 4.
@pytest.mark.parametrize(
    "size", [0, 1, 3, 4, 5, 63, 64, 65, 1023, 1024, 1025, 5000]
)
def test_equals_what_tensorflow_writes(tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    path = tmp_path / "one.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(data)
    content = path.read_bytes()
    assert crc32c.masked_crc32c(data) == int.from_bytes(content[-4:], "little")
    assert crc32c.masked_crc32c(content[:8]) == int.from_bytes(
        content[8:12], "little"
    )


def test_headers_are_found_where_they_are(tmp_path):
    path = tmp_path / "three.tfrecord"
    sizes = [10, 0, 300]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, size in enumerate(sizes):
            writer.write(np.random.default_rng(number).bytes(size))
    content = b"junk" + path.read_bytes()
    places, lengths = crc32c.find_headers(content)
    # A record takes 16 bytes beside its data.
    assert places.tolist() == [4, 4 + 26, 4 + 26 + 16]
    assert lengths.tolist() == sizes


@pytest.mark.parametrize("data", [b"", b"short", bytes(12), bytes(100)])
def test_no_header(data):
    places, lengths = crc32c.find_headers(data)
    assert len(places) == len(lengths) == 0

"""CRC-32C, the checksum of TFRecord files, at the speed of NumPy.

TensorFlow checks it while it reads, but stops at the first record that does not
fit. What looks behind such a record needs the checksum itself.
"""

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_BLOCK = 1024  # bytes; their tables take 1 MB
_HEADER = 12  # bytes: length, checksum of the length
_SHORT = 64  # bytes, below which NumPy is slower than a loop


def masked_crc32c(data: bytes) -> int:
    """Returns the checksum that a TFRecord file keeps of some bytes.

    Args:
        data: The bytes.

    Returns:
        CRC-32C, rotated right by 15 bits, plus a constant, modulo 2^32.

    Example:
        >>> import tensorflow as tf
        >>> with tf.io.TFRecordWriter("b.tfrecord") as file:
        ...     file.write(b"one")
        >>> data = tf.io.read_file("b.tfrecord").numpy()
        >>> kept = int.from_bytes(data[-4:], "little")
        >>> yt8m.datasets.crc32c.masked_crc32c(b"one") == kept
        True
    """
    return int(_mask(np.uint64(crc32c(data))))


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C (Castagnoli) of some bytes, at more than 100 MB/s.

    The checksum is linear: that of a block is the exclusive or of one table
    entry for each byte, looked up by the byte and its position.

    Example:
        >>> hex(yt8m.datasets.crc32c.crc32c(b"123456789"))
        '0xe3069283'
    """
    if len(data) < _SHORT:
        crc = 0xFFFFFFFF
        table = _tables()[-1]
        for byte in data:
            crc = (crc >> 8) ^ int(table[(crc ^ byte) & 0xFF])
        return crc ^ 0xFFFFFFFF
    # Zeros in front of a message change nothing where the register starts at
    # zero; that it starts with ones is as if its first 4 bytes were inverted.
    padding = -len(data) % _BLOCK
    values = np.zeros(padding + len(data), np.uint8)
    values[padding:] = np.frombuffer(data, np.uint8)
    values[padding : padding + 4] ^= 0xFF
    blocks = values.reshape(-1, _BLOCK)
    tables = _tables()
    first_of_byte = np.arange(_BLOCK, dtype=np.int32) * 256
    terms = np.take(tables.ravel(), blocks.astype(np.int32) + first_of_byte)
    crc = 0
    first = [table.tolist() for table in tables[:4]]
    for block in np.bitwise_xor.reduce(terms, axis=1).tolist():
        crc = (
            block
            ^ first[0][crc & 0xFF]
            ^ first[1][crc >> 8 & 0xFF]
            ^ first[2][crc >> 16 & 0xFF]
            ^ first[3][crc >> 24]
        )
    return crc ^ 0xFFFFFFFF


def find_headers(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Finds every byte of some at which a record's header could be.

    Args:
        data: The bytes.

    Returns:
        offsets: int64, increasing: where 8 bytes come before their checksum.
        lengths: uint64, the lengths that these headers give.

    Example:
        >>> import tensorflow as tf
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"one")
        ...     file.write(b"three")
        >>> data = tf.io.read_file("a.tfrecord").numpy()
        >>> offsets, lengths = yt8m.datasets.crc32c.find_headers(data)
        >>> offsets.tolist(), lengths.tolist()
        ([0, 19], [3, 5])
    """
    values = np.frombuffer(data, np.uint8)
    number = len(values) - _HEADER + 1
    if number < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    tables = _tables()[-8:]
    crc = np.zeros(number, np.uint32)
    stored = np.zeros(number, np.uint32)
    for byte in range(8):
        part = values[byte : byte + number]
        crc ^= tables[byte][part ^ 0xFF if byte < 4 else part]
    for byte in range(4):
        part = values[8 + byte : 8 + byte + number].astype(np.uint32)
        stored |= part << np.uint32(8 * byte)
    masked = _mask((crc ^ np.uint32(0xFFFFFFFF)).astype(np.uint64))
    offsets = np.flatnonzero(masked == stored).astype(np.int64)
    lengths = np.array(
        [
            int.from_bytes(data[start : start + 8], "little")
            for start in offsets
        ],
        np.uint64,
    )
    return offsets, lengths


def _mask(crc: np.ndarray) -> np.ndarray:
    rotated = (crc >> np.uint64(15)) | (crc << np.uint64(17))
    return (rotated + np.uint64(_MASK_DELTA)) & np.uint64(0xFFFFFFFF)


@functools.cache
def _tables() -> np.ndarray:
    """Returns uint32 `[block, 256]`: what a byte adds by its position."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        low = table & np.uint32(1)
        table = (table >> np.uint32(1)) ^ (low * np.uint32(_POLYNOMIAL))
    tables = np.empty((_BLOCK, 256), np.uint32)
    tables[-1] = table
    for byte in reversed(range(_BLOCK - 1)):
        after = tables[byte + 1]
        tables[byte] = (after >> np.uint32(8)) ^ table[after & np.uint32(0xFF)]
    return tables

"""The bytes that arrays need when an entropy coder has written them."""

import lzma
import zlib

import numpy as np


def coded_bytes(array: np.ndarray) -> int:
    """Counts the bytes of an array that is coded by how frequent values are.

    The smallest of three: Huffman's code of its bytes (Deflate without matches)
    and LZMA, which the standard library has, and a number of as many bits for
    each value as tell apart those there are, with a list of these. Numbers of
    several bytes are taken apart for the first two, the first bytes of all,
    then the second ones: exponents of floats are alike, and their last bits are
    not. None counts a file's header.

    Args:
        array: of any shape, of numbers or bools.

    Returns:
        The number of bytes; 0 of no numbers.

    Raises:
        ValueError: if it holds anything else.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            "expected an array of numbers or bools. Received: "
            f"dtype={array.dtype}"
        )
    if not array.size:
        return 0
    flat = np.ascontiguousarray(array).reshape(-1)
    planes = flat.view(np.uint8).reshape(flat.size, -1).T
    return min(
        sum(_huffman_bytes(plane.tobytes()) for plane in planes),
        _lzma_bytes(planes.tobytes()),
        _numbered_bytes(flat),
    )


def _numbered_bytes(flat: np.ndarray) -> int:
    values = np.unique(flat)
    bits = (values.size - 1).bit_length()
    return -(-flat.size * bits // 8) + values.nbytes


def _huffman_bytes(data: bytes) -> int:
    coder = zlib.compressobj(
        level=9, wbits=-15, memLevel=9, strategy=zlib.Z_HUFFMAN_ONLY
    )
    return len(coder.compress(data)) + len(coder.flush())


def _lzma_bytes(data: bytes) -> int:
    # Bytes of planes have neighbours, but no places in words.
    settings = {"id": lzma.FILTER_LZMA2, "preset": 9, "lp": 0, "pb": 0}
    return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=[settings]))

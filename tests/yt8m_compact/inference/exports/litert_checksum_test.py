"""Tests of the checksum within a LiteRT file."""

import hashlib

import pytest

from yt8m_compact.inference.exports import litert_checksum


def test_is_the_hash_of_the_rest():
    content = b"before " + litert_checksum.METADATA + b" after"
    signed = litert_checksum.sign(content)
    digest = hashlib.sha256(content).hexdigest()
    expected = f"before yt8m_compact sha256 {digest} after"
    assert signed == expected.encode()
    assert litert_checksum.is_signed(signed)
    assert not litert_checksum.is_signed(content)
    assert not litert_checksum.is_signed(b"something else")


@pytest.mark.parametrize("place", [0, 3, 20, 60, -1])
def test_any_other_byte_is_noticed(place):
    signed = bytearray(
        litert_checksum.sign(b"before" + litert_checksum.METADATA + b"after")
    )
    signed[place] ^= 1
    assert not litert_checksum.is_signed(bytes(signed))


def test_more_and_fewer_bytes_are_noticed():
    signed = litert_checksum.sign(b"before" + litert_checksum.METADATA)
    assert not litert_checksum.is_signed(signed + b"\0")
    assert not litert_checksum.is_signed(signed[:-1])
    assert not litert_checksum.is_signed(signed + signed)

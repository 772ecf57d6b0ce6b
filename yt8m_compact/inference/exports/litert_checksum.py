"""The SHA-256 of a LiteRT file, within it."""

import hashlib
import re

# It is the hash of the file with zeros in its place.
_PREFIX = b"yt8m_compact sha256 "
_EMPTY = _PREFIX + b"0" * 64
_CHECKSUM = re.compile(re.escape(_PREFIX) + rb"([0-9a-f]{64})")

METADATA_NAME = "yt8m_compact_sha256"
"""The name of the metadata that it is."""
METADATA = _EMPTY
"""The metadata of a file before `sign`."""


def sign(content: bytes) -> bytes:
    """Puts the checksum of a file in its place.

    Args:
        content: a file with `METADATA` in it, once.

    Returns:
        The file, of as many bytes.
    """
    digest = hashlib.sha256(content).hexdigest().encode()
    return content.replace(_EMPTY, _PREFIX + digest)


def is_signed(content: bytes) -> bool:
    """Says whether a file holds its own checksum.

    Args:
        content: the file.
    """
    found = list(_CHECKSUM.finditer(content))
    if len(found) != 1:
        return False
    start, end = found[0].span(1)
    digest = hashlib.sha256(content[:start])
    digest.update(b"0" * (end - start))
    digest.update(memoryview(content)[end:])
    return digest.hexdigest().encode() == found[0][1]

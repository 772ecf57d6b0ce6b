"""Codes of weights as LiteRT stores them."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import math

import numpy as np

from yt8m_compact import structures
from yt8m_compact.inference.exports import litert_constants

# Fewer values with one scale take more bytes than floats.
_LEAST_RUN = 8


def lay_out(coded: structures.CodedWeight) -> litert_constants.Stored | None:
    """Finds how LiteRT can store a constant.

    Args:
        coded: its codes and scales, of its shape.

    Returns:
        The codes, of another shape where scales change within an axis; None
        where they change too often, and for codes that LiteRT has not.
    """
    codes, scales = coded.codes, coded.scales
    if codes.dtype == np.float16:
        same = (scales == 1).all()
        return litert_constants.Halves(codes) if same else None
    if codes.dtype != np.int8:
        return None
    bits = _bits(codes)
    first = scales.reshape(-1)[:1]
    if (scales == first).all():
        return litert_constants.Codes(codes, first, 0, bits)
    for axis in range(codes.ndim):
        others = tuple(i for i in range(codes.ndim) if i != axis)
        slices = np.moveaxis(scales, axis, 0).reshape(codes.shape[axis], -1)
        if others and (slices == slices[:, :1]).all():
            return litert_constants.Codes(codes, slices[:, 0], axis, bits)
    changes = np.flatnonzero(np.diff(scales.reshape(-1))) + 1
    run = math.gcd(codes.size, *map(int, changes))
    if run < _LEAST_RUN:
        return None
    rows = scales.reshape(-1, run)[:, 0]
    return litert_constants.Codes(codes.reshape(-1, run), rows, 0, bits)


def _bits(codes: np.ndarray) -> int:
    """Counts the bits that codes need, of those that there are."""
    for bits in litert_constants.readable_bits():
        half = 2 ** (bits - 1)
        if codes.min() >= -half and codes.max() < half:
            return bits
    return 8

"""Weights of few bits among the constants of a LiteRT file."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Iterator
import itertools
import math

import keras
import numpy as np

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.inference.exports import litert_constants

# Scales are float32 beside what rounded weights are; factors of what follows a
# product, such as those of batch normalisation, may have been put in them.
_RELATIVE_ERROR = 1e-6
# Fewer values with one scale take more bytes than floats.
_LEAST_RUN = 8


def find(
    model: keras.Model, graph: litert_constants.LiteRtGraph
) -> dict[litert_constants.Key, litert_constants.Stored]:
    """Finds the constants that are weights of a precision.

    Args:
        model: the model that the file was made of.
        graph: the file.

    Returns:
        By constant, the bits that say the same, of those that take fewer bytes
        so. What is made of such weights, as spectra are, is not among them.
    """
    found = {}
    constants = graph.constants()
    for weight in _coded_weights(model):
        if not weight.codes.size:
            continue
        values = weight.decode()
        for key, constant in constants.items():
            if key in found or constant.values.size != values.size:
                continue
            stored = _match(weight, values, constant)
            if stored and stored.num_bytes < constant.values.nbytes:
                found[key] = stored
    return found


def _coded_weights(model: keras.Model) -> Iterator[structures.CodedWeight]:
    for layer in layers.projections(model):
        arrays = {
            name: variable.numpy()
            for name, variable in layer.structure_weights.items()
        }
        yield from layer.structure.coded(arrays, *layer.sizes).values()


def _match(
    weight: structures.CodedWeight,
    values: np.ndarray,
    constant: litert_constants.Constant,
) -> litert_constants.Stored | None:
    """Says a constant by the codes of a weight, if it is that weight."""
    shape = [size for size in values.shape if size > 1]
    for order in itertools.permutations(range(len(shape))):

        def ordered(array: np.ndarray, order=order) -> np.ndarray:
            turned = np.transpose(array.reshape(shape), order)
            return turned.reshape(constant.values.shape)

        factors = _factors(ordered(values), constant.values)
        if factors is None:
            continue
        codes = ordered(weight.codes)
        scales = ordered(weight.scales) * factors
        if codes.dtype == np.float16:
            same = (scales == 1).all()
            return litert_constants.Halves(codes) if same else None
        return lay_out(codes, scales)
    return None


def _factors(values: np.ndarray, constant: np.ndarray) -> np.ndarray | None:
    """Finds the factors of rows that make values a constant, if there are."""
    if np.array_equal(values, constant):
        return np.ones_like(values)
    if values.ndim != 2:
        return None
    values = values.astype(np.float64)
    squares = np.sum(values * values, axis=1, keepdims=True)
    products = np.sum(values * constant, axis=1, keepdims=True)
    factors = np.divide(
        products, squares, out=np.ones_like(squares), where=squares > 0
    )
    # Of each row by its own largest value.
    largest = np.abs(constant).max(axis=1, keepdims=True)
    error = np.abs(values * factors - constant)
    if not (error <= _RELATIVE_ERROR * largest).all():
        return None
    return np.broadcast_to(factors.astype(np.float32), values.shape)


def lay_out(
    codes: np.ndarray, scales: np.ndarray
) -> litert_constants.Codes | None:
    """Finds the axis along which scales change.

    Args:
        codes: int8, as few levels as there are.
        scales: float32, of the same shape.

    Returns:
        The codes, of another shape where scales change within an axis; None
        where they change too often.
    """
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
    for bits in (2, 4):
        half = 2 ** (bits - 1)
        if codes.min() >= -half and codes.max() < half:
            return bits
    return 8

"""Weights of few bits among the constants of a file."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Hashable, Iterator, Mapping
import itertools
from typing import Protocol, TypeVar

import keras
import numpy as np

from yt8m_compact import layers
from yt8m_compact import structures

# Scales are float32 beside what rounded weights are; factors of what follows a
# product, such as those of batch normalisation, may have been put in them.
_RELATIVE_ERROR = 1e-6


class Stored(Protocol):
    """How a constant is stored."""

    @property
    def num_bytes(self) -> int:
        """Counts what is stored."""


Key = TypeVar("Key", bound=Hashable)
AnyStored = TypeVar("AnyStored", bound=Stored)


def find(
    model: keras.Model,
    constants: Mapping[Key, np.ndarray],
    lay_out: Callable[[structures.CodedWeight], AnyStored | None],
) -> dict[Key, AnyStored]:
    """Finds the constants that are weights of a precision.

    Args:
        model: the model that the file was made of.
        constants: the float32 values of the constants of the file.
        lay_out: says how a constant of some codes is stored; None if it can't
            be.

    Returns:
        By constant, the bits that say the same, of those that take fewer bytes
        so. What is made of such weights, as spectra are, is not among them.
    """
    found: dict[Key, AnyStored] = {}
    for weight in _coded_weights(model):
        if not weight.codes.size:
            continue
        values = weight.decode()
        for key, constant in constants.items():
            if key in found or constant.size != values.size:
                continue
            coded = _match(weight, values, constant)
            stored = coded and lay_out(coded)
            if stored and stored.num_bytes < constant.nbytes:
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
    weight: structures.CodedWeight, values: np.ndarray, constant: np.ndarray
) -> structures.CodedWeight | None:
    """Says a constant by the codes of a weight, if it is that weight."""
    shape = [size for size in values.shape if size > 1]
    for order in itertools.permutations(range(len(shape))):

        def ordered(array: np.ndarray, order=order) -> np.ndarray:
            turned = np.transpose(array.reshape(shape), order)
            return turned.reshape(constant.shape)

        factors = _factors(ordered(values), constant)
        if factors is not None:
            return structures.CodedWeight(
                ordered(weight.codes), ordered(weight.scales) * factors
            )
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

"""Real Fourier transforms as products of small real matrices.

Operators of Fourier transforms and complex numbers exist in TensorFlow only:
LiteRT, ONNX and OpenVINO have products, sums and reshapes. A transform of
length `n = n1 n2` is one of length n1, twiddle factors, and one of length n2,
which may be split again. The first is of real values, so that half of its
spectrum says all; the others are of pairs of real and imaginary parts.

The frequencies are in the order in which that leaves them, the same for all
spectra of a length: products of spectra do not ask for another.
"""

from collections.abc import Iterator
import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

_MAX_STAGES = 4
# A choice weighs the bytes of a file against its time: so many multiply-adds of
# each transform are worth a byte.
_MULTIPLY_ADDS_PER_BYTE = 3
# What else takes time, in multiply-adds, measured in LiteRT on one thread: a
# pass over the values of a spectrum at each stage, and what it takes to begin
# with each of the small matrices of the stages in the middle. 16 transforms of
# 1,024 values as 32 x 32 take 43 us, as 16 x 8 x 8 166 us.
_PASSES = 40
_START = 40_000
# A stage but the last is a product for each transform, whose columns fill
# vectors: it takes so many times as long as one for all of them. 960 transforms
# of 128 values as 16 x 8 and back take 1.13 ms, as 8 x 16 0.74.
_EACH = 3
_VECTOR = 16


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Half a spectrum, in the order of its `Stages`.

    Attributes:
        real: `[..., frequencies]`.
        imag: `[..., frequencies]`.
    """

    real: tf.Tensor
    imag: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Stages:
    """How a transform is split.

    Attributes:
        sizes: the lengths of the stages, the one of real values first. Their
            product is the length of the transform.
    """

    sizes: tuple[int, ...]

    @property
    def length(self) -> int:
        """Counts the values."""
        return math.prod(self.sizes)

    @property
    def half(self) -> int:
        """Counts the frequencies of the first stage that say all."""
        return self.sizes[0] // 2 + 1

    @property
    def columns(self) -> int:
        """Counts the transforms of the first stage."""
        return self.length // self.sizes[0]

    @property
    def num_frequencies(self) -> int:
        """Counts the complex values of a spectrum."""
        return self.half * self.columns

    @property
    def constant_bytes(self) -> int:
        """Counts the bytes of float32 constants, there and back."""
        count = 2 * self.sizes[0] * 2 * self.half
        rows, rest = self.half, self.columns
        for size in self.sizes[1:]:
            count += 2 * rows * rest + (2 * size) ** 2
            rows, rest = size, rest // size
        return 4 * count

    @property
    def multiply_adds(self) -> int:
        """Counts the real multiply-adds of a transform."""
        count = 2 * self.half * self.length
        for size in self.sizes[1:]:
            count += 4 * size * self.num_frequencies
        return count + 4 * self.num_frequencies * (len(self.sizes) - 1)

    @property
    def time_cost(self) -> float:
        """Weighs the time of a transform, in bytes."""
        work = self.multiply_adds
        if self.columns > 1:
            products = 2 * self.half * self.sizes[0]
            padded = self.columns + -self.columns % _VECTOR
            work += products * (_EACH * padded - self.columns)
        work += _PASSES * self.num_frequencies * len(self.sizes)
        matrices = self.half
        for size in self.sizes[1:-1]:
            work += _START * matrices
            matrices *= size
        return work / _MULTIPLY_ADDS_PER_BYTE

    @property
    def cost(self) -> float:
        """Weighs bytes and time, in bytes."""
        return self.constant_bytes + self.time_cost

    def frequencies(self) -> np.ndarray:
        """Lists the frequencies in their order, from 0 up to `length - 1`."""
        order = np.arange(self.sizes[-1])
        for size in reversed(self.sizes[:-1]):
            order = (np.arange(size)[:, np.newaxis] + size * order).ravel()
        return order[: self.num_frequencies]


def _splits(length: int, most: int) -> Iterator[tuple[int, ...]]:
    yield (length,)
    if most > 1:
        for size in range(2, length // 2 + 1):
            if length % size == 0:
                for rest in _splits(length // size, most - 1):
                    yield (size, *rest)


@functools.cache
def stages(length: int) -> Stages:
    """Chooses how to split a transform, by bytes and time.

    Args:
        length: number of values, at least 1. A large prime factor is a stage of
            that size, written out.

    Returns:
        The stages.
    """
    candidates = map(Stages, _splits(length, _MAX_STAGES))
    return min(candidates, key=lambda candidate: candidate.cost)


def _angles(rows: int, columns: int, length: int) -> np.ndarray:
    """Writes out `2 pi j k / length`; reduced while whole, exact for any."""
    steps = np.outer(np.arange(rows), np.arange(columns)) % length
    return steps * (2 * math.pi / length)


def _real_matrix(size: int) -> np.ndarray:
    """From values to half a spectrum, `[2 * half, size]`."""
    angles = _angles(size // 2 + 1, size, size)
    return np.concatenate([np.cos(angles), -np.sin(angles)])


def _inverse_real_matrix(parts: Stages) -> np.ndarray:
    """From half a spectrum of the first stage to values, `[size, 2 * half]`."""
    size = parts.sizes[0]
    # Those in the middle stand for their conjugates, too.
    weights = np.full(parts.half, 2.0)
    weights[0] = 1
    if size % 2 == 0:
        weights[-1] = 1
    weights = np.tile(weights, 2)[:, np.newaxis] / parts.length
    return (_real_matrix(size) * weights).T


def _complex_matrix(size: int) -> np.ndarray:
    """From `[real, imag]` to such, both columns, `[2 * size, 2 * size]`."""
    angles = _angles(size, size, size)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.block([[cos, sin], [-sin, cos]])


def _turn(
    real: tf.Tensor, imag: tf.Tensor, length: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiplies by the twiddle factors `exp(-2 pi i j k / length)`.

    Args:
        real: `[rows, frequencies, columns]`, after a stage.
        imag: of that shape.
        length: the length of that stage and those that follow.
    """
    angles = _angles(*real.shape[1:], length)
    cos = tf.constant(np.cos(angles), real.dtype)
    sin = tf.constant(np.sin(angles), real.dtype)
    return real * cos + imag * sin, imag * cos - real * sin


def _transform_pairs(
    real: tf.Tensor, imag: tf.Tensor, axis: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Transforms complex values along an axis, 1 or the last, in one stage."""
    matrix = _complex_matrix(real.shape[axis])
    pairs = tf.concat([real, imag], axis=axis)
    if axis == 1:
        pairs = tf.matmul(tf.constant(matrix, real.dtype), pairs)
    else:
        pairs = tf.matmul(pairs, tf.constant(matrix.T, real.dtype))
    return tuple(tf.split(pairs, 2, axis=axis))


def _forward(
    real: tf.Tensor, imag: tf.Tensor, sizes: tuple[int, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Goes on after the first of some stages."""
    _, *rest = sizes
    real, imag = _turn(real, imag, math.prod(sizes))
    if len(rest) == 1:
        return _transform_pairs(real, imag, axis=2)
    shape = [-1, rest[0], math.prod(rest[1:])]
    real, imag = _transform_pairs(
        tf.reshape(real, shape), tf.reshape(imag, shape), axis=1
    )
    return _forward(real, imag, tuple(rest))


def _backward(
    real: tf.Tensor, imag: tf.Tensor, rows: int, sizes: tuple[int, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Inverts `_forward`, to `[..., rows, columns]`.

    Where the parts change places, so do a transform and its inverse.
    """
    _, *rest = sizes
    shape = [-1, rows, math.prod(rest)]
    if len(rest) > 1:
        real, imag = _backward(real, imag, rest[0], tuple(rest))
        imag, real = _transform_pairs(imag, real, axis=1)
        real, imag = tf.reshape(real, shape), tf.reshape(imag, shape)
    else:
        real, imag = tf.reshape(real, shape), tf.reshape(imag, shape)
        imag, real = _transform_pairs(imag, real, axis=2)
    imag, real = _turn(imag, real, math.prod(sizes))
    return real, imag


def real_dft(x: tf.Tensor, length: int) -> Spectrum:
    """Transforms rows, with zeros behind them up to a length.

    Args:
        x: `[rows, n]`, float32 or float64, with a known `n` up to `length`.
        length: number of values to transform.

    Returns:
        Parts of shape `[rows, num_frequencies]`.
    """
    parts = stages(length)
    size, columns = x.shape[-1], parts.columns
    # Zeros in whole rows of the first stage are left out.
    used = -(-size // columns)
    if used * columns > size:
        x = tf.pad(x, [[0, 0], [0, used * columns - size]])
    matrix = tf.constant(_real_matrix(parts.sizes[0])[:, :used], x.dtype)
    if columns == 1:
        real, imag = tf.split(tf.matmul(x, tf.transpose(matrix)), 2, axis=1)
        return Spectrum(real, imag)
    values = tf.matmul(matrix, tf.reshape(x, [-1, used, columns]))
    real, imag = _forward(*tf.split(values, 2, axis=1), parts.sizes)
    shape = [-1, parts.num_frequencies]
    return Spectrum(tf.reshape(real, shape), tf.reshape(imag, shape))


def inverse_real_dft(spectrum: Spectrum, length: int, keep: int) -> tf.Tensor:
    """Inverts `real_dft`.

    Args:
        spectrum: parts of shape `[rows, num_frequencies]`.
        length: number of values that were transformed.
        keep: how many of the first values to return.

    Returns:
        `[rows, keep]`, float32 or float64.
    """
    parts = stages(length)
    columns = parts.columns
    used = -(-keep // columns)
    matrix = _inverse_real_matrix(parts)[:used]
    matrix = tf.constant(matrix, spectrum.real.dtype)
    if columns == 1:
        values = tf.concat([spectrum.real, spectrum.imag], axis=1)
        return tf.matmul(values, tf.transpose(matrix))
    real, imag = _backward(
        spectrum.real, spectrum.imag, parts.half, parts.sizes
    )
    values = tf.matmul(matrix, tf.concat([real, imag], axis=1))
    x = tf.reshape(values, [-1, used * columns])
    return x if used * columns == keep else x[:, :keep]

"""Real Fourier transforms of the last axis, and what they cost."""

from collections.abc import Iterator
import contextlib
import contextvars
import functools
import math

import tensorflow as tf

_portable = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def portable_operators() -> Iterator[None]:
    """Traces products without Fourier transforms and complex numbers.

    What is computed or traced inside has operators that LiteRT, ONNX and
    OpenVINO have, too (see `portable_transforms`), and no gradient of its own.
    It is for inference elsewhere: in TensorFlow it takes longer.

    Example:
        >>> import tensorflow as tf
        >>> @tf.function(autograph=False)
        ... def multiply(x):
        ...     return yt8m.ops.circulant_matmul(x, tf.ones([1, 512]), 512)
        >>> with yt8m.ops.portable_operators():
        ...     traced = multiply.get_concrete_function(tf.TensorSpec([1, 512]))
        >>> any("FFT" in op.type for op in traced.graph.get_operations())
        False
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def are_portable() -> bool:
    """Says whether this is inside of `portable_operators`."""
    return _portable.get()


def real_fft(x: tf.Tensor, length: int) -> tf.Tensor:
    """Transforms the last axis, with zeros behind it up to a length.

    Args:
        x: `[..., n]`, float32 or float64, with a known `n` up to `length`.
        length: number of values to transform.

    Returns:
        The half spectrum, `[..., length // 2 + 1]`, complex64 or complex128.
    """
    padding = length - x.shape[-1]
    if padding:
        x = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[0, padding]])
    return tf.signal.rfft(x, fft_length=[length])


def inverse_real_fft(
    spectrum: tf.Tensor, length: int, keep: int | None = None
) -> tf.Tensor:
    """Inverts `real_fft`.

    Args:
        spectrum: `[..., length // 2 + 1]`, complex64 or complex128.
        length: number of values, which half a spectrum does not tell (odd or
            even).
        keep: how many of the first values to return; None is all of them.

    Returns:
        `[..., keep]`, float32 or float64.
    """
    x = tf.signal.irfft(spectrum, fft_length=[length])
    return x if keep is None or keep == length else x[..., :keep]


@functools.cache
def fast_length(minimum: int) -> int:
    """Finds the shortest length that transforms fast.

    Args:
        minimum: the shortest length wanted, at least 1.

    Returns:
        The smallest `2^a 3^b 5^c` that is at least `minimum`.
    """
    best = 1 << (minimum - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:
            rest = -(-minimum // odd)
            best = min(best, odd << (rest - 1).bit_length())
            odd *= 3
        fives *= 5
    return best


@functools.cache
def transform_multiply_adds(length: int) -> float:
    """Estimates the multiply-adds of a real transform.

    `1.25 n log2 n` for a length of small prime factors. Any other prime
    factor p costs about `p / 2` steps a value instead of `log2 p`, up to where
    the transform as a convolution of a fast length (Bluestein's) is cheaper;
    transform libraries make that choice.

    Args:
        length: number of values, at least 1.

    Returns:
        The estimate, not rounded.
    """
    steps, rest, factor = 0.0, length, 2
    while rest > 1:
        if factor * factor > rest:
            factor = rest
        if rest % factor:
            factor += 1
            continue
        steps += math.log2(factor) if factor <= 5 else factor / 2
        rest //= factor
    direct = 1.25 * length * max(steps, 1.0)
    padded = fast_length(2 * length)
    bluestein = 2 * 2.5 * padded * math.log2(padded) + 4 * padded
    return min(direct, bluestein)

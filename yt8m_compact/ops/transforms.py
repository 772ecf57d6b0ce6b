"""Real Fourier transforms of the last axis, and what they cost."""

from collections.abc import Iterator
import contextlib
import contextvars
import functools
import math

import tensorflow as tf

_portable = contextvars.ContextVar("portable", default=False)
_paired = contextvars.ContextVar("paired", default=False)


@contextlib.contextmanager
def _inside(variable: contextvars.ContextVar[bool]) -> Iterator[None]:
    token = variable.set(True)
    try:
        yield
    finally:
        variable.reset(token)


def portable_operators() -> contextlib.AbstractContextManager[None]:
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
    return _inside(_portable)


def are_portable() -> bool:
    """Says whether this is inside of `portable_operators`."""
    return _portable.get()


def paired_frames() -> contextlib.AbstractContextManager[None]:
    """Traces products that may transform two frames of a video as one.

    That is faster. What is no number in one frame is none in the other, then,
    and is rounded as the larger one is: it is for training, whose moments mix
    all frames in any case, and for frames without anything odd in the padding.
    """
    return _inside(_paired)


def are_paired() -> bool:
    """Says whether this is inside of `paired_frames`."""
    return _paired.get()


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


class RowTransform:
    """The transform of real rows, each by itself."""

    def pack(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `[..., n]` as it is."""
        return x

    def unpack(self, packed: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Returns what was packed, of the shape of another."""
        del like
        return packed

    def product(self, packed: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Multiplies value by value, what all is to be added of."""
        return packed * other

    def forward(self, packed: tf.Tensor) -> tf.Tensor:
        """Transforms `[..., n]` to `[..., n // 2 + 1]`."""
        return real_fft(packed, packed.shape[-1])

    def inverse(self, spectra: tf.Tensor, length: int) -> tf.Tensor:
        """Inverts `forward`."""
        return inverse_real_fft(spectra, length)

    def forward_kernel(self, kernel: tf.Tensor) -> tf.Tensor:
        """Transforms real rows, whose spectra multiply those of others."""
        return self.forward(kernel)

    def inverse_kernel(self, spectra: tf.Tensor, length: int) -> tf.Tensor:
        """Inverts `forward_kernel`."""
        return self.inverse(spectra, length)


class PairTransform:
    """The transform of real frames, of two of each video as one.

    `F(u + i v)` takes as long as `F(u)` and `F(v)` of real rows, and the
    inverse two thirds of theirs, which complete half spectra. What multiplies
    it is the spectrum of a real kernel, the same for both.
    """

    def pack(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `[videos, ceil(max_frames / 2), n]`, complex.

        An odd number of frames gets one of zeros behind it.
        """
        half = _half(x)
        missing = 2 * half - tf.shape(x)[1]
        late = tf.pad(x[:, half:], [[0, 0], [0, missing], [0, 0]])
        return tf.complex(x[:, :half], late)

    def unpack(self, packed: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Returns what was packed, of the shape of another."""
        late = tf.math.imag(packed)[:, : tf.shape(like)[1] - _half(like)]
        frames = tf.concat([tf.math.real(packed), late], axis=1)
        return tf.ensure_shape(frames, like.shape)

    def product(self, packed: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Multiplies value by value, what all is to be added of."""
        early = tf.math.real(packed) * tf.math.real(other)
        return early + tf.math.imag(packed) * tf.math.imag(other)

    def forward(self, packed: tf.Tensor) -> tf.Tensor:
        """Transforms the last axis."""
        return tf.signal.fft(packed)

    def inverse(self, spectra: tf.Tensor, length: int) -> tf.Tensor:
        """Inverts `forward`."""
        del length
        return tf.signal.ifft(spectra)

    def forward_kernel(self, kernel: tf.Tensor) -> tf.Tensor:
        """Transforms real rows, whose spectra multiply those of pairs."""
        return self.forward(tf.complex(kernel, tf.zeros_like(kernel)))

    def inverse_kernel(self, spectra: tf.Tensor, length: int) -> tf.Tensor:
        """Inverts `forward_kernel`, without what mixes frames of a pair."""
        return tf.math.real(self.inverse(spectra, length))


def _half(x: tf.Tensor) -> tf.Tensor:
    return (tf.shape(x)[1] + 1) // 2


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

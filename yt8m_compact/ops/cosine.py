"""Products with diagonals between cosine transforms (ACDC)."""

import math

import numpy as np
import tensorflow as tf

from yt8m_compact.ops import block_circulant
from yt8m_compact.ops import portable_transforms
from yt8m_compact.ops import transforms

# Up to this size, a product with the matrix of the transform is faster than
# Fourier transforms: 1,200 rows of 256 values take 0.6 ms against 1.0 on two
# cores, 512 values 1.7 against 1.4.
_LARGEST_MATRIX = 256


def cosine_matrix(size: int, dtype: tf.DType) -> tf.Tensor:
    """Writes out the orthonormal cosine transform (DCT-II) of a row.

    Example:
        >>> import tensorflow as tf
        >>> print(yt8m.ops.cosine_matrix(2, tf.float32).numpy().round(3))
        [[ 0.707  0.707]
         [ 0.707 -0.707]]

    Args:
        size: number of values to transform.
        dtype: float32 or float64.

    Returns:
        `C`, `[size, size]`, so that `x @ C` are the coefficients of `x`: `C[i,
        k] = s cos(pi (2 i + 1) k / (2 size))` with `s = sqrt(2 / size)`, or
        `sqrt(1 / size)` for `k = 0`.
    """
    # The angle is reduced while it is whole: exact for any size.
    odd = 2 * tf.range(size, dtype=tf.int64)[:, tf.newaxis] + 1
    steps = odd * tf.range(size, dtype=tf.int64) % (4 * size)
    angles = tf.cast(steps, tf.float64) * (math.pi / (2 * size))
    first = tf.sqrt(tf.constant([0.5], tf.float64))
    scale = tf.concat([first, tf.ones([size - 1], tf.float64)], axis=0)
    return tf.cast(math.sqrt(2 / size) * scale * tf.cos(angles), dtype)


def _by_matrix(x: tf.Tensor, inverse: bool) -> tf.Tensor:
    matrix = cosine_matrix(x.shape[-1], x.dtype)
    rows = tf.reshape(x, [-1, x.shape[-1]])
    y = tf.matmul(rows, matrix, transpose_b=inverse)
    return block_circulant.with_leading_dims_of(x, y)


def _portable_transform(
    x: tf.Tensor, stages: portable_transforms.Stages, inverse: bool
) -> tf.Tensor:
    """Transforms rows in operators that every runtime has.

    By a transform of the same length, of the even places and then the odd ones
    backwards (Makhoul, IEEE ASSP 28, 1980).
    """
    size = stages.length
    order = np.r_[0:size:2, size - 1 - size % 2 : 0 : -2]
    steps = np.arange(size)
    turns = np.exp(1j * math.pi / (2 * size) * steps)
    scales = np.where(steps == 0, math.sqrt(1 / size), math.sqrt(2 / size))
    frequencies = stages.frequencies()
    if inverse:
        # Coefficients k and n - k make one frequency; there is no nth.
        mirrors = (size - frequencies) % size
        own = turns[frequencies] / scales[frequencies]
        others = turns[frequencies] / scales[mirrors] * (frequencies > 0)

        def sums(a: np.ndarray, b: np.ndarray) -> tf.Tensor:
            return tf.gather(x, frequencies, axis=1) * tf.constant(
                a, x.dtype
            ) + tf.gather(x, mirrors, axis=1) * tf.constant(b, x.dtype)

        spectrum = portable_transforms.Spectrum(
            sums(own.real, others.imag), sums(own.imag, -others.real)
        )
        y = portable_transforms.inverse_real_dft(spectrum, size, size)
        return tf.gather(y, np.argsort(order), axis=1)
    spectrum = portable_transforms.real_dft(tf.gather(x, order, axis=1), size)
    # Where each frequency is, or its conjugate.
    places = np.full(size, -1)
    signs = np.ones(size)
    places[-frequencies % size] = np.arange(len(frequencies))
    signs[-frequencies % size] = -1
    places[frequencies] = np.arange(len(frequencies))
    signs[frequencies] = 1
    real, imag = (
        tf.gather(part, places, axis=1) * tf.constant(factors, x.dtype)
        for part, factors in [
            (spectrum.real, scales * turns.real),
            (spectrum.imag, scales * signs * turns.imag),
        ]
    )
    return real + imag


def _transform(x: tf.Tensor, inverse: bool) -> tf.Tensor:
    size = x.shape[-1]
    if transforms.are_portable():
        stages = portable_transforms.stages(size)
        # There are both transforms, by matrices or by their constants.
        if stages.constant_bytes < 4 * size**2:
            rows = tf.reshape(x, [-1, size])
            y = _portable_transform(rows, stages, inverse)
            return tf.reshape(y, [-1, *x.shape[1:]])
        return _by_matrix(x, inverse)
    if size <= _LARGEST_MATRIX:
        return _by_matrix(x, inverse)
    # By a Fourier transform of the row with as many zeros behind it; those of
    # tf.signal do not take a batch of no rows.
    complex_dtype = tf.complex64 if x.dtype == tf.float32 else tf.complex128
    steps = tf.range(size, dtype=tf.float64)
    turns = tf.complex(tf.zeros_like(steps), steps * (math.pi / (2 * size)))

    def phases(first: float, others: float, sign: int) -> tf.Tensor:
        scale = tf.where(
            steps == 0,
            tf.constant(first, tf.float64),
            tf.constant(others, tf.float64),
        )
        product = tf.cast(scale, tf.complex128) * tf.exp(sign * turns)
        return tf.cast(product, complex_dtype)

    if inverse:
        # Each coefficient but the first stands for its mirror image too.
        phase = phases(2 * math.sqrt(size), math.sqrt(2 * size), 1)
        spectrum = tf.cast(x, complex_dtype) * phase
        leading = [[0, 0]] * (x.shape.rank - 1)
        spectrum = tf.pad(spectrum, [*leading, [0, 1]])
        return transforms.inverse_real_fft(spectrum, 2 * size, size)
    phase = phases(math.sqrt(1 / size), math.sqrt(2 / size), -1)
    spectrum = transforms.real_fft(x, 2 * size)[..., :size]
    return tf.math.real(spectrum * phase)


def _with_gradient(x: tf.Tensor, inverse: bool) -> tf.Tensor:
    # The transform is orthonormal: the gradient of each is the other.
    @tf.custom_gradient
    def transform(x):
        return _transform(x, inverse), lambda upstream: _with_gradient(
            upstream, not inverse
        )

    return transform(x)


def cosine_transform(x: tf.Tensor) -> tf.Tensor:
    """Transforms the last axis by the orthonormal DCT-II.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[3.0, 1.0]])
        >>> print(yt8m.ops.cosine_transform(x).numpy().round(3))
        [[2.828 1.414]]

    Args:
        x: `[..., n]`, float32 or float64, with a known `n` of any size.

    Returns:
        `x @ cosine_matrix(n)`, of the shape and dtype of `x`.
    """
    return _with_gradient(x, inverse=False)


def inverse_cosine_transform(x: tf.Tensor) -> tf.Tensor:
    """Inverts `cosine_transform`.

    Example:
        >>> import tensorflow as tf
        >>> coefficients = yt8m.ops.cosine_transform(tf.constant([[3.0, 1.0]]))
        >>> x = yt8m.ops.inverse_cosine_transform(coefficients)
        >>> print(x.numpy().round(3))
        [[3. 1.]]

    Args:
        x: `[..., n]`, float32 or float64, with a known `n` of any size.

    Returns:
        The values, of the shape and dtype of `x`.
    """
    return _with_gradient(x, inverse=True)


def cosine_multiply_adds(size: int) -> float:
    """Counts the multiply-adds of a cosine transform, not rounded.

    Example:
        >>> yt8m.ops.cosine_multiply_adds(1024), 1024**2  # and by a matrix
        (30208.0, 1048576)

    Args:
        size: number of values.

    Returns:
        The count, of the algorithm that is used.
    """
    if size <= _LARGEST_MATRIX:
        return size * size
    # TensorFlow takes a Fourier transform of twice the length.
    return transforms.transform_multiply_adds(2 * size) + 2 * size


def acdc_matmul(
    x: tf.Tensor, diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows by blocks of products of A C D C^-1 factors.

    `y = [x @ W_1, ..., x @ W_B][:units]`, where `W_b` is the product over
    factors f of `diag(diagonal[f, b]) C diag(kernel[f, b]) C^T` and `C` is
    `cosine_matrix(n)`.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 2.0, 3.0, 6.0]])
        >>> diagonal = tf.ones([1, 1, 4])
        >>> kernel = tf.constant([[[1.0, 0.0, 0.0, 0.0]]])  # leaves the mean
        >>> y = yt8m.ops.acdc_matmul(x, diagonal, kernel, units=4)
        >>> y.numpy().round(3).tolist()
        [[3.0, 3.0, 3.0, 3.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        diagonal: `[factors, ceil(units / n), n]`, the diagonals A, of the dtype
            of `x`.
        kernel: `[factors, ceil(units / n), n]`, the diagonals D, of the dtype
            of `x`.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the shape of either does not fit `x` and `units`.

    References:
        Moczulski et al., ACDC: a structured efficient linear layer,
        https://arxiv.org/abs/1511.05946, equation 1.
    """
    size = x.shape[-1]
    shape = [kernel.shape[0], -(-units // (size or 1)), size]
    if size is None or not list(diagonal.shape) == list(kernel.shape) == shape:
        raise ValueError(
            "expected x with a known last dimension n, and a diagonal and a "
            "kernel of shape [factors, ceil(units / n), n]. Received: "
            f"diagonal.shape={list(diagonal.shape)}, kernel.shape="
            f"{list(kernel.shape)}, x.shape={x.shape}, units={units}"
        )
    y = block_circulant.as_rows(x)[:, tf.newaxis]
    for scale, filters in zip(
        tf.unstack(diagonal), tf.unstack(kernel), strict=True
    ):
        y = inverse_cosine_transform(cosine_transform(y * scale) * filters)
    y = tf.reshape(y, [-1, kernel.shape[1] * size])
    return block_circulant.with_leading_dims_of(x, y[:, :units])


def acdc_kernel(
    diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Writes out the matrix that `acdc_matmul` multiplies by.

    Example:
        >>> import tensorflow as tf
        >>> diagonal = tf.constant([[[1.0, 3.0]]])
        >>> kernel = tf.constant([[[1.0, 0.0]]])
        >>> dense = yt8m.ops.acdc_kernel(diagonal, kernel, units=2)
        >>> dense.numpy().round(3).tolist()
        [[0.5, 0.5], [1.5, 1.5]]

    Args:
        diagonal: `[factors, ceil(units / n), n]`, float32 or float64.
        kernel: `[factors, ceil(units / n), n]`, of the dtype of `diagonal`.
        units: number of columns.

    Returns:
        `[n, units]`, of the dtype of `kernel`.

    Raises:
        ValueError: if the shape of either does not fit `units`.
    """
    rows = tf.eye(kernel.shape[-1], dtype=kernel.dtype)
    return acdc_matmul(rows, diagonal, kernel, units)

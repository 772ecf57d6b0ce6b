"""Products with circulant and diagonal-circulant matrices, through the FFT.

The one convention of the project: `C[i, j] = c[(i - j) mod n]`, so that `c` is
the first column of `C`, as in `scipy.linalg.circulant`. Vectors are rows and a
projection is `x @ C`. Hence, with `F` the discrete Fourier transform,

    (x @ C)[j] = sum_i x[i] c[(i - j) mod n]   and   F(x @ C) = F(x) conj(F(c)).

A projection from `n` to `units` values is rectangular. Wide ones
(`units > n`) concatenate `ceil(units / n)` square blocks, narrow ones have one
block, and both keep the first `units` columns (section 3 of the paper, arXiv
1810.01140, and its released code).
"""

import tensorflow as tf


def num_blocks(input_dim: int, units: int) -> int:
    """Counts the square blocks of a circulant projection.

    Args:
      input_dim: size of the input, and of each block.
      units: size of the output.

    Returns:
      `ceil(units / input_dim)`.
    """
    return -(-units // input_dim)


def _check_blocks(x: tf.Tensor, units: int, **weights: tf.Tensor) -> None:
    input_dim = x.shape[-1]
    if input_dim is None:
        raise ValueError(
            "expected x with a known last dimension. Received: "
            f"x.shape={x.shape}"
        )
    expected = (num_blocks(input_dim, units), input_dim)
    for name, weight in weights.items():
        if tuple(weight.shape) != expected:
            raise ValueError(
                f"expected a {name} of shape [ceil(units / input_dim), "
                f"input_dim] = {list(expected)}. Received: {name}.shape="
                f"{list(weight.shape)}, x.shape={list(x.shape)}, "
                f"units={units}"
            )


def _inverse(spectrum: tf.Tensor, input_dim: int, units: int) -> tf.Tensor:
    """Transforms `[..., blocks, freqs]` back and keeps the first `units`."""
    blocks = tf.signal.irfft(spectrum, fft_length=[input_dim])
    shape = tf.shape(blocks)
    static = blocks.shape
    joined = tf.reshape(
        blocks, tf.concat([shape[:-2], [static[-2] * static[-1]]], axis=0)
    )
    return joined[..., :units]


def circulant_matmul(x: tf.Tensor, kernel: tf.Tensor, units: int) -> tf.Tensor:
    """Multiplies rows by a block row of circulant matrices.

    `y = [x @ C_1, ..., x @ C_B][:units]` with `C_b = circ(kernel[b])`: the
    pure circulant projection of the paper's compact mixture of experts. One
    forward transform of `x` serves all blocks.

    Args:
      x: `[..., n]`, float32 or float64.
      kernel: `[ceil(units / n), n]`, the first column of each block, of the
        dtype of `x`.
      units: size of the output.

    Returns:
      `[..., units]`, of the dtype of `x`.

    Raises:
      ValueError: if the kernel's shape does not fit `x` and `units`.

    References:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """
    _check_blocks(x, units, kernel=kernel)
    input_dim = x.shape[-1]
    spectrum = tf.signal.rfft(x, fft_length=[input_dim])
    filters = tf.math.conj(tf.signal.rfft(kernel, fft_length=[input_dim]))
    return _inverse(spectrum[..., tf.newaxis, :] * filters, input_dim, units)


def diagonal_circulant_matmul(
    x: tf.Tensor, diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows by a block row of diagonal-circulant matrices.

    `y = [x @ D_1 C_1, ..., x @ D_B C_B][:units]` with `D_b =
    diag(diagonal[b])` applied first and `C_b = circ(kernel[b])`: the `D C`
    factor of the paper, where each block has its own diagonal.

    Args:
      x: `[..., n]`, float32 or float64.
      diagonal: `[ceil(units / n), n]`, of the dtype of `x`.
      kernel: `[ceil(units / n), n]`, the first column of each block, of the
        dtype of `x`.
      units: size of the output.

    Returns:
      `[..., units]`, of the dtype of `x`.

    Raises:
      ValueError: if the shape of either does not fit `x` and `units`.

    References:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """
    _check_blocks(x, units, kernel=kernel, diagonal=diagonal)
    input_dim = x.shape[-1]
    scaled = x[..., tf.newaxis, :] * diagonal
    spectrum = tf.signal.rfft(scaled, fft_length=[input_dim])
    filters = tf.math.conj(tf.signal.rfft(kernel, fft_length=[input_dim]))
    return _inverse(spectrum * filters, input_dim, units)


def circulant_kernel(kernel: tf.Tensor, units: int) -> tf.Tensor:
    """Writes out the dense matrix that `circulant_matmul` multiplies by.

    Args:
      kernel: `[blocks, n]`, any dtype.
      units: number of columns to keep, at most `blocks * n`.

    Returns:
      `[n, units]`, of the dtype of `kernel`, with entry `[i, b * n + j]` equal
      to `kernel[b, (i - j) mod n]`.
    """
    size = kernel.shape[-1]
    positions = tf.range(size)
    shifts = (positions[:, tf.newaxis] - positions[tf.newaxis, :]) % size
    blocks = tf.gather(kernel, shifts, axis=1)
    dense = tf.reshape(tf.transpose(blocks, [1, 0, 2]), [size, -1])
    return dense[:, :units]


def diagonal_circulant_kernel(
    diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Writes out the dense matrix that `diagonal_circulant_matmul` stands for.

    Args:
      diagonal: `[blocks, n]`, any dtype.
      kernel: `[blocks, n]`, of the dtype of `diagonal`.
      units: number of columns to keep, at most `blocks * n`.

    Returns:
      `[n, units]`, of the dtype of `kernel`, with entry `[i, b * n + j]` equal
      to `diagonal[b, i] * kernel[b, (i - j) mod n]`.
    """
    size = kernel.shape[-1]
    rows = tf.repeat(tf.transpose(diagonal), size, axis=1)
    return rows[:, :units] * circulant_kernel(kernel, units)

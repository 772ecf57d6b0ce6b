"""Circulant projections as other codes compute them, to compare with.

Written for this benchmark from their descriptions. Each is a function of a
tensor of rows, a kernel `[blocks, n]` (or `[in_blocks, out_blocks, b]`) and a
diagonal, and computes what `C[i, j] = c[(i - j) mod n]` and `x @ C` mean here,
so that results can be compared.
"""

import tensorflow as tf


def paper_circulant(x, kernel, units):
    """Multiplies as the released code of the paper does, without diagonals.

    For each block: a real transform of the input and of the reversed vector,
    their product, an inverse transform, a roll by one; then concatenates.
    """
    size = kernel.shape[-1]
    blocks = []
    for column in tf.unstack(kernel):
        spectrum = tf.signal.rfft(x) * tf.signal.rfft(column[::-1])
        product = tf.signal.irfft(spectrum, fft_length=[size])
        blocks.append(tf.roll(product, 1, axis=-1))
    return tf.concat(blocks, axis=-1)[:, :units]


def paper_diagonal_circulant(x, diagonal, kernel, units):
    """As `paper_circulant`, with the block's diagonal before each."""
    size = kernel.shape[-1]
    blocks = []
    for signs, column in zip(
        tf.unstack(diagonal), tf.unstack(kernel), strict=True
    ):
        spectrum = tf.signal.rfft(x * signs) * tf.signal.rfft(column[::-1])
        product = tf.signal.irfft(spectrum, fft_length=[size])
        blocks.append(tf.roll(product, 1, axis=-1))
    return tf.concat(blocks, axis=-1)[:, :units]


def complex_block_circulant(x, kernel, units):
    """Multiplies as C3A of PEFT does: by full complex transforms of blocks.

    Transforms of the input's blocks and of the kernel, a sum over the input's
    blocks of products of spectra (an einsum), an inverse transform, its real
    part.
    """
    in_blocks, out_blocks, size = kernel.shape
    padding = in_blocks * size - x.shape[-1]
    blocks = tf.reshape(
        tf.pad(x, [[0, 0], [0, padding]]), [-1, in_blocks, size]
    )
    spectra = tf.signal.fft(tf.cast(blocks, tf.complex64))
    filters = tf.math.conj(tf.signal.fft(tf.cast(kernel, tf.complex64)))
    products = tf.einsum("rpf,pqf->rqf", spectra, filters)
    y = tf.math.real(tf.signal.ifft(products))
    return tf.reshape(y, [-1, out_blocks * size])[:, :units]

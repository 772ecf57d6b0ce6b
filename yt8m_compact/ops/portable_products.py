"""Products with blocks of circulants, in operators that every runtime has.

The twins of those of `block_circulant`, which are by `portable_transforms`, in
float32, with the spectra of kernels made where they are traced: of frozen
weights they are constants, as large as the kernels. There is no gradient of
their own.
"""

from collections.abc import Callable
import functools

import tensorflow as tf

from yt8m_compact.ops import portable_transforms
from yt8m_compact.ops import transforms

# Lengths to try for a circulant in a longer one, from the shortest on.
_LONGER_LENGTHS = 4


@functools.cache
def _choose_length(
    length: int, input_block: int, output_block: int, blocks: tuple[int, int]
) -> tuple[float, int]:
    """Chooses the length of transforms, and says what the product costs.

    Either that of the circulants, or one that is long enough for the corner
    that the product is with, which is a Toeplitz matrix: a length with a large
    prime factor takes a matrix of that size.
    """
    longer = input_block + output_block - 1
    candidates = [length]
    for _ in range(_LONGER_LENGTHS):
        longer = transforms.fast_length(longer)
        candidates.append(longer)
        longer += 1

    def cost_of(candidate: int) -> float:
        stages = portable_transforms.stages(candidate)
        spectra = 8 * stages.num_frequencies * blocks[0] * blocks[1]
        # Products of spectra take about as long as they have bytes.
        count = sum(blocks)
        return stages.constant_bytes + 2 * spectra + count * stages.time_cost

    return min((cost_of(candidate), candidate) for candidate in candidates)


def cost(
    length: int, input_block: int, output_block: int, blocks: tuple[int, int]
) -> float:
    """Weighs the bytes and the time of `multiply_blocks`.

    Args:
        length: size of the circulants.
        input_block: values of each block of the input, at most `length`.
        output_block: values of each block of the output, at most `length`.
        blocks: the number of blocks of the input, and of the output.

    Returns:
        The cost, in bytes.
    """
    return _choose_length(length, input_block, output_block, blocks)[0]


def _at_length(
    kernel: tf.Tensor, input_block: int, output_block: int, length: int
) -> tf.Tensor:
    """Returns the first columns of longer circulants with the same corner."""
    size = kernel.shape[-1]
    if length == size:
        return kernel
    lower = kernel[..., :input_block]
    upper = kernel[..., size - output_block + 1 :]
    zeros = length - lower.shape[-1] - upper.shape[-1]
    paddings = [[0, 0]] * (kernel.shape.rank - 1) + [[0, zeros]]
    return tf.concat([tf.pad(lower, paddings), upper], axis=-1)


def _transform(x: tf.Tensor, length: int) -> portable_transforms.Spectrum:
    """Transforms `[..., n]`, with at most one size that is not known."""
    *leading, size = x.shape
    leading = [-1 if dim is None else dim for dim in leading]
    spectrum = portable_transforms.real_dft(tf.reshape(x, [-1, size]), length)
    shape = [*leading, spectrum.real.shape[-1]]
    return _map(spectrum, lambda part: tf.reshape(part, shape))


def _map(
    spectrum: portable_transforms.Spectrum,
    function: Callable[[tf.Tensor], tf.Tensor],
) -> portable_transforms.Spectrum:
    return portable_transforms.Spectrum(
        function(spectrum.real), function(spectrum.imag)
    )


def _by_conjugate(
    spectra: portable_transforms.Spectrum,
    filters: portable_transforms.Spectrum,
    multiply: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = tf.multiply,
) -> portable_transforms.Spectrum:
    """Multiplies by the conjugates of filters."""
    real = multiply(spectra.real, filters.real)
    real += multiply(spectra.imag, filters.imag)
    imag = multiply(spectra.imag, filters.real)
    imag -= multiply(spectra.real, filters.imag)
    return portable_transforms.Spectrum(real, imag)


def _invert(
    spectra: portable_transforms.Spectrum, length: int, keep: int
) -> tf.Tensor:
    """Inverts `[rows, blocks, frequencies]`, to `[rows, blocks, keep]`."""
    _, blocks, frequencies = spectra.real.shape
    rows = _map(spectra, lambda part: tf.reshape(part, [-1, frequencies]))
    y = portable_transforms.inverse_real_dft(rows, length, keep)
    return tf.reshape(y, [-1, blocks, keep])


def multiply_blocks(
    x: tf.Tensor, kernel: tf.Tensor, output_block: int
) -> tf.Tensor:
    """Does what `block_circulant.multiply_blocks` does.

    Args:
        x: `[rows, in_blocks, in_block]`, float32 or float64.
        kernel: `[in_blocks, out_blocks, length]`, of the dtype of `x`.
        output_block: values to keep of each block, at most `length`.

    Returns:
        `[rows, out_blocks, output_block]`, of the dtype of `x`.
    """
    sizes = x.shape[-1], output_block
    in_blocks, out_blocks, size = kernel.shape
    blocks = in_blocks, out_blocks
    _, length = _choose_length(size, *sizes, blocks)
    spectra = _transform(x, length)
    filters = _transform(_at_length(kernel, *sizes, length), length)
    if in_blocks > 1 and out_blocks > 1:
        # A product of matrices for each frequency.
        product = _by_conjugate(
            _map(spectra, lambda part: tf.transpose(part, [2, 0, 1])),
            _map(filters, lambda part: tf.transpose(part, [2, 0, 1])),
            tf.matmul,
        )
        product = _map(product, lambda part: tf.transpose(part, [1, 2, 0]))
    elif out_blocks > 1:
        product = _by_conjugate(spectra, _map(filters, lambda part: part[0]))
    else:
        product = _by_conjugate(spectra, _map(filters, lambda part: part[:, 0]))
        if in_blocks > 1:
            product = _map(
                product, lambda part: tf.reduce_sum(part, 1, keepdims=True)
            )
    return _invert(product, length, output_block)


def multiply_pairs(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Does what `block_circulant.multiply_pairs` does.

    Args:
        x: `[rows, blocks, n]`, float32 or float64.
        kernel: `[blocks, n]`, of the dtype of `x`.

    Returns:
        `[rows, blocks, n]`, of the dtype of `x`.
    """
    blocks, size = kernel.shape
    _, length = _choose_length(size, size, size, (1, blocks))
    spectra = _transform(x, length)
    filters = _transform(_at_length(kernel, size, size, length), length)
    return _invert(_by_conjugate(spectra, filters), length, size)

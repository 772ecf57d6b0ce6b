"""Products with matrices of circulant blocks, through the FFT.

Every product with circulants in this package, Toeplitz matrices included, is
one of blocks here.
"""

import numpy as np
import tensorflow as tf

from yt8m_compact.ops import plans
from yt8m_compact.ops import portable_products
from yt8m_compact.ops import row_sums
from yt8m_compact.ops import transforms

# Up to so many blocks, a product per block in place of one that broadcasts the
# spectrum of the input along the blocks, which TensorFlow does at a third of
# the speed (2,400 spectra of 513 values times 8 blocks on two cores: 12 ms
# against 4). A graph of thousands of blocks would take long to build. Of few
# rows all blocks are multiplied at once: see `plans.few_values`.
_MAX_UNROLLED_BLOCKS = 64
_BLOCKS_AT_ONCE = 4
# Of those with diagonals of their own, where rows are those of videos, few:
# a program of all blocks one by one takes XLA long to compile, and much memory.
_SCALED_AT_ONCE = 12


def as_rows(x: tf.Tensor) -> tf.Tensor:
    """Reshapes `[..., n]` to `[rows, n]`.

    Example:
        >>> import tensorflow as tf
        >>> frames = tf.zeros([2, 30, 1024])
        >>> yt8m.ops.as_rows(frames).shape.as_list()
        [60, 1024]

    Args:
        x: any shape of a known rank and last dimension, any dtype.

    Returns:
        `[rows, n]`, of the dtype of `x`; `x` itself if it is that already.
    """
    return x if x.shape.rank == 2 else tf.reshape(x, [-1, x.shape[-1]])


def with_leading_dims_of(x: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Reshapes `[rows, m]` to `[..., m]`, as `as_rows` found them in `x`.

    Example:
        >>> import tensorflow as tf
        >>> frames, kernel = tf.zeros([2, 30, 1024]), tf.zeros([1024, 8])
        >>> products = yt8m.ops.as_rows(frames) @ kernel
        >>> yt8m.ops.with_leading_dims_of(frames, products).shape.as_list()
        [2, 30, 8]

    Args:
        x: `[..., n]`, what became rows.
        rows: `[rows, m]`, any dtype, a row for each of `x`.

    Returns:
        `[..., m]`, of the dtype of `rows`.
    """
    if x.shape.rank == 2:
        return rows
    shape = [*x.shape[:-1], rows.shape[-1]]
    if shape.count(None) <= 1:
        return tf.reshape(rows, [-1 if d is None else d for d in shape])
    y = tf.reshape(rows, tf.concat([tf.shape(x)[:-1], shape[-1:]], axis=0))
    return tf.ensure_shape(y, shape)


def _after(results: list[tf.Tensor]):
    """Waits for the block before the last few, so that few take memory."""
    return tf.control_dependencies(results[-_BLOCKS_AT_ONCE:][:1])


def _times_filters(spectra: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """Sums `spectra[r, p] * filters[p, q]` over p, to `[rows, q, freqs]`."""
    in_blocks, out_blocks = filters.shape[:2]
    if in_blocks == out_blocks == 1:
        return spectra * filters[0]
    if in_blocks > 1 and out_blocks > 1:
        return _complex_matmul(spectra, filters)
    if in_blocks > _MAX_UNROLLED_BLOCKS:
        products = spectra * filters[:, 0]
        return tf.reduce_sum(products, axis=1, keepdims=True)
    if out_blocks > _MAX_UNROLLED_BLOCKS:
        return spectra * filters[0]
    if out_blocks > 1:
        spectrum = spectra[:, 0]
        return tf.stack([spectrum * f for f in tf.unstack(filters[0])], axis=1)
    totals = [spectra[:, 0] * filters[0, 0]]
    for block in range(1, in_blocks):
        with _after(totals):
            product = spectra[:, block] * filters[block, 0]
        totals.append(totals[-1] + product)
    return totals[-1][:, tf.newaxis]


def _correlate(spectra: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Sums `spectra[r, p] * conj(others[r, q])` over rows, to `[p, q, f]`."""
    in_blocks, out_blocks = spectra.shape[1], others.shape[1]
    if in_blocks > 1 and out_blocks > 1:
        return _complex_correlation(spectra, others)
    if in_blocks > 1:
        swapped = _correlate(others, spectra)
        return tf.math.conj(tf.transpose(swapped, [1, 0, 2]))
    # The conjugate of the small one.
    spectrum = tf.math.conj(spectra)
    if out_blocks > _MAX_UNROLLED_BLOCKS:
        sums = tf.reduce_sum(others * spectrum, axis=0)
        return tf.math.conj(sums)[tf.newaxis]
    sums = []
    for block in range(out_blocks):
        with _after(sums):
            product = others[:, block] * spectrum[:, 0]
            sums.append(row_sums.sum_all_rows(product))
    return tf.math.conj(tf.stack(sums))[tf.newaxis]


def _split_parts(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Moves frequencies first, and puts real and imaginary parts in a row."""
    by_freq = tf.transpose(x, [2, 0, 1])
    return tf.concat([tf.math.real(by_freq), tf.math.imag(by_freq)], axis)


def _complex_matmul(spectra: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    # As a product of real matrices, [re, im] @ [[re, im], [-im, re]], which
    # is several times faster than TensorFlow's of complex ones.
    in_parts = _split_parts(spectra, axis=2)
    by_freq = tf.transpose(filters, [2, 0, 1])
    real, imag = tf.math.real(by_freq), tf.math.imag(by_freq)
    matrix = tf.concat(
        [tf.concat([real, imag], axis=2), tf.concat([-imag, real], axis=2)],
        axis=1,
    )
    out_real, out_imag = tf.split(tf.matmul(in_parts, matrix), 2, axis=2)
    return tf.transpose(tf.complex(out_real, out_imag), [1, 2, 0])


def _complex_correlation(spectra: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    products = tf.matmul(
        _split_parts(spectra, axis=2),
        _split_parts(others, axis=2),
        transpose_a=True,
    )
    upper, lower = tf.split(products, 2, axis=1)
    real_real, real_imag = tf.split(upper, 2, axis=2)
    imag_real, imag_imag = tf.split(lower, 2, axis=2)
    sums = tf.complex(real_real + imag_imag, imag_real - real_imag)
    return tf.transpose(sums, [1, 2, 0])


def _pull_back(
    spectra: tf.Tensor,
    filters: tf.Tensor,
    upstream: tf.Tensor,
    length: int,
    scale: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients of a product of spectra and filters.

    Args:
        spectra: `[rows, in_blocks, freqs]`.
        filters: `[in_blocks, out_blocks, freqs]`, conjugate spectra of kernels.
        upstream: `[rows, out_blocks, output_block]`, real.
        length: of the transforms.
        scale: `[freqs]`, what the first gradient is multiplied by; None is 1.

    Returns:
        `[rows, in_blocks, freqs]`, of the spectra, and `[in_blocks, out_blocks,
        length]`, of the kernels.
    """
    # As one block, since XLA copies `[rows, 1, n]` before it transforms it.
    blocks, size = upstream.shape[1:]
    rows = tf.reshape(upstream, [-1, size])
    spectra_up = tf.reshape(
        transforms.real_fft(rows, length), [-1, blocks, length // 2 + 1]
    )
    of_kernel = transforms.inverse_real_fft(
        _correlate(spectra, spectra_up), length
    )
    adjoint = tf.transpose(tf.math.conj(filters), [1, 0, 2])
    if scale is not None:
        adjoint *= scale
    with tf.control_dependencies([of_kernel]):  # for memory
        return _times_filters(spectra_up, adjoint), of_kernel


def multiply_blocks(
    x: tf.Tensor, kernel: tf.Tensor, output_block: int
) -> tf.Tensor:
    """Multiplies blocks of rows by a matrix of circulant blocks.

    `y[r, q] = sum_p (x[r, p] padded) @ circ(kernel[p, q])`, cut to the first
    `output_block` values. One transform a block of the input, one a block of
    the output; the gradients reuse the spectra and take as many again.

    Args:
        x: `[rows, in_blocks, in_block]`, float32 or float64.
        kernel: `[in_blocks, out_blocks, length]`, of the dtype of `x`, the
            first columns of circulants of `length >= in_block`.
        output_block: values to keep of each block, at most `length`.

    Returns:
        `[rows, out_blocks, output_block]`, of the dtype of `x`.
    """
    if transforms.are_portable():
        return portable_products.multiply_blocks(x, kernel, output_block)
    input_block, length = x.shape[-1], kernel.shape[-1]

    @tf.custom_gradient
    def multiply(x, kernel):
        spectra = transforms.real_fft(x, length)
        filters = tf.math.conj(transforms.real_fft(kernel, length))
        y = transforms.inverse_real_fft(
            _times_filters(spectra, filters), length, output_block
        )

        def gradients(upstream):
            of_spectra, of_kernel = _pull_back(
                spectra, filters, upstream, length
            )
            of_x = transforms.inverse_real_fft(of_spectra, length, input_block)
            return of_x, of_kernel

        return y, gradients

    return multiply(x, kernel)


def row_spectra(x: tf.Tensor) -> tf.Tensor:
    """Transforms rows once, for several products by `multiply_spectra`.

    Example:
        >>> import tensorflow as tf
        >>> yt8m.ops.row_spectra(tf.constant([[1.0, 0.0, 2.0, 0.0]])).numpy()
        array([[ 3.+0.j, -1.+0.j,  3.+0.j]], dtype=complex64)

    Args:
        x: `[..., n]`, float32 or float64.

    Returns:
        Half the spectrum of each, `[..., n // 2 + 1]`, complex64 or complex128.
    """
    length = x.shape[-1]

    @tf.custom_gradient
    def transform(x):
        def gradient(upstream):
            # TensorFlow's own is a sum of what this is for any spectrum, and
            # of what makes up for one of no real values.
            inverse = 1 / _frequency_weights(length, upstream.dtype)
            return transforms.inverse_real_fft(upstream * inverse, length)

        return transforms.real_fft(x, length), gradient

    return transform(x)


def multiply_spectra(
    spectra: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows, transformed, by circulants side by side.

    Of `circulant_matmul` it is what follows the transform of the rows.

    Example:
        >>> import tensorflow as tf
        >>> spectra = yt8m.ops.row_spectra(tf.constant([[1.0, 0.0, 2.0]]))
        >>> kernel = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> y = yt8m.ops.multiply_spectra(spectra, kernel, units=4)
        >>> y.numpy().round(3).tolist()
        [[7.0, 7.0, 4.0, 16.0]]

    Args:
        spectra: from `row_spectra`, `[..., n // 2 + 1]`.
        kernel: `[blocks, n]`, the first column of each circulant, of the dtype
            of the rows.
        units: columns to keep, at most `blocks * n`.

    Returns:
        `[..., units]`, of the dtype of the rows.
    """
    blocks, length = kernel.shape

    @tf.custom_gradient
    def multiply(spectra, kernel):
        spectra = spectra[:, tf.newaxis]
        filters = tf.math.conj(transforms.real_fft(kernel, length))[tf.newaxis]
        y = transforms.inverse_real_fft(
            _times_filters(spectra, filters), length
        )

        def gradients(upstream):
            scale = _frequency_weights(length, spectra.dtype)
            of_spectra, of_kernel = _pull_back(
                spectra, filters, upstream, length, scale
            )
            return of_spectra[:, 0], of_kernel[0]

        return y, gradients

    y = multiply(as_rows(spectra), kernel)
    y = tf.reshape(y, [-1, blocks * length])[:, :units]
    return with_leading_dims_of(spectra, y)


def _frequency_weights(length: int, dtype: tf.DType) -> tf.Tensor:
    """Says what each value of half a spectrum counts in a sum over values."""
    weights = np.full(length // 2 + 1, 2 / length)
    weights[0] = 1 / length
    if length % 2 == 0:
        weights[-1] = 1 / length
    return tf.constant(weights, dtype)


def multiply_pairs(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Multiplies each block of a row by the circulant of that block.

    `y[r, b] = x[r, b] @ circ(kernel[b])`.

    Args:
        x: `[rows, blocks, n]`, float32 or float64.
        kernel: `[blocks, n]`, of the dtype of `x`.

    Returns:
        `[rows, blocks, n]`, of the dtype of `x`.
    """
    if transforms.are_portable():
        return portable_products.multiply_pairs(x, kernel)
    length = kernel.shape[-1]

    @tf.custom_gradient
    def multiply(x, kernel):
        spectra = transforms.real_fft(x, length)
        filters = tf.math.conj(transforms.real_fft(kernel, length))
        y = transforms.inverse_real_fft(spectra * filters, length)

        def gradients(upstream):
            spectra_up = transforms.real_fft(upstream, length)
            of_x = transforms.inverse_real_fft(
                spectra_up * tf.math.conj(filters), length
            )
            products = tf.reduce_sum(spectra * tf.math.conj(spectra_up), axis=0)
            return of_x, transforms.inverse_real_fft(products, length)

        return y, gradients

    return multiply(x, kernel)


def multiply_scaled(
    x: tf.Tensor, diagonal: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    """Multiplies rows by blocks of a diagonal and a circulant each.

    `y[r, b] = (x[r] * diagonal[b]) @ circ(kernel[b])`. The gradients transform
    the scaled rows again, some blocks after others, which takes as long as to
    keep all their spectra and less memory.

    Args:
        x: `[rows, n]` or `[videos, max_frames, n]`, float32 or float64; of
            frames, two of a video are transformed as one inside of
            `transforms.paired_frames`.
        diagonal: `[blocks, n]`, of the dtype of `x`.
        kernel: `[blocks, n]`, of the dtype of `x`.

    Returns:
        `[..., blocks * n]`, of the dtype of `x`.
    """
    blocks, length = kernel.shape
    few = plans.few_values(x.shape[:-1].num_elements(), blocks * length)
    few = few or transforms.are_portable()
    if few or blocks > _MAX_UNROLLED_BLOCKS:
        rows = as_rows(x)
        y = multiply_pairs(rows[:, tf.newaxis] * diagonal, kernel)
        y = tf.reshape(y, [-1, blocks * length])
        return with_leading_dims_of(x, y)
    if x.shape.rank == 2:
        rows = transforms.RowTransform()
        return _multiply_groups(x, diagonal, kernel, rows, _SCALED_AT_ONCE)
    if transforms.are_paired() and x.shape[1] != 1:
        pairs = transforms.PairTransform()
        return _multiply_groups(x, diagonal, kernel, pairs, 1)
    y = _multiply_groups(
        as_rows(x), diagonal, kernel, transforms.RowTransform(), 1
    )
    return with_leading_dims_of(x, y)


def _multiply_groups(
    x: tf.Tensor,
    diagonal: tf.Tensor,
    kernel: tf.Tensor,
    transform: transforms.RowTransform | transforms.PairTransform,
    at_once: int,
) -> tf.Tensor:
    """Does what `multiply_scaled` does, some blocks after others.

    Args:
        x: `[rows, n]`, or `[videos, max_frames, n]` with pairs.
        diagonal: see there.
        kernel: see there.
        transform: what transforms rows.
        at_once: how many blocks; pairs are those of one block.

    Returns:
        `[..., blocks * n]`, of the dtype of `x`.
    """
    blocks, length = kernel.shape
    groups = [
        slice(start, min(start + at_once, blocks))
        for start in range(0, blocks, at_once)
    ]

    def scale(x, diagonal):
        # XLA copies `[rows, 1, n]` before it transforms it.
        if diagonal.shape[0] == 1:
            return x * diagonal[0]
        return x[:, tf.newaxis] * diagonal

    def multiply_group(spectra, filters):
        filters = filters[0] if filters.shape[0] == 1 else filters
        return transform.inverse(spectra * filters, length)

    def sum_rows(values, number):
        """Adds `[..., n]`, or `[rows, number, n]`, to `[number, n]`."""
        if number > 1:
            values = tf.reshape(values, [-1, number * values.shape[-1]])
        return tf.reshape(row_sums.sum_all_rows(values), [number, -1])

    @tf.custom_gradient
    def multiply(x, diagonal, kernel):
        filters = tf.math.conj(transform.forward_kernel(kernel))
        y = []
        for some in groups:
            scaled = transform.pack(scale(x, diagonal[some]))
            product = multiply_group(transform.forward(scaled), filters[some])
            product = transform.unpack(product, x)
            if some.stop - some.start > 1:
                product = tf.reshape(product, [-1, length * product.shape[1]])
            y.append(product)

        def gradients(upstream):
            of_x, of_diagonal, products = [], [], []
            for some in groups:
                number = some.stop - some.start
                with _after(of_x):
                    columns = slice(some.start * length, some.stop * length)
                    values = upstream[..., columns]
                    if number > 1:
                        values = tf.reshape(values, [-1, number, length])
                    spectra_up = transform.forward(transform.pack(values))
                    of_scaled = multiply_group(
                        spectra_up, tf.math.conj(filters[some])
                    )
                    spectra = transform.forward(
                        transform.pack(scale(x, diagonal[some]))
                    )
                    products.append(
                        sum_rows(spectra * tf.math.conj(spectra_up), number)
                    )
                    packed = transform.pack(x)
                    if number > 1:
                        packed = packed[:, tf.newaxis]
                    of_diagonal.append(
                        sum_rows(transform.product(of_scaled, packed), number)
                    )
                    term = transform.unpack(of_scaled, x)
                    if number > 1:
                        term = tf.reduce_sum(term * diagonal[some], axis=1)
                    else:
                        term *= diagonal[some.start]
                of_x.append(of_x[-1] + term if of_x else term)
            of_kernel = transform.inverse_kernel(
                tf.concat(products, axis=0), length
            )
            return of_x[-1], tf.concat(of_diagonal, axis=0), of_kernel

        return tf.concat(y, axis=-1), gradients

    return multiply(x, diagonal, kernel)


def dense_toeplitz(
    sequence: tf.Tensor, input_dim: int, units: int
) -> tf.Tensor:
    """Writes out Toeplitz matrices.

    Args:
        sequence: `[..., units - 1 + input_dim]`, any dtype, the diagonals from
            the upper right to the lower left corner.
        input_dim: number of rows.
        units: number of columns.

    Returns:
        `[..., input_dim, units]`, of the dtype of `sequence`, with entry `[i,
        j]` equal to `sequence[units - 1 + i - j]`.
    """
    # In rows of width N - 1 of a sequence of period N, every row starts one
    # place earlier than the one above: a Toeplitz matrix without a gather,
    # whose gradient would be a slow scatter. The short side becomes rows.
    short, long = sorted((input_dim, units))
    if input_dim <= units:
        sequence = tf.reverse(sequence, axis=[-1])
    period = input_dim + units - 1
    width = max(period - 1, long)  # of one row, all
    leading = sequence.shape[:-1]
    sequence = tf.roll(sequence, 1 - short, axis=-1)
    repeats = [1] * len(leading) + [-(-short * width // period)]
    flat = tf.tile(sequence, repeats)[..., : short * width]
    rows = tf.reshape(flat, [*leading, short, width])[..., :long]
    return rows if input_dim <= units else tf.linalg.matrix_transpose(rows)


def dense_blocks(
    kernel: tf.Tensor, input_block: int, output_block: int
) -> tf.Tensor:
    """Writes out a matrix of circulant blocks.

    Args:
        kernel: `[in_blocks, out_blocks, length]`, any dtype.
        input_block: first rows of each block to keep, at most `length`.
        output_block: first columns of each block to keep, at most `length`.

    Returns:
        `[in_blocks * input_block, out_blocks * output_block]`, of the dtype of
        `kernel`, with `kernel[p, q, (i - j) mod length]` at row i and column j
        of block `[p, q]`.
    """
    in_blocks, out_blocks, length = kernel.shape
    if input_block == output_block == length:
        # As `dense_toeplitz`, of whole periods.
        width = 2 * length - 1
        sequence = tf.roll(tf.reverse(kernel, axis=[-1]), 1, axis=-1)
        flat = tf.tile(sequence, [1, 1, width])
        shape = [in_blocks, out_blocks, length, width]
        blocks = tf.reshape(flat, shape)[..., :length]
    else:
        sequence = tf.concat(
            [
                kernel[..., length - output_block + 1 :],
                kernel[..., :input_block],
            ],
            axis=-1,
        )
        blocks = dense_toeplitz(sequence, input_block, output_block)
    return tf.reshape(
        tf.transpose(blocks, [0, 2, 1, 3]),
        [in_blocks * input_block, out_blocks * output_block],
    )


def block_circulant_shape(
    input_dim: int, units: int, block_size: int
) -> tuple[int, int, int]:
    """Returns the shape of the kernel of a block-circulant projection.

    Example:
        >>> shape = yt8m.ops.block_circulant_shape(1152, 512, block_size=128)
        >>> shape, np.prod(shape).item(), 1152 * 512
        ((9, 4, 128), 4608, 589824)

    Args:
        input_dim: size of the input.
        units: size of the output.
        block_size: size of the circulant blocks.

    Returns:
        `[ceil(input_dim / block_size), ceil(units / block_size), block_size]`.
    """
    return (
        -(-input_dim // block_size),
        -(-units // block_size),
        block_size,
    )


def block_circulant_kernel(
    kernel: tf.Tensor, input_dim: int, units: int
) -> tf.Tensor:
    """Writes out the matrix that `block_circulant_matmul` multiplies by.

    Example:
        >>> import tensorflow as tf
        >>> kernel = tf.constant([[[1, 2, 3], [4, 5, 6]]])
        >>> dense = yt8m.ops.block_circulant_kernel(kernel, 3, units=5)
        >>> print(dense.numpy())
        [[1 3 2 4 6]
         [2 1 3 5 4]
         [3 2 1 6 5]]

    Args:
        kernel: see `block_circulant_shape`, any dtype.
        input_dim: number of rows.
        units: number of columns.

    Returns:
        `[input_dim, units]`, of the dtype of `kernel`, with entry `[p * b + i,
        q * b + j]` equal to `kernel[p, q, (i - j) mod b]`.
    """
    block_size = kernel.shape[-1]
    dense = dense_blocks(kernel, block_size, block_size)
    return dense[:input_dim, :units]


def block_circulant_matmul(
    x: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows by a matrix of circulant blocks.

    `y_q = sum_p x_p @ circ(kernel[p, q])`, where the input is padded with
    zeros to whole blocks and the output is cut. The transforms of the input's
    blocks are summed before those of the output's. Where `plans` expects a
    dense product with the matrix written out to be faster, it is that.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 0.0, 2.0]])
        >>> kernel = tf.constant([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
        >>> y = yt8m.ops.block_circulant_matmul(x, kernel, units=5)
        >>> y.numpy().tolist()
        [[7.0, 7.0, 4.0, 16.0, 16.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        kernel: `[ceil(n / b), ceil(units / b), b]`, the first column of each
            block, of the dtype of `x`.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the kernel's shape does not fit `x` and `units`.

    References:
        Ding et al., CirCNN, https://arxiv.org/abs/1708.08917.
    """
    input_dim = x.shape[-1]
    if input_dim is None or tuple(kernel.shape) != block_circulant_shape(
        input_dim, units, kernel.shape[-1]
    ):
        raise ValueError(
            "expected x with a known last dimension n, and a kernel of shape "
            "[ceil(n / b), ceil(units / b), b]. Received: kernel.shape="
            f"{list(kernel.shape)}, x.shape={x.shape}, units={units}"
        )
    in_blocks, out_blocks, size = kernel.shape
    rows = as_rows(x)
    portable = transforms.are_portable()
    if plans.plan_block_circulant(input_dim, units, size, portable).dense:
        dense = block_circulant_kernel(kernel, input_dim, units)
        return with_leading_dims_of(x, tf.matmul(rows, dense))
    padding = in_blocks * size - input_dim
    if padding:
        rows = tf.pad(rows, [[0, 0], [0, padding]])
    blocks = tf.reshape(rows, [-1, in_blocks, size])
    y = multiply_blocks(blocks, kernel, size)
    y = tf.reshape(y, [-1, out_blocks * size])
    return with_leading_dims_of(x, y[:, :units])

"""Fits structured matrices to dense ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from yt8m_compact import lazy

with lazy.imports():
    import numpy as np
    import tensorflow as tf

# The size of circulants up to which singular values are computed.
_MAX_EXACT_SIZE = 2048
_MAX_TURNS = 60


def mean_of_circulants(
    kernel: np.ndarray, num_blocks: int, size: int
) -> np.ndarray:
    """Projects onto block rows of circulants: means of wrapped diagonals.

    Args:
        kernel: `[input_dim, units]`, float64.
        num_blocks: number of circulants.
        size: their size, at least `input_dim`.

    Returns:
        `[num_blocks, size]`, their first columns; 0 where no entry of `kernel`
        is on a diagonal.
    """
    columns = np.zeros((num_blocks, size))
    for block, (values, diagonals) in enumerate(_block_row(kernel, size)):
        columns[block] = _sums(diagonals, values, size) / np.maximum(
            np.bincount(diagonals.ravel(), minlength=size), 1
        )
    return columns


def _block_row(
    kernel: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the values of each block, and their wrapped diagonals."""
    rows = np.arange(kernel.shape[0])[:, np.newaxis]
    for start in range(0, kernel.shape[1], size):
        values = kernel[:, start : start + size]
        yield values, (rows - np.arange(values.shape[1])) % size


def _sums(indices: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(indices.ravel(), values.ravel(), minlength=size)


def mean_of_block_circulants(
    kernel: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Projects onto matrices of circulant blocks.

    Args:
        kernel: `[input_dim, units]`, float64.
        shape: `[in_blocks, out_blocks, size]`; the blocks cover `kernel`.

    Returns:
        First columns, of `shape`; 0 where no entry of `kernel` is on a
        diagonal.
    """
    sums, counts = (
        sums_of_wrapped_diagonals(matrix, shape)
        for matrix in (kernel, np.ones(kernel.shape))
    )
    return sums / np.maximum(counts, 1)


def sums_of_wrapped_diagonals(
    kernel: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Sums the entries that a weight of circulant blocks stands for.

    Args:
        kernel: `[input_dim, units]`, float64.
        shape: `[in_blocks, out_blocks, size]`; the blocks cover `kernel`.

    Returns:
        Sums, of `shape`.
    """
    return by_diagonal(split_blocks(kernel, shape)).sum(axis=1).reshape(shape)


def circulant_row(columns: np.ndarray, rows: int, units: int) -> np.ndarray:
    """Writes out circulants side by side.

    Args:
        columns: `[blocks, size]`, their first columns.
        rows: the number of rows to write.
        units: the number of columns to write.

    Returns:
        `[rows, units]`.
    """
    size = columns.shape[1]
    places = np.arange(units)
    diagonals = (np.arange(rows)[:, np.newaxis] - places) % size
    return columns[places // size, diagonals]


def mean_of_diagonals(kernel: np.ndarray) -> np.ndarray:
    """Projects onto Toeplitz matrices: means of diagonals.

    Args:
        kernel: `[input_dim, units]`, float64.

    Returns:
        `[units - 1 + input_dim]`, from the upper right corner to the lower
        left.
    """
    rows, columns = kernel.shape
    diagonals = np.arange(rows)[:, np.newaxis] - np.arange(columns)
    diagonals = (diagonals + columns - 1).ravel()
    return np.bincount(diagonals, weights=kernel.ravel()) / np.bincount(
        diagonals
    )


def diagonal_times_circulants(
    kernel: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds one diagonal and a circulant for each block of a row.

    The entries by wrapped diagonal of a diagonal times a circulant are a
    matrix of rank 1, and so are those of several side by side. Where blocks
    are full, the closest is that of the largest singular value; otherwise each
    of both is solved for in turn, from a few starts. One start is the closest
    circulants, so that the result is never worse than they are.

    Args:
        kernel: `[input_dim, units]`, float64.
        size: size of the blocks, at least `input_dim`.

    Returns:
        The diagonal `[size]`, of mean square 1 where `kernel` has rows, and the
        first columns `[blocks, size]`.
    """
    rows, units = kernel.shape
    blocks = list(_block_row(kernel, size))
    diagonal = np.ones(size)
    if not kernel.any():
        return diagonal, np.zeros((len(blocks), size))
    if rows == size and units % size == 0 and size <= _MAX_EXACT_SIZE:
        entries = by_diagonal(split_blocks(kernel, (1, len(blocks), size)))
        left, right = rank_one(np.concatenate(entries, axis=1))
        return left, right.reshape(-1, size)
    rng = np.random.default_rng(0)
    starts = [np.ones(rows), *rng.choice([-1.0, 1.0], (2, rows))]
    _, diagonal[:rows], columns = min(
        (_alternate(blocks, start, size) for start in starts),
        key=lambda fit: fit[0],
    )
    return diagonal, columns


def _alternate(
    blocks: list[tuple[np.ndarray, np.ndarray]], start: np.ndarray, size: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Solves for circulants and for the diagonal in turn."""
    total = sum(float(np.sum(values**2)) for values, _ in blocks)
    diagonal, best = start, (np.inf, start, np.zeros(0))
    for _ in range(_MAX_TURNS):
        columns, products, squares = [], 0.0, 0.0
        for values, indices in blocks:
            scaled = values * diagonal[:, np.newaxis]
            weights = np.broadcast_to(
                diagonal[:, np.newaxis] ** 2, values.shape
            )
            norms = _sums(indices, weights, size)
            sums = _sums(indices, scaled, size)
            column = np.divide(sums, norms, out=np.zeros(size), where=norms > 0)
            columns.append(column)
            circulant = column[indices]
            products = products + np.sum(values * circulant, axis=1)
            squares = squares + np.sum(circulant**2, axis=1)
        error = total - float(
            np.sum(2 * diagonal * products - diagonal**2 * squares)
        )
        if error >= best[0] - 1e-7 * total:
            break
        best = error, diagonal, np.stack(columns)
        diagonal = np.divide(
            products, squares, out=np.zeros_like(products), where=squares > 0
        )
        diagonal /= np.sqrt(np.mean(diagonal**2))
    return best


def split_blocks(kernel: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Cuts a matrix into square blocks, with zeros in what is beyond it.

    Args:
        kernel: `[input_dim, units]`.
        shape: `[in_blocks, out_blocks, size]`; the blocks cover `kernel`.

    Returns:
        `[in_blocks * out_blocks, size, size]`.
    """
    in_blocks, out_blocks, size = shape
    rows, columns = in_blocks * size, out_blocks * size
    padded = np.pad(
        kernel, [(0, rows - kernel.shape[0]), (0, columns - kernel.shape[1])]
    )
    blocks = padded.reshape(in_blocks, size, out_blocks, size)
    return blocks.swapaxes(1, 2).reshape(-1, size, size)


def by_diagonal(blocks: np.ndarray) -> np.ndarray:
    """Arranges entries i, j of squares as i, (i - j) mod size.

    It is its own inverse.

    Args:
        blocks: `[blocks, size, size]`.

    Returns:
        `[blocks, size, size]`, by row and wrapped diagonal.
    """
    size = blocks.shape[-1]
    positions = np.arange(size)
    columns = (positions[:, np.newaxis] - positions) % size
    return np.take_along_axis(
        blocks, np.broadcast_to(columns, blocks.shape), axis=2
    )


def rank_one(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the closest matrix of rank 1, by its largest singular value.

    Args:
        matrix: `[rows, columns]`, float64.

    Returns:
        The vectors `[rows]` and `[columns]` whose outer product it is, of which
        the first has a mean square of 1.
    """
    gram = matrix @ matrix.T
    _, vectors = np.linalg.eigh(gram)
    left = vectors[:, -1]
    scale = np.sqrt(len(left))
    return left * scale, matrix.T @ left / scale


# Weight of the squared weights in the error that is minimised, as a share of
# the target's and of where each weight started. Products of factors can come
# ever closer to a matrix while the factors grow without bound.
_DAMPING = 1e-6


def alternating_least_squares(
    build: Callable[..., tf.Tensor],
    weights: Sequence[np.ndarray],
    target: np.ndarray,
    *,
    moments: np.ndarray | None = None,
    max_sweeps: int = 30,
    tolerance: float = 1e-4,
) -> list[np.ndarray]:
    """Fits a matrix that is linear in each of its weights, one at a time.

    Each sweep solves a linear least-squares problem for each of the weights,
    with the others fixed, by conjugate gradients. The result is about a local
    minimum of `sum (build(*weights) - target)^2`, or of the error that moments
    weight; a very small penalty on the weights keeps them from growing without
    bound.

    Args:
        build: from the weights, float64 tensors, to a matrix.
        weights: where to start; none may make the matrix zero.
        target: the matrix to fit, float64.
        moments: what the error is weighted with, `[input_dim, input_dim]`:
            `weighted_error`. A step multiplies by it once more.
        max_sweeps: sweeps after which it ends anyway.
        tolerance: it ends when a sweep lowers the error and the penalty by less
            than this share.

    Returns:
        The weights.
    """
    build = tf.function(build, autograph=False)
    scale = _DAMPING * weighted_error(target, moments)
    dampings = [
        scale / max(float(np.sum(weight**2)), 1e-30) for weight in weights
    ]
    target = tf.constant(target, tf.float64)
    weigh = _weigh(moments)

    # One graph for a sweep: step by step, small problems would take minutes.
    @tf.function(autograph=False)
    def sweep(*weights):
        weights = list(weights)
        for index, damping in enumerate(dampings):
            weights[index] = _solve_for(
                build, weights, index, target, weigh, damping
            )
        error = build(*weights) - target
        loss = tf.reduce_sum(error * weigh(error))
        for damping, weight in zip(dampings, weights, strict=True):
            loss += damping * tf.reduce_sum(weight**2)
        return weights, loss

    weights = [tf.constant(weight, tf.float64) for weight in weights]
    loss = np.inf
    for _ in range(max_sweeps):
        last = loss
        weights, loss = sweep(*weights)
        loss = float(loss)
        if np.isfinite(last) and last - loss <= tolerance * last:
            break
    return [weight.numpy() for weight in weights]


def least_squares(
    build: Callable[[tf.Tensor], tf.Tensor],
    weight: np.ndarray,
    target: np.ndarray,
    moments: np.ndarray,
    *,
    max_steps: int = 200,
) -> np.ndarray:
    """Fits a matrix that is linear in its one weight, by conjugate gradients.

    Args:
        build: from the weight, a float64 tensor, to a matrix.
        weight: where to start.
        target: the matrix to fit, float64.
        moments: what the error is weighted with, as in
            `alternating_least_squares`.
        max_steps: steps after which it ends anyway; each writes out the matrix
            and multiplies it by the moments.

    Returns:
        The weight, of the smallest error to about six places.
    """
    solution = _solve_for(
        build,
        [tf.constant(weight, tf.float64)],
        0,
        tf.constant(target, tf.float64),
        _weigh(moments),
        damping=0.0,
        max_steps=max_steps,
        tolerance=1e-16,
    )
    return solution.numpy()


def weighted_error(error: np.ndarray, moments: np.ndarray | None) -> float:
    """Computes the square of the outputs that an error of a kernel makes.

    Args:
        error: E, `[input_dim, units]`.
        moments: `M = E[x^T x]` of the inputs x, or None: the identity.

    Returns:
        `trace(E^T M E)`.
    """
    weighted = error if moments is None else moments @ error
    return float(np.sum(error * weighted))


def _weigh(moments: np.ndarray | None) -> Callable[[tf.Tensor], tf.Tensor]:
    if moments is None:
        return tf.identity
    factor = tf.constant(moments, tf.float64)
    return lambda matrix: tf.matmul(factor, matrix)


def _solve_for(
    build: Callable[..., tf.Tensor],
    weights: list[tf.Tensor],
    index: int,
    target: tf.Tensor,
    weigh: Callable[[tf.Tensor], tf.Tensor],
    damping: float,
    max_steps: int = 10,
    tolerance: float = 1e-20,
) -> tf.Tensor:
    """Solves for one of the weights, by conjugate gradients (CGLS)."""

    def image(weight: tf.Tensor) -> tf.Tensor:
        return build(*weights[:index], weight, *weights[index + 1 :])

    def descent(residual: tf.Tensor, solution: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(solution)
            product = tf.reduce_sum(image(solution) * residual)
        return tape.gradient(product, solution) - damping * solution

    def is_rough(solution, residual, direction, norm, first):
        del solution, residual, direction
        return norm > tolerance * first

    def take_step(solution, residual, direction, norm, first):
        step_image = image(direction)
        weighted_image = weigh(step_image)
        curvature = tf.reduce_sum(step_image * weighted_image)
        curvature += damping * tf.reduce_sum(direction**2)
        step = tf.math.divide_no_nan(norm, curvature)
        solution += step * direction
        residual -= step * weighted_image
        gradient = descent(residual, solution)
        last, norm = norm, tf.reduce_sum(gradient**2)
        direction = gradient + (norm / last) * direction
        return solution, residual, direction, norm, first

    solution = weights[index]
    # Weighted, as every residual here.
    residual = weigh(target - image(solution))
    gradient = descent(residual, solution)
    norm = tf.reduce_sum(gradient**2)
    return tf.while_loop(
        is_rough,
        take_step,
        (solution, residual, gradient, norm, norm),
        maximum_iterations=max_steps,
    )[0]

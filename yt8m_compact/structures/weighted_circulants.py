"""Fits circulants to a dense kernel, in the error that moments weight.

With `M = E[x^T x]` of the inputs that is `trace((W - K)^T M (W - K))`. It is
quadratic in circulants, and each block of columns has a system of equations of
its own: the sums of `M` along wrapped diagonals. Everything is direct.
"""

from __future__ import annotations

from collections.abc import Sequence

from yt8m_compact import lazy
from yt8m_compact.structures import fitting

with lazy.imports():
    import numpy as np

# Added to the diagonal of a system, as a share of its mean: circulants have
# entries that meet no input, or only those that a diagonal takes out.
_JITTER = 1e-13
_MAX_TURNS = 20
# A turn has to lower the error by so much to be followed by another.
_TOLERANCE = 1e-4


def block_circulants(
    moments: np.ndarray, products: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Finds the matrix of circulant blocks of the smallest weighted error.

    Args:
        moments: M, `[input_dim, input_dim]`.
        products: `M K`, `[input_dim, units]`.
        shape: `[in_blocks, out_blocks, size]`; the blocks cover `K`.

    Returns:
        First columns, of `shape`.
    """
    in_blocks, out_blocks, size = shape
    sums = fitting.sums_of_wrapped_diagonals(products, shape)
    columns = np.zeros(shape)
    num_full = products.shape[1] // size
    entries = fitting.by_diagonal(
        fitting.split_blocks(moments, (in_blocks, in_blocks, size))
    )
    if num_full:
        # A whole block's system is made of circulants: one of `in_blocks` rows
        # for each frequency.
        spectra = np.fft.rfft(entries.sum(axis=1)).reshape(
            in_blocks, in_blocks, -1
        )
        found = _solve(
            spectra.transpose(2, 0, 1),
            np.fft.rfft(sums[:, :num_full]).transpose(2, 0, 1),
        )
        columns[:, :num_full] = np.fft.irfft(found.transpose(1, 2, 0), size)
    if num_full < out_blocks:
        width = products.shape[1] - num_full * size
        system = _system_of_cut_block(entries, width)
        system = system.reshape(in_blocks, in_blocks, size, size)
        system = system.swapaxes(1, 2).reshape(in_blocks * size, -1)
        found = _solve(system, sums[:, num_full].reshape(-1, 1))
        columns[:, num_full] = found.reshape(in_blocks, size)
    return columns


def _system_of_cut_block(entries: np.ndarray, width: int) -> np.ndarray:
    """Sums moments over the columns of a block that is cut.

    Args:
        entries: `[blocks, size, size]`, moments by row and wrapped diagonal.
        width: columns of the block.

    Returns:
        `[blocks, size, size]`: entry k, m is the sum of the moments of inputs
        j + k and j + m over columns j.
    """
    size = entries.shape[1]
    sums = np.zeros((entries.shape[0], size + width, size))
    np.cumsum(entries, axis=1, out=sums[:, 1 : size + 1])
    sums[:, size + 1 :] = sums[:, size : size + 1] + sums[:, 1:width]
    return fitting.by_diagonal(sums[:, width:] - sums[:, :size])


def diagonal_times_circulants(
    moments: np.ndarray,
    kernel: np.ndarray,
    starts: Sequence[np.ndarray],
    size: int,
    *,
    learned: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds one diagonal and a circulant for each block of a row.

    It solves for the circulants and for the diagonal in turn, from each start.

    Args:
        moments: M, `[input_dim, input_dim]`.
        kernel: K, `[input_dim, units]`.
        starts: diagonals to start from, `[size]`.
        size: size of the blocks, at least `input_dim`.
        learned: whether the diagonal may change.

    Returns:
        The diagonal `[size]` and the first columns `[blocks, size]`.
    """
    fits = (
        _alternate(moments, kernel, start, size, learned) for start in starts
    )
    _, diagonal, columns = min(fits, key=lambda fit: fit[0])
    return diagonal, columns


def _alternate(
    moments: np.ndarray,
    kernel: np.ndarray,
    diagonal: np.ndarray,
    size: int,
    learned: bool,
) -> tuple[float, np.ndarray, np.ndarray]:
    rows, units = kernel.shape
    products = moments @ kernel
    total = float(np.sum(products * kernel))
    best = np.inf, diagonal, np.zeros(0)
    for _ in range(_MAX_TURNS if learned else 1):
        scale = diagonal[:rows, np.newaxis]
        (columns,) = block_circulants(
            scale * moments * diagonal[:rows],
            scale * products,
            (1, -(-units // size), size),
        )
        dense = fitting.circulant_row(columns, rows, units)
        row_products = np.sum(products * dense, axis=1)
        # The circulants are the best for this diagonal.
        error = total - float(np.sum(diagonal[:rows] * row_products))
        if error >= best[0] - _TOLERANCE * best[0]:
            break
        best = error, diagonal, columns
        if learned:
            system = moments * (dense @ dense.T)
            found = _solve(system, row_products[:, np.newaxis])[:, 0]
            diagonal = np.ones(size)
            diagonal[:rows] = found / (np.sqrt(np.mean(found**2)) or 1.0)
    return best


def _solve(systems: np.ndarray, right: np.ndarray) -> np.ndarray:
    diagonals = np.diagonal(systems, axis1=-2, axis2=-1)
    jitter = _JITTER * np.abs(diagonals).mean() or 1.0
    return np.linalg.solve(systems + jitter * np.eye(systems.shape[-1]), right)

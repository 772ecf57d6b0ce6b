"""Deep Compression: prune, share values, code."""

from collections.abc import Mapping
import dataclasses

import numpy as np

from yt8m_compact import structures
from yt8m_compact.compression import clustering
from yt8m_compact.compression import entropy


@dataclasses.dataclass(frozen=True)
class SharedArray:
    """An array of few values, most of which may be 0.

    Attributes:
        array: it, of the shape and the dtype that it had.
        raw_bytes: what it takes as it was.
        packed_bytes: what it takes in bits of fixed length: a code for each
            value that is kept, the centres as float32, and the positions.
        coded_bytes: what it takes coded by an entropy coder.
        num_kept: how many values are kept.
        num_clusters: how many of them differ.
    """

    array: np.ndarray
    raw_bytes: int
    packed_bytes: int
    coded_bytes: int
    num_kept: int
    num_clusters: int


def deep_compress(
    arrays: Mapping[str, np.ndarray],
    *,
    density: float = 1.0,
    num_clusters: int = 32,
) -> dict[str, SharedArray]:
    """Prunes arrays by magnitude, lets values share, and codes what is left.

    What is left of each array has centres of its own. Where values are 0
    already, as those of a pruned run are, these are the first to go. To train
    the shared values on is left to the caller.

    Args:
        arrays: by name, of one axis or more, floats.
        density: share of each that is kept, `max(1, round(density * size))`
            values.
        num_clusters: the most different values that are kept, 2 to 256.

    Returns:
        What became of each, by name.

    Raises:
        ValueError: if an array is empty or not finite, or another argument is
            wrong.

    References:
        Han et al., Deep compression, https://arxiv.org/abs/1510.00149.
    """
    return {
        name: _deep_compress(np.asarray(array), density, num_clusters)
        for name, array in arrays.items()
    }


def _deep_compress(
    array: np.ndarray, density: float, num_clusters: int
) -> SharedArray:
    if not array.ndim or not array.size or array.dtype.kind != "f":
        raise ValueError(
            "expected an array of floats, of one axis or more. Received: "
            f"dtype={array.dtype}, shape={list(array.shape)}"
        )
    matrix = array.reshape(array.shape[0], -1)
    structure = structures.Sparse(density)
    pattern = structure.pattern(*matrix.shape)
    if not np.isfinite(matrix).all():
        raise ValueError(
            "expected finite values. Received: not finite: "
            f"{np.count_nonzero(~np.isfinite(matrix))}"
        )
    positions = structure.nearest(matrix)["positions"]
    kept = matrix.T.reshape(-1)[positions]
    codes, centers = clustering.cluster(kept, num_clusters)
    centers = centers.astype(np.float32)
    flat = np.zeros(matrix.size, array.dtype)
    flat[positions] = centers[codes]
    of_positions = (0, 0)
    if pattern.count < pattern.size:
        steps = np.diff(positions, prepend=-1) - 1
        steps = steps.astype(np.min_scalar_type(steps.max()))
        of_positions = (
            pattern.num_bytes,
            min(pattern.num_bytes, entropy.coded_bytes(steps)),
        )
    bits = (len(centers) - 1).bit_length()
    return SharedArray(
        array=flat.reshape(matrix.shape[::-1]).T.reshape(array.shape),
        raw_bytes=array.nbytes,
        packed_bytes=-(-kept.size * bits // 8)
        + centers.nbytes
        + of_positions[0],
        coded_bytes=entropy.coded_bytes(codes)
        + centers.nbytes
        + of_positions[1],
        num_kept=int(kept.size),
        num_clusters=len(centers),
    )

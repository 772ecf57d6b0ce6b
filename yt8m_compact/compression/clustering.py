"""Weights that share few values."""

import numpy as np

# Lloyd's steps; they end long before.
_MAX_STEPS = 300


def cluster(
    values: np.ndarray, num_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds few values to stand for many: k-means in one dimension.

    Lloyd's algorithm from centres evenly between the smallest and the largest
    value, which Han et al. (https://arxiv.org/abs/1510.00149, section 3.2)
    found best: it leaves centres to the few large weights. To a local minimum
    of the squared error. Nothing is drawn.

    Args:
        values: of any shape, floats.
        num_clusters: the most centres, 2 to 256.

    Returns:
        Codes, uint8 of the shape of `values`, and the centres, float64, from
        the smallest; those that stand for none are left out.

    Raises:
        ValueError: if there is no value, one is not finite, or `num_clusters`
            is wrong.
    """
    values = np.asarray(values)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(
            "expected finite values, one or more. Received: "
            f"shape={list(values.shape)}, not finite: "
            f"{np.count_nonzero(~np.isfinite(values))}"
        )
    if not 2 <= num_clusters <= 256:
        raise ValueError(
            f"expected 2 to 256 clusters. Received: num_clusters={num_clusters}"
        )
    ordered = np.sort(values, axis=None).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centers = np.linspace(ordered[0], ordered[-1], num_clusters)
    edges = None
    for _ in range(_MAX_STEPS):
        before, edges = edges, np.searchsorted(ordered, _midpoints(centers))
        if before is not None and np.array_equal(before, edges):
            break
        bounds = np.concatenate([[0], edges, [ordered.size]])
        counts = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(counts, 1)
        # In order, too: a mean is within its cluster's bounds.
        centers = np.where(counts, means, centers)
    codes = np.searchsorted(_midpoints(centers), values.astype(np.float64))
    used, codes = np.unique(codes, return_inverse=True)
    return codes.reshape(values.shape).astype(np.uint8), centers[used]


def _midpoints(centers: np.ndarray) -> np.ndarray:
    return (centers[1:] + centers[:-1]) / 2

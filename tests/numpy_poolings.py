"""Poolings of the frames of one video in NumPy, from their equations.

Frame by frame and cluster by cluster, over real frames alone: nothing here
knows of batches, masks or padding.
"""

import fractions
import math

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    """Computes the softmax of the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def unit(x: np.ndarray) -> np.ndarray:
    """Scales an array to unit length; zeros stay zeros."""
    length = math.sqrt((x**2).sum())
    return x / length if length else x


def net_vlad(
    frames: np.ndarray, activations: np.ndarray, centers: np.ndarray | None
) -> np.ndarray:
    """Computes NetVLAD, equation 4 of https://arxiv.org/abs/1511.07247.

    Args:
        frames: `[num_frames, feature_dim]`.
        activations: `[num_frames, num_clusters]`.
        centers: `[feature_dim, num_clusters]`; None is NetRVLAD.

    Returns:
        `[feature_dim * num_clusters]`.
    """
    size, num_clusters = frames.shape[1], activations.shape[1]
    result = np.zeros((size, num_clusters))
    for k in range(num_clusters):
        center = np.zeros(size) if centers is None else centers[:, k]
        for x, row in zip(frames, activations, strict=True):
            result[:, k] += softmax(row)[k] * (x - center)
        result[:, k] = unit(result[:, k])
    return unit(result.reshape(-1))


def net_vlagd(
    frames: np.ndarray, activations: np.ndarray, gates: np.ndarray
) -> np.ndarray:
    """Computes NetVLAGD of the code of https://arxiv.org/abs/1706.06905.

    Args:
        frames: `[num_frames, feature_dim]`.
        activations: `[num_frames, num_clusters]`.
        gates: `[feature_dim, num_clusters]`, before the sigmoid.

    Returns:
        `[feature_dim * num_clusters]`.
    """
    result = np.zeros(gates.shape)
    for j, k in np.ndindex(gates.shape):
        total = sum(
            softmax(row)[k] * x[j]
            for x, row in zip(frames, activations, strict=True)
        )
        result[j, k] = total / (1 + math.exp(-gates[j, k]))
    for k in range(gates.shape[1]):
        result[:, k] = unit(result[:, k])
    return unit(result.reshape(-1))


def next_vlad(
    frames: np.ndarray,
    activations: np.ndarray,
    attention: np.ndarray,
    centers: np.ndarray,
) -> np.ndarray:
    """Computes NeXtVLAD, section 3.2 of https://arxiv.org/abs/1811.05014.

    Args:
        frames: `[num_frames, size]`.
        activations: `[num_frames, groups * num_clusters]`.
        attention: `[num_frames, groups]`, before the sigmoid.
        centers: `[size / groups, num_clusters]`.

    Returns:
        `[size / groups * num_clusters]`.
    """
    size, num_clusters = centers.shape
    groups = attention.shape[1]
    result = np.zeros((size, num_clusters))
    for x, row, b in zip(frames, activations, attention, strict=True):
        for g in range(groups):
            part = x[g * size : (g + 1) * size]
            shares = softmax(row[g * num_clusters : (g + 1) * num_clusters])
            for k in range(num_clusters):
                weight = shares[k] / (1 + math.exp(-b[g]))
                result[:, k] += weight * (part - centers[:, k])
    for k in range(num_clusters):
        result[:, k] = unit(result[:, k])
    return result.reshape(-1)


def net_fisher_vector(
    frames: np.ndarray,
    activations: np.ndarray,
    centers: np.ndarray,
    root_deviations: np.ndarray,
) -> np.ndarray:
    """Computes NetFV, section 2.1 of https://arxiv.org/abs/1706.06905.

    Args:
        frames: `[num_frames, feature_dim]`.
        activations: `[num_frames, num_clusters]`.
        centers: `[feature_dim, num_clusters]`.
        root_deviations: `[feature_dim, num_clusters]`, whose squares and 1e-6
            are the deviations.

    Returns:
        `[2 * feature_dim * num_clusters]`.
    """
    size, num_clusters = frames.shape[1], activations.shape[1]
    first = np.zeros((size, num_clusters))
    second = np.zeros((size, num_clusters))
    for k in range(num_clusters):
        for x, row in zip(frames, activations, strict=True):
            distance = (x - centers[:, k]) / (root_deviations[:, k] ** 2 + 1e-6)
            first[:, k] += softmax(row)[k] * distance
            second[:, k] += softmax(row)[k] * (distance**2 - 1)
        first[:, k] = unit(first[:, k])
    return np.concatenate([unit(first.reshape(-1)), unit(second.reshape(-1))])


def soft_assignment(
    activations: np.ndarray, method: str, normalize: bool
) -> np.ndarray:
    """Sums the shares of the frames, or takes the largest, `[num_clusters]`."""
    if not len(activations):
        return np.zeros(activations.shape[1])
    shares = softmax(activations)
    pooled = sum(shares) if method == "sum" else shares.max(axis=0)
    return unit(pooled) if normalize else pooled


def moments(frames: np.ndarray) -> np.ndarray:
    """Computes the mean and the variance, `[2 * feature_dim]`."""
    if not len(frames):
        return np.zeros(2 * frames.shape[1])
    mean = sum(frames) / len(frames)
    variance = sum((x - mean) ** 2 for x in frames) / len(frames)
    return np.concatenate([mean, variance])


def bags(frames: np.ndarray, num_bags: int, size: int) -> list[np.ndarray]:
    """Deals frames to bags.

    Args:
        frames: `[num_frames, ...]`.
        num_bags: n.
        size: k, frames of each bag.

    Returns:
        n arrays `[k, ...]`: frame j of bag b is frame `floor((b + j n + 1/2) m
        / (n k))` of m.
    """
    half = fractions.Fraction(1, 2)
    step = fractions.Fraction(len(frames), num_bags * size)
    return [
        frames[
            [math.floor((b + j * num_bags + half) * step) for j in range(size)]
        ]
        for b in range(num_bags)
    ]

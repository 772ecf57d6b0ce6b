"""Precision and recall of the predictions that GAP ranks."""

import dataclasses

import numpy as np

from yt8m_compact.eval import average_precision

_POINTS = 400


@dataclasses.dataclass(frozen=True)
class Curve:
    """Precision at each recall, at some thresholds of all.

    Attributes:
        thresholds: float `[points]`, falling; a score that is as high counts.
        precision: float `[points]`.
        recall: float `[points]`, rising.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


def precision_recall(
    scores: np.ndarray,
    hits: np.ndarray,
    num_positives: int,
    points: int = _POINTS,
) -> Curve:
    """Computes the curve of a ranked list.

    Args:
        scores: float, any shape.
        hits: bool, the same shape.
        num_positives: The positives that a perfect list would hold.
        points: How many points to keep, at about equal steps of the rank of
            thresholds; the first and the last one are among them.

    Returns:
        The curve; without points where nothing is found.
    """
    if not hits.any():
        return Curve(np.zeros(0), np.zeros(0), np.zeros(0))
    found = average_precision.find_thresholds(scores.ravel(), scores[hits])
    last = len(found.scores) - 1
    kept = np.unique(np.linspace(0, last, min(points, last + 1)).astype(int))
    true = found.true_positives[kept][::-1]
    return Curve(
        found.scores[kept][::-1],
        true / found.num_reached[kept][::-1],
        true / num_positives,
    )

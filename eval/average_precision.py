"""Average precision of one ranked list, ties taken as one threshold."""

import numpy as np


def average_precision(
    scores: np.ndarray,
    positive_scores: np.ndarray,
    num_positives: int | None = None,
) -> float:
    r"""Computes the non-interpolated average precision of a ranked list.

    With the distinct scores $s_1 > s_2 > \dots$ as thresholds,

    $$ AP = \sum_j (R_j - R_{j-1}) P_j, \qquad
       P_j = \frac{TP_j}{N_j}, \quad R_j = \frac{TP_j}{M}, $$

    where $N_j$ scores and $TP_j$ positive scores are $s_j$ or higher, and $M$
    is `num_positives`. It equals `sklearn.metrics.average_precision_score`,
    and does not depend on the order of the entries, equal scores included.

    Only thresholds at which a positive is found have a recall step, so $N_j$
    is looked up for those alone: no sort of labels along with scores.

    Args:
        scores: float `[n]`, the scores of all entries in any order, those of
            the positives included.
        positive_scores: float `[m]`, the scores of the positives among them.
        num_positives: The positives that a perfect list would hold, `m` or
            more; those beyond `m` count as never found. `m` when `None`.

    Returns:
        The average precision, in `[0, 1]`; 0 where no positive is found.

    Raises:
        ValueError: If there are fewer scores or `num_positives` than
            `positive_scores`, or if `num_positives` is 0.
    """
    num_found = len(positive_scores)
    if len(scores) < num_found:
        raise ValueError(
            "expected the scores to include those of the positives. Received: "
            f"len(scores)={len(scores)}, len(positive_scores)={num_found}"
        )
    if num_positives is None:
        num_positives = num_found
    if num_positives < max(num_found, 1):
        raise ValueError(
            "expected num_positives of at least 1 and at least "
            f"len(positive_scores)={num_found}. "
            f"Received: num_positives={num_positives}"
        )
    if not num_found:
        return 0.0
    thresholds, hits = np.unique(positive_scores, return_counts=True)
    reached = np.sort(scores[scores >= thresholds[0]])
    num_reached = reached.size - np.searchsorted(reached, thresholds)
    true_positives = np.cumsum(hits[::-1])[::-1]
    return float(np.sum(hits * (true_positives / num_reached)) / num_positives)

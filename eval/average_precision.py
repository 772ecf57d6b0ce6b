"""Average precision of one ranked list, ties taken as one threshold."""

import dataclasses

import numpy as np

# Fewer positives are counted one by one, without a sort: most classes have few,
# and a call for each of thousands takes a third of the time.
_FEW = 8


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What a ranked list has found at each score of a positive.

    Recall steps up, and the best F1 is reached, at these scores alone.

    Attributes:
        scores: `[thresholds]`, the distinct scores of positives, rising.
        hits: int `[thresholds]`, the positives of exactly that score.
        true_positives: int `[thresholds]`, those of that score or a higher one.
        num_reached: int `[thresholds]`, the entries of that score or higher.
        reached: the scores of all entries at the lowest threshold or above,
            rising.
    """

    scores: np.ndarray
    hits: np.ndarray
    true_positives: np.ndarray
    num_reached: np.ndarray
    reached: np.ndarray

    def average_precision(self, num_positives: int) -> float:
        """Computes the average precision, see the function of that name.

        Args:
            num_positives: The positives that a perfect list would hold.

        Returns:
            It, in `[0, 1]`.
        """
        precision = self.true_positives / self.num_reached
        return float(np.sum(self.hits * precision) / num_positives)


@dataclasses.dataclass(frozen=True)
class ClassRanking:
    """How a class ranks all videos.

    Attributes:
        index: The class.
        scores: float `[videos]`, its score of each; valid until the next class.
        positives: int `[m]`, the videos that have it, rising.
        thresholds: What is found at the scores of these.
    """

    index: int
    scores: np.ndarray
    positives: np.ndarray
    thresholds: Thresholds


@dataclasses.dataclass(frozen=True)
class ListedRanking:
    """How a class ranks the videos that list it; others are not ranked.

    Attributes:
        index: The class.
        scores: float `[n]`, in any order.
        hits: bool `[n]`, whether the video has it.
        rows: int `[n]`, the video of each.
        positives: int `[m]`, the videos that have it, listed or not.
    """

    index: int
    scores: np.ndarray
    hits: np.ndarray
    rows: np.ndarray
    positives: np.ndarray

    def average_precision(self) -> float:
        """Computes the average precision, in `[0, 1]`."""
        return average_precision(
            self.scores, self.scores[self.hits], len(self.positives)
        )


def find_thresholds(
    scores: np.ndarray, positive_scores: np.ndarray
) -> Thresholds:
    """Counts what is found at each score of a positive.

    Args:
        scores: float `[n]`, the scores of all entries in any order, those of
            the positives included.
        positive_scores: float `[m]`, the scores of the positives, at least one.

    Returns:
        The counts.
    """
    # Where distinct scores start among the positives, and the end: as
    # `np.unique` does in twice the time, which counts for thousands of classes.
    ranked = np.sort(positive_scores)
    number = len(ranked)
    is_first = np.empty(number + 1, bool)
    is_first[0] = is_first[number] = True
    np.not_equal(ranked[1:], ranked[:-1], out=is_first[1:-1])
    edges = is_first.nonzero()[0]
    thresholds = ranked[edges[:-1]]
    reached = scores[scores >= thresholds[0]]
    reached.sort()
    return Thresholds(
        thresholds,
        hits=edges[1:] - edges[:-1],
        true_positives=number - edges[:-1],
        num_reached=reached.size - reached.searchsorted(thresholds),
        reached=reached,
    )


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
    if num_found < _FEW:
        return _of_few(scores, positive_scores) / num_positives
    thresholds = find_thresholds(scores, positive_scores)
    return thresholds.average_precision(num_positives)


def _of_few(scores: np.ndarray, positive_scores: np.ndarray) -> float:
    """Sums the precisions at all positives, to the bits of `np.sum`."""
    # As Python's numbers, which are compared in the type of the scores.
    ranked = sorted(positive_scores.tolist())
    total, number = 0.0, len(ranked)
    start = 0
    while start < number:
        score, end = ranked[start], start + 1
        while end < number and ranked[end] == score:
            end += 1
        num_reached = int(np.count_nonzero(scores >= score))
        total += (end - start) * ((number - start) / num_reached)
        start = end
    return total

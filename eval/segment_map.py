"""MAP@K of segments, the metric of the YouTube-8M challenge of 2019."""

from collections.abc import Iterable, Sequence
import math

import numpy as np

from yt8m_compact import predictions as predictions_lib


def segment_map(
    best: Iterable[tuple[int, Sequence[bytes]]],
    ratings: predictions_lib.RatingTable,
    k: int,
) -> dict[str, float | int]:
    r"""Computes MAP@K of the segments that are listed for each class.

    $$ MAP@K = \frac{1}{C} \sum_{c=1}^C \frac{1}{N_c}
       \sum_{i} P_c(i) \, rel_c(i), $$

    where $i$ runs over those of the first $K$ segments of class $c$ that are
    rated for $c$, in their order; $rel_c(i)$ is 1 where people found $c$ in the
    $i$-th of them, else 0; $P_c(i)$ is the share of those among the first $i$;
    and $N_c$ is in how many segments people found $c$. $C$ is the number of
    classes with $N_c > 0$, which those of the challenge all have; one that is
    not listed counts as 0. It is what segment_eval_inference.py of the starter
    code computes, which stops at classes with $N_c = 0$ and leaves out those
    that are not listed.

    Args:
        best: classes, each once, and their segments `id:start`, best first.
        ratings: what people said.
        k: how many segments of a class count.

    Returns:
        `map_at_k`; `num_classes_with_positives`, which is $C$; and
        `num_rated_listed`, how many ratings are of a segment that is listed
        among the first $K$ of the class.

    Raises:
        ValueError: if nobody found a class in any segment, or no rated segment
            is listed.

    References:
        [YouTube-8M segments](https://research.google.com/youtube8m/), and the
        challenge's page of 2019 on Kaggle.
    """
    positives = ratings.positives()
    if not positives:
        raise ValueError(
            f"{ratings.where}: expected a class that is in a segment. "
            f"Received: {len(ratings):,} ratings, none of them positive"
        )
    precisions: list[float] = []
    num_rated = 0
    for label, segments in best:
        found = ratings.ratings_of(label, segments[:k])
        num_rated += len(found)
        if label not in positives or not len(found):
            continue
        hits = np.cumsum(found)
        precision = (hits / np.arange(1, len(found) + 1))[found]
        precisions.append(math.fsum(precision) / positives[label])
    if not num_rated:
        raise ValueError(
            f"expected segments that are rated in {ratings.where}. Received: "
            "none of them is listed for a class that it is rated for; name the "
            "labels of the same videos"
        )
    return {
        "map_at_k": math.fsum(precisions) / len(positives),
        "num_classes_with_positives": len(positives),
        "num_rated_listed": num_rated,
    }

"""MAP@K of segments, the metric of the YouTube-8M challenge of 2019."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import math

import numpy as np

from yt8m_compact import predictions as predictions_lib


@dataclasses.dataclass(frozen=True)
class RankedSegments:
    """The rated ones among the segments that are listed for each class.

    Attributes:
        ratings: what people said.
        rated: of each class that people found in a segment and of which one or
            more is listed, the numbers of those that are rated for it, best
            first, and bool, whether it is there.
        num_rated: how many ratings are of a segment that is listed for its
            class, of all classes.
    """

    ratings: predictions_lib.RatingTable
    rated: Mapping[int, tuple[np.ndarray, np.ndarray]]
    num_rated: int

    def result(self) -> dict[str, float | int]:
        r"""Computes MAP@K.

        $$ MAP@K = \frac{1}{C} \sum_{c=1}^C \frac{1}{N_c}
           \sum_{i} P_c(i) \, rel_c(i), $$

        where $i$ runs over those of the first $K$ segments of class $c$ that
        are rated for $c$, in their order; $rel_c(i)$ is 1 where people found
        $c$ in the $i$-th of them, else 0; $P_c(i)$ is the share of those among
        the first $i$; and $N_c$ is in how many segments people found $c$. $C$
        is the number of classes with $N_c > 0$, which those of the challenge
        all have; one that is not listed counts as 0. It is what
        segment_eval_inference.py of the starter code computes, which stops at
        classes with $N_c = 0$ and leaves out those that are not listed.

        Returns:
            `map_at_k`; `num_classes_with_positives`, which is $C$; and
            `num_rated_listed`, how many ratings are of a segment that is listed
            among the first $K$ of the class.

        References:
            [YouTube-8M segments](https://research.google.com/youtube8m/), and
            the challenge's page of 2019 on Kaggle.
        """
        positives = self.ratings.positives()
        precisions = []
        for label, (_, found) in self.rated.items():
            hits = np.cumsum(found)
            precision = (hits / np.arange(1, len(found) + 1))[found]
            precisions.append(math.fsum(precision) / positives[label])
        return {
            "map_at_k": math.fsum(precisions) / len(positives),
            "num_classes_with_positives": len(positives),
            "num_rated_listed": self.num_rated,
        }

    def draw(self, counts: np.ndarray) -> np.ndarray:
        """Computes MAP@K of videos that were drawn with replacement.

        All segments of a video count as often as it was drawn, and are one
        place of the ranking. Which segments are among the first K is taken from
        the ranking of all.

        Args:
            counts: int `[videos, draws]`, how often each video was drawn, in
                the order of `RatingTable.videos`.

        Returns:
            float64 `[draws]`; 0 of a draw in which no class is.
        """
        videos = self.ratings.videos()
        classes, segments = self.ratings.positive_segments()
        order = np.argsort(classes, kind="stable")
        labels, starts = np.unique(classes[order], return_index=True)
        sums = np.zeros(counts.shape[1])
        numbers = np.zeros(counts.shape[1], np.int64)
        of_class = np.split(videos[segments[order]], starts[1:])
        for label, found_in in zip(labels.tolist(), of_class, strict=True):
            number = counts[found_in].sum(axis=0, dtype=np.int64)
            numbers += number > 0
            if label in self.rated:
                rated, found = self.rated[label]
                times = counts[videos[rated]].astype(np.float64)
                hits = times * found[:, np.newaxis]
                places = np.maximum(np.cumsum(times, axis=0), 1)
                precision = np.cumsum(hits, axis=0) / places
                sums += np.sum(hits * precision, axis=0) / np.maximum(number, 1)
        return sums / np.maximum(numbers, 1)


def rank(
    best: Iterable[tuple[int, Sequence[bytes]]],
    ratings: predictions_lib.RatingTable,
    k: int,
) -> RankedSegments:
    """Finds the rated segments among those that are listed for each class.

    Args:
        best: classes, each once, and their segments `id:start`, best first.
        ratings: what people said.
        k: how many segments of a class count.

    Returns:
        They.

    Raises:
        ValueError: if nobody found a class in any segment, or no rated segment
            is listed.
    """
    positives = ratings.positives()
    if not positives:
        raise ValueError(
            f"{ratings.where}: expected a class that is in a segment. "
            f"Received: {len(ratings):,} ratings, none of them positive"
        )
    rated = {}
    num_rated = 0
    for label, segments in best:
        numbers, found = ratings.ratings_of(label, segments[:k])
        num_rated += len(found)
        if label in positives and len(found):
            rated[label] = numbers, found
    if not num_rated:
        raise ValueError(
            f"expected segments that are rated in {ratings.where}. Received: "
            "none of them is listed for a class that it is rated for; name the "
            "labels of the same videos"
        )
    return RankedSegments(ratings, rated, num_rated)

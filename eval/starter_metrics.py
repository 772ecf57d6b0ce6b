"""The metrics as the YouTube-8M starter code computes them."""

import math

import numpy as np
import numpy.typing as npt

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos


class StarterMetrics:
    r"""GAP, Hit@1, PERR, MAP and loss as of the starter code's `eval.py`.

    They are those of `EvaluationMetrics` but for two:

    *   MAP: each class ranks only the videos that have it among their first
        `top_k` classes, $AP_c = \frac{1}{n_c} \sum_i P_c(i) \, rel_c(i)$ with
        all $n_c$ videos that have it: a label outside of a video's first
        `top_k` is never found. Classes that no video has are left out.
    *   PERR: a label whose prediction is 0 is not found.

    They equal the starter code's where no two scores of a ranking are equal.
    Equal ones are one threshold here, and come in an order by chance there.

    Args:
        num_classes: The number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_labels_of_class = np.zeros(num_classes, np.int64)
        self._found_by_num_labels = np.zeros(num_classes + 1, np.int64)

    def update(
        self,
        label_counts: np.ndarray,
        num_labels: np.ndarray,
        num_found: np.ndarray,
    ) -> None:
        """Adds videos.

        Args:
            label_counts: int `[num_classes]`, how many of them have each class.
            num_labels: int `[videos]`, the labels of each.
            num_found: int `[videos]`, those among its first `num_labels`
                classes whose predictions are above 0.
        """
        self._num_labels_of_class += label_counts
        np.add.at(self._found_by_num_labels, num_labels, num_found)

    def update_from_ranking(
        self, predictions: npt.ArrayLike, ranking: ranked_videos.Ranking
    ) -> None:
        """Adds videos whose ranking is known.

        Args:
            predictions: float `[videos, num_classes]`.
            ranking: What `EvaluationMetrics.update` returned for them.
        """
        num_labels = ranking.num_labels
        places = np.arange(ranking.hits.shape[1])
        scores = np.take_along_axis(
            np.asarray(predictions), ranking.classes, axis=1
        )
        found = ranking.hits & (places < num_labels[:, np.newaxis])
        self.update(
            np.count_nonzero(ranking.is_label, axis=0),
            num_labels,
            np.count_nonzero(found & (scores > 0), axis=1),
        )

    def result(
        self, best: ranked_videos.RankedVideos, loss: float | None = None
    ) -> dict[str, float | None]:
        """Computes the metrics.

        Args:
            best: The first `top_k` classes of all videos that were added, one
                or more of which has a label.
            loss: Their mean loss, None if it is not known.

        Returns:
            `gap`, `hit_at_1`, `perr`, `map` and `loss`.
        """
        number = len(best)
        of_class = self._num_labels_of_class
        gap = average_precision.average_precision(
            best.scores.ravel(), best.scores[best.hits], int(of_class.sum())
        )
        sums = self._found_by_num_labels[1:] / np.arange(1, len(of_class) + 1)
        return {
            "gap": gap,
            "hit_at_1": int(np.count_nonzero(best.hit_at_1)) / number,
            "perr": math.fsum(sums) / number,
            "map": _mean_average_precision(best, of_class),
            "loss": loss,
        }


def _mean_average_precision(
    best: ranked_videos.RankedVideos, num_labels: np.ndarray
) -> float:
    """Computes MAP of what is among the best classes of each video.

    Args:
        best: The best classes.
        num_labels: int `[num_classes]`, the labels of each class.
    """
    # Places that a video did not fill have -inf.
    listed = best.scores.ravel() > -np.inf
    classes = best.classes.ravel()[listed]
    order = np.argsort(classes, kind="stable")
    scores = best.scores.ravel()[listed][order]
    hits = best.hits.ravel()[listed][order]
    ends = np.cumsum(np.bincount(classes, minlength=len(num_labels)))
    starts = np.concatenate([[0], ends[:-1]])
    precisions = []
    for index in np.flatnonzero(num_labels):
        part = slice(starts[index], ends[index])
        precisions.append(
            average_precision.average_precision(
                scores[part], scores[part][hits[part]], int(num_labels[index])
            )
        )
    return math.fsum(precisions) / len(precisions)

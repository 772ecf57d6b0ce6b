"""GAP, Hit@1, PERR and MAP of predictions that list some classes of a video."""

import math

import numpy as np

from yt8m_compact import predictions as predictions_lib
from yt8m_compact.eval import average_precision


class ListedMetrics:
    """Collects lists of predictions and computes the metrics of all.

    The metrics are those of `EvaluationMetrics`, where a class that a video
    does not list is not predicted: its label counts as one that is never
    found. A file that lists all classes has the same values to the last bit.

    Predictions of 20 classes take 200 bytes a video.

    Args:
        num_classes: The number of classes.
        top_k: How many predictions of a video enter GAP.
    """

    def __init__(self, num_classes: int, top_k: int = 20) -> None:
        if top_k < 1:
            raise ValueError(f"expected a positive top_k. Received: {top_k=}")
        self._num_classes = num_classes
        self._top_k = top_k
        # NumPy sorts 16 bits by counting them.
        self._kind = np.uint16 if num_classes <= 1 << 16 else np.int32
        self._classes: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self._hits: list[np.ndarray] = []
        self._pooled: list[np.ndarray] = []
        self._num_labels_of_class = np.zeros(num_classes, np.int64)
        self._hits_by_num_labels = np.zeros(num_classes + 1, np.int64)
        self._num_hits_at_1 = 0
        self.num_examples = 0

    def update(
        self,
        rows: predictions_lib.Rows,
        label_counts: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        """Adds videos.

        Args:
            rows: What is predicted for them, checked.
            label_counts: int64 `[rows]`, how many labels each has.
            labels: int32, the labels of all, each once a video.
        """
        num_classes = self._num_classes
        row = rows.row_of_each
        order = np.lexsort((rows.classes, -rows.scores, row))
        classes, scores = rows.classes[order], rows.scores[order]
        row = row[order]
        place = np.arange(len(row)) - np.repeat(rows.starts[:-1], rows.counts)
        row_of_label = np.repeat(np.arange(len(rows)), label_counts)
        hits = np.isin(
            row * num_classes + classes, row_of_label * num_classes + labels
        )
        self._classes.append(classes.astype(self._kind))
        self._scores.append(scores)
        self._hits.append(hits)
        self._pooled.append(place < self._top_k)
        self._num_labels_of_class += np.bincount(labels, minlength=num_classes)
        self._num_hits_at_1 += int(np.count_nonzero(hits[place == 0]))
        in_perr = row[hits & (place < label_counts[row])]
        found = np.bincount(in_perr, minlength=len(rows))
        np.add.at(self._hits_by_num_labels, label_counts, found)
        self.num_examples += len(rows)

    def result(self) -> dict[str, float | int | None]:
        """Computes the metrics of all videos added so far.

        Returns:
            As of `EvaluationMetrics.result`; there is no loss.

        Raises:
            ValueError: If there is no label in any video.
        """
        num_labels = int(self._num_labels_of_class.sum())
        if not num_labels:
            raise ValueError(
                "expected at least one label in the data: the metrics are not "
                "defined without. Received: 0 labels in "
                f"num_examples={self.num_examples}"
            )
        scores, hits = np.concatenate(self._scores), np.concatenate(self._hits)
        pooled = np.concatenate(self._pooled)
        gap = average_precision.average_precision(
            scores[pooled], scores[pooled & hits], num_labels
        )
        del pooled
        precisions = self._class_average_precisions(scores, hits)
        sums = self._hits_by_num_labels[1:] / np.arange(
            1, self._num_classes + 1
        )
        return {
            "gap": gap,
            "hit_at_1": self._num_hits_at_1 / self.num_examples,
            "perr": math.fsum(sums) / self.num_examples,
            "map": math.fsum(precisions) / len(precisions),
            "loss": None,
            "num_examples": self.num_examples,
            "num_classes_with_positives": len(precisions),
        }

    def _class_average_precisions(
        self, scores: np.ndarray, hits: np.ndarray
    ) -> list[float]:
        """Computes the average precision of each class that has a label."""
        classes = np.concatenate(self._classes)
        order = np.argsort(classes, kind="stable")
        ends = np.cumsum(np.bincount(classes, minlength=self._num_classes))
        precisions = []
        for label in np.flatnonzero(self._num_labels_of_class):
            start = ends[label - 1] if label else 0
            entries = order[start : ends[label]]
            class_scores = scores[entries]
            precisions.append(
                average_precision.average_precision(
                    class_scores,
                    class_scores[hits[entries]],
                    int(self._num_labels_of_class[label]),
                )
            )
        return precisions

"""GAP, Hit@1, PERR and MAP of predictions that list some classes of a video."""

from collections.abc import Callable, Iterator
import math

import numpy as np

from yt8m_compact import predictions as predictions_lib
from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import starter_metrics


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
        # Of each entry, those of a video by falling score.
        self._classes: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self._hits: list[np.ndarray] = []
        self._pooled: list[np.ndarray] = []
        # Of each video.
        self._num_listed: list[np.ndarray] = []
        self._num_labels: list[np.ndarray] = []
        self._num_found: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._num_hits_at_1 = 0
        self._starter = starter_metrics.StarterMetrics(num_classes)
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
        self._num_hits_at_1 += int(np.count_nonzero(hits[place == 0]))
        in_perr = hits & (place < label_counts[row])
        self._num_found.append(_count(row[in_perr], len(rows)))
        self._num_listed.append(rows.counts.astype(np.int32))
        self._num_labels.append(label_counts.astype(np.int32))
        self._labels.append(labels.astype(self._kind))
        self._starter.update(
            np.bincount(labels, minlength=num_classes),
            label_counts,
            _count(row[in_perr & (scores > 0)], len(rows)),
        )
        self.num_examples += len(rows)

    def result(
        self,
        on_class: Callable[[average_precision.ListedRanking], None]
        | None = None,
    ) -> dict[str, float | int | None]:
        """Computes the metrics of all videos added so far.

        Args:
            on_class: Gets the ranking of each class that a video has.

        Returns:
            As of `EvaluationMetrics.result`; there is no loss.

        Raises:
            ValueError: If there is no label in any video.
        """
        num_labels = sum(map(len, self._labels))
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
        precisions = []
        for ranking in self._rank_classes(scores, hits):
            precisions.append(ranking.average_precision())
            if on_class is not None:
                on_class(ranking)
        # Whole numbers for each number of labels, so that the sum does not
        # depend on the order of the videos.
        found = np.bincount(
            np.concatenate(self._num_labels),
            weights=np.concatenate(self._num_found),
            minlength=self._num_classes + 1,
        )
        sums = found[1:] / np.arange(1, self._num_classes + 1)
        return {
            "gap": gap,
            "hit_at_1": self._num_hits_at_1 / self.num_examples,
            "perr": math.fsum(sums) / self.num_examples,
            "map": math.fsum(precisions) / len(precisions),
            "loss": None,
            "num_examples": self.num_examples,
            "num_classes_with_positives": len(precisions),
        }

    def starter_result(self) -> dict[str, float | None]:
        """Computes what the starter code says of the same predictions.

        Returns:
            As of `StarterMetrics.result`; there is no loss.
        """
        return self._starter.result(self.best_classes())

    @property
    def most_listed(self) -> int:
        """How many classes the video lists that lists the most."""
        return max(int(one.max(initial=0)) for one in self._num_listed)

    @property
    def lists_all(self) -> bool:
        """Whether each video lists every class that some video has."""
        counts, has_label = (
            sum(np.bincount(one, minlength=self._num_classes) for one in parts)
            for parts in (self._classes, self._labels)
        )
        return bool((counts[has_label > 0] == self.num_examples).all())

    def best_classes(self) -> ranked_videos.RankedVideos:
        """Returns the first `top_k` classes of all videos, in their order."""
        num_listed = np.concatenate(self._num_listed)
        listed = np.arange(self._top_k) < num_listed[:, np.newaxis]
        pooled = np.concatenate(self._pooled)
        return ranked_videos.RankedVideos(
            scores=_in_places(listed, self._scores, pooled, -np.inf),
            classes=_in_places(listed, self._classes, pooled, 0),
            hits=_in_places(listed, self._hits, pooled, False),
            num_labels=np.concatenate(self._num_labels),
            num_found=np.concatenate(self._num_found),
        )

    def _rank_classes(
        self, scores: np.ndarray, hits: np.ndarray
    ) -> Iterator[average_precision.ListedRanking]:
        """Yields how each class that a video has ranks those that list it."""
        entries = _by_class(np.concatenate(self._classes), self._num_classes)
        labels = _by_class(np.concatenate(self._labels), self._num_classes)
        rows = np.arange(self.num_examples, dtype=np.int32)
        entry_rows = np.repeat(rows, np.concatenate(self._num_listed))
        label_rows = np.repeat(rows, np.concatenate(self._num_labels))
        for index, (listed, labelled) in enumerate(
            zip(entries, labels, strict=True)
        ):
            if len(labelled):
                yield average_precision.ListedRanking(
                    index,
                    scores[listed],
                    hits[listed],
                    entry_rows[listed],
                    label_rows[labelled],
                )


def _count(rows: np.ndarray, number: int) -> np.ndarray:
    return np.bincount(rows, minlength=number).astype(np.int32)


def _in_places(
    listed: np.ndarray,
    values: list[np.ndarray],
    pooled: np.ndarray,
    missing: float,
) -> np.ndarray:
    """Puts what is pooled where it is listed, `[videos, k]`."""
    joined = np.concatenate(values)
    found = np.full(listed.shape, missing, joined.dtype)
    found[listed] = joined[pooled]
    return found


def _by_class(classes: np.ndarray, num_classes: int) -> Iterator[np.ndarray]:
    """Yields the places of each class, rising."""
    order = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes, minlength=num_classes))
    start = 0
    for end in ends.tolist():
        yield order[start:end]
        start = end

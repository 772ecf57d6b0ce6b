"""How far a metric of so many videos can be trusted."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.eval import metrics as metrics_lib

# Of a normal distribution, 95 % are so many standard deviations from its mean.
_DEVIATIONS = 1.96
# Draws that are computed at once: a row of each is as long as what is ranked.
_CHUNK = 8


class Bootstrap:
    """Draws videos with replacement, and computes a metric of each draw.

    A viewer of an evaluation, see `evaluation.Evaluator.evaluate`. The interval
    is the metric plus and minus 1.96 standard deviations of the draws. Their
    percentiles would not do for MAP: a video that is drawn twice finds itself,
    so that draws are better than what they are drawn from.

    Evaluations of as many videos, in the same order, have the same draws.

    Args:
        metric: "gap" or "map", of `metrics.EvaluationMetrics`.
        top_k: how many predictions of a video GAP counts.
        num_draws: how often as many videos are drawn as there are.
        seed: of the draws.

    Raises:
        ValueError: if the metric is another one.

    References:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 6.
    """

    def __init__(
        self,
        metric: str = "gap",
        *,
        top_k: int = 20,
        num_draws: int = 400,
        seed: int = 0,
    ) -> None:
        if metric not in _OF_DRAWS:
            raise ValueError(
                f"expected a metric of {', '.join(_OF_DRAWS)}. Received: "
                f"{metric=}"
            )
        self._metric = metric
        self._top_k = top_k
        self._num_draws = num_draws
        self._seed = seed
        self._predictions: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def on_batch(
        self, batch: Mapping[str, tf.Tensor], predictions: tf.Tensor
    ) -> None:
        """Keeps what is ranked."""
        predictions = np.asarray(predictions)
        labels = np.asarray(batch["labels"]) != 0
        if self._metric == "gap":
            # The sum of labels stands behind those of the ranked classes.
            best = ops.top_k_classes(
                predictions, min(self._top_k, predictions.shape[1])
            )
            number = labels.sum(axis=1, keepdims=True)
            labels = np.take_along_axis(labels, best, axis=1)
            labels = np.concatenate([labels, number], axis=1)
            predictions = np.take_along_axis(predictions, best, axis=1)
        self._predictions.append(predictions)
        self._labels.append(labels)

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        """Does nothing: draws are computed when they are asked for."""

    def draws(self) -> np.ndarray:
        """Computes the metric of each draw.

        Returns:
            float64 `[num_draws]`; of a draw without a label, 0.
        """
        predictions = np.concatenate(self._predictions)
        labels = np.concatenate(self._labels)
        number = len(predictions)
        counts = np.random.default_rng(self._seed).multinomial(
            number, np.full(number, 1 / number), size=self._num_draws
        )
        return _OF_DRAWS[self._metric](predictions, labels, counts)

    def interval(self, value: float) -> tuple[float, float]:
        """Returns the 95 % interval.

        Args:
            value: the metric of all videos.
        """
        half = _DEVIATIONS * float(np.std(self.draws(), ddof=1))
        return value - half, value + half


def _gap_of_draws(
    predictions: np.ndarray, labels: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    labels, number = labels[:, :-1], labels[:, -1]
    videos = np.repeat(np.arange(len(predictions)), predictions.shape[1])
    return _average_precisions(
        predictions.ravel(),
        labels.ravel() != 0,
        videos,
        counts,
        counts @ number,
    )


def _map_of_draws(
    predictions: np.ndarray, labels: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    videos = np.arange(len(predictions))
    sums = np.zeros(len(counts))
    numbers = np.zeros(len(counts), np.int64)
    for index in np.flatnonzero(labels.any(axis=0)):
        is_label = labels[:, index]
        positives = counts @ is_label.astype(counts.dtype)
        sums += _average_precisions(
            predictions[:, index], is_label, videos, counts, positives
        )
        numbers += positives > 0
    return sums / np.maximum(numbers, 1)


_OF_DRAWS: dict[str, Callable[..., np.ndarray]] = {
    "gap": _gap_of_draws,
    "map": _map_of_draws,
}


def _average_precisions(
    scores: np.ndarray,
    is_positive: np.ndarray,
    videos: np.ndarray,
    counts: np.ndarray,
    num_positives: np.ndarray,
) -> np.ndarray:
    """Computes the average precision of each draw of one ranked list.

    See `average_precision.average_precision`, with each entry as often as its
    video was drawn.

    Args:
        scores: `[n]`.
        is_positive: bool `[n]`.
        videos: int `[n]`, the video of each entry.
        counts: int `[draws, videos]`, how often each video was drawn.
        num_positives: `[draws]`, the positives that a perfect list would hold.

    Returns:
        float64 `[draws]`; 0 where there are no positives.
    """
    order = np.argsort(-scores, kind="stable")
    scores, is_positive, videos = (
        array[order] for array in (scores, is_positive, videos)
    )
    # Equal scores are one threshold, where the last of them is.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    hits = np.flatnonzero(is_positive)
    # Positives at or before each threshold, and thresholds that add some.
    before = np.searchsorted(hits, ends, side="right")
    adds = np.diff(before, prepend=0) > 0
    ends, before = ends[adds], before[adds]
    result = np.zeros(len(counts))
    for start in range(0, len(counts), _CHUNK):
        chunk = counts[start : start + _CHUNK]
        reached = np.cumsum(chunk[:, videos], axis=1)[:, ends]
        true = np.cumsum(chunk[:, videos[hits]], axis=1)[:, before - 1]
        steps = np.diff(true, axis=1, prepend=0)
        precision = true / np.maximum(reached, 1)
        positives = np.maximum(num_positives[start : start + _CHUNK], 1)
        result[start : start + _CHUNK] = (
            np.sum(steps * precision, axis=1) / positives
        )
    return result

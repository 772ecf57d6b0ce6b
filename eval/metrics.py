"""GAP, Hit@1, PERR, MAP and loss over a whole evaluation set, exactly."""

from collections.abc import Callable, Iterator
import math
import os

import numpy as np
import numpy.typing as npt

from yt8m_compact import ops
from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import score_store

# Gets the ranking of a class.
OnClass = Callable[[average_precision.ClassRanking], None]


class EvaluationMetrics:
    r"""Collects batches of predictions and computes the metrics of all.

    With $N$ videos, labels $y_{vc} \in \{0, 1\}$, $n_v = \sum_c y_{vc}$ labels
    of video $v$, and the classes of a video ranked by falling prediction, the
    lower class index first among equal ones:

    *   GAP@k: the predictions of the k first classes of every video, pooled
        and ranked, $GAP = \sum_i p(i) \, \Delta r(i)$, where $p(i)$ is the
        precision and $r(i)$ the recall at threshold $i$. The recall counts the
        labels of all videos, also those outside a video's first k.
    *   Hit@1: the fraction of videos whose first class is a label.
    *   PERR: $\frac{1}{N} \sum_v \frac{1}{n_v}$ [labels among the first $n_v$
        classes of $v$].
    *   MAP: the mean over the classes that have a label at all of the average
        precision of the ranking of *all* videos by that class. The starter
        code ranks only the videos with the class among their first k: its
        figure, of `StarterMetrics`, is lower.

    Equal predictions are one threshold in GAP and MAP, as in
    `sklearn.metrics.average_precision_score`. A video without labels counts 0
    in Hit@1 and PERR, as in the starter code, and its predictions count in GAP
    and MAP. All results are the same to the last bit for any order of the
    videos and any way to cut them into batches.

    MAP needs the predictions of all videos. Beyond `memory_limit_bytes` they
    go to a temporary file, of 15 KiB a video with 3,862 classes (17 GB for
    1.1 million). What else is kept are about `7 * top_k` bytes a video. Use
    the object in a `with` statement, or call `close`, to have the file deleted
    early; it never outlives the process.

    Args:
        num_classes: The number of classes.
        top_k: How many predictions of a video enter GAP; all of them where
            there are fewer classes.
        memory_limit_bytes: How many bytes of predictions to keep in memory.
        spill_dir: The folder of the temporary file; the system's folder for
            temporary files (`TMPDIR`) when `None`.

    Raises:
        ValueError: If a number is out of its range, or `spill_dir` is no
            folder.

    Example:
        >>> labels = np.array([[1, 0, 0], [0, 0, 1]])
        >>> scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> with yt8m.evaluation.EvaluationMetrics(num_classes=3) as metrics:
        ...     _ = metrics.update(scores, labels)
        ...     found = metrics.result()
        >>> [float(found[name]) for name in ("gap", "hit_at_1", "perr", "map")]
        [0.75, 0.5, 0.5, 0.75]

    References:
        [YouTube-8M: A Large-Scale Video Classification Benchmark](
        https://arxiv.org/abs/1609.08675), section 5.1, for Hit@1, PERR and
        MAP; GAP@20 is the metric of the YouTube-8M challenges.
    """

    def __init__(
        self,
        num_classes: int,
        top_k: int = 20,
        *,
        memory_limit_bytes: int = 128 << 20,
        spill_dir: str | os.PathLike[str] | None = None,
    ):
        if top_k < 1:
            raise ValueError(f"expected a positive top_k. Received: {top_k=}")
        self._num_classes = num_classes
        self._top_k = min(top_k, num_classes)
        self._store = score_store.ScoreStore(
            num_classes,
            memory_limit_bytes=memory_limit_bytes,
            spill_dir=spill_dir,
        )
        # As small as the classes and their number allow.
        self._index_dtype = np.min_scalar_type(num_classes)
        # GAP: what is pooled, and the labels among it.
        self._ranked = ranked_videos.GrowingRankedVideos()
        # MAP: the labels.
        self._positive_classes: list[np.ndarray] = []
        self._positive_videos: list[np.ndarray] = []
        # PERR, for each number of labels n: how many of the first n classes
        # were labels, summed over the videos with n labels. Whole numbers,
        # so that the sum does not depend on the batches.
        self._hits_by_num_labels = np.zeros(num_classes + 1, np.int64)
        self._num_hits_at_1 = 0
        self._has_loss: bool | None = None

    def __enter__(self) -> "EvaluationMetrics":
        """Returns the metrics, which are closed at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the metrics, whether or not there was an exception."""
        self.close()

    @property
    def num_examples(self) -> int:
        """The number of videos added so far."""
        return self._store.num_videos

    @property
    def spilled_bytes(self) -> int:
        """The size of the temporary file, 0 while there is none."""
        return self._store.spilled_bytes

    def expect_room(self, num_examples: int) -> None:
        """Checks that the disk has room for the predictions of all videos.

        Args:
            num_examples: About how many videos there will be.

        Raises:
            OSError: If the temporary file would be larger than what is free.
        """
        # Models predict in float32.
        self._store.expect_room(num_examples, np.dtype(np.float32))

    def update(
        self,
        predictions: npt.ArrayLike,
        labels: npt.ArrayLike,
        loss: npt.ArrayLike | None = None,
    ) -> ranked_videos.Ranking:
        """Adds a batch of videos.

        A batch that is refused leaves the metrics as they were.

        Args:
            predictions: float `[batch, num_classes]` array or tensor, of one
                type in all batches. float16 and bfloat16 become float32.
            labels: 0 or 1, `[batch, num_classes]`, of any type.
            loss: float `[batch]`, the loss of each video; in all batches or
                in none.

        Returns:
            The ranking that was made of them.

        Raises:
            ValueError: If a shape or type is wrong, a prediction or loss is
                not finite, a label is neither 0 nor 1, a loss is given in some
                batches only, or the metrics are closed.
            OSError: If the temporary file cannot be written, for example on a
                full disk. The metrics are closed then.
        """
        self._check_open()
        predictions = self._checked_predictions(predictions)
        is_label, flat = self._checked_labels(labels, predictions.shape)
        losses = self._checked_loss(loss, len(predictions))

        videos, classes = np.divmod(flat, self._num_classes)
        num_labels = np.bincount(videos, minlength=len(predictions))
        # One selection serves the three metrics: at least as deep as the
        # video with the most labels.
        depth = max(self._top_k, int(num_labels.max(initial=0)))
        ranked = ops.top_k_classes(predictions, depth)
        scores = np.take_along_axis(predictions, ranked, axis=1)
        hits = np.take_along_axis(is_label, ranked, axis=1)
        in_perr = np.arange(depth) < num_labels[:, np.newaxis]

        num_found = np.count_nonzero(hits & in_perr, axis=1)
        start = self.num_examples

        # First what can fail, so that nothing else has changed then.
        self._store.append(predictions)
        self._has_loss = losses is not None
        first = slice(self._top_k)
        self._ranked.append(
            ranked_videos.RankedVideos(
                scores=scores[:, first],
                classes=ranked[:, first].astype(self._index_dtype),
                hits=hits[:, first],
                num_labels=num_labels.astype(self._index_dtype),
                num_found=num_found.astype(self._index_dtype),
                losses=losses,
            )
        )
        self._positive_classes.append(classes.astype(np.int32))
        self._positive_videos.append((start + videos).astype(np.int32))
        self._num_hits_at_1 += int(np.count_nonzero(hits[:, 0]))
        np.add.at(self._hits_by_num_labels, num_labels, num_found)
        return ranked_videos.Ranking(ranked, hits, is_label, num_labels)

    def result(
        self,
        on_class: OnClass | None = None,
    ) -> dict[str, float | int | None]:
        """Computes the metrics of all videos added so far.

        Args:
            on_class: Gets the ranking of each class that a video has, in the
                one pass over all scores.

        Returns:
            `gap`, `hit_at_1`, `perr`, `map` and `loss` (the mean; `None` if
            none was given) as floats; `num_examples` and
            `num_classes_with_positives`, the classes that `map` is the mean
            of, as ints.

        Raises:
            ValueError: If there is no video, no label in any of them, or the
                metrics are closed.
            OSError: If the temporary file cannot be read.
        """
        class_average_precisions = self.class_average_precisions(on_class)
        evaluated = class_average_precisions[
            ~np.isnan(class_average_precisions)
        ]
        pool, pool_positives = self._pool()
        gap = average_precision.average_precision(
            pool, pool_positives, num_positives=self._num_positives()
        )
        precision_sums = self._hits_by_num_labels[1:] / np.arange(
            1, self._num_classes + 1
        )
        loss = None
        if self._has_loss:
            losses = self._join().losses
            loss = math.fsum(losses) / self.num_examples
        return {
            "gap": gap,
            "hit_at_1": self._num_hits_at_1 / self.num_examples,
            "perr": math.fsum(precision_sums) / self.num_examples,
            "map": math.fsum(evaluated) / len(evaluated),
            "loss": loss,
            "num_examples": self.num_examples,
            "num_classes_with_positives": len(evaluated),
        }

    def precision_recall_counts(self, num_thresholds: int) -> np.ndarray:
        """Counts what is found above thresholds from 0 to 1.

        As in GAP, a prediction is one of a video's `top_k` first ones, and the
        labels are those of all videos.

        Args:
            num_thresholds: How many thresholds, at equal distances.

        Returns:
            float64 `[4, num_thresholds]`: true positives, false positives,
            true negatives and false negatives among all pairs of a video and
            a class; at or above a threshold is positive.

        Raises:
            ValueError: If the metrics are closed.
        """
        self._check_open()
        last = num_thresholds - 1
        pooled, hits = (
            np.histogram(scores, num_thresholds, (0, 1 + 1 / last))[0]
            for scores in self._pool()
        )
        above, true = (
            np.cumsum(counts[::-1])[::-1].astype(np.float64)
            for counts in (pooled, hits)
        )
        positives = self._num_positives()
        pairs = self.num_examples * self._num_classes
        false = above - true
        return np.stack(
            [true, false, pairs - positives - false, positives - true]
        )

    def best_classes(self) -> ranked_videos.RankedVideos:
        """Returns the best classes of all videos, in the order of the batches.

        Raises:
            ValueError: If there is no video, or the metrics are closed.
        """
        self._check_open()
        return self._join()

    def class_average_precisions(
        self,
        on_class: OnClass | None = None,
    ) -> np.ndarray:
        """Computes the average precision of every class.

        Args:
            on_class: As of `result`.

        Returns:
            float64 `[num_classes]`; NaN for a class that no video has.

        Raises:
            ValueError: If there is no video, no label in any of them, or the
                metrics are closed.
            OSError: If the temporary file cannot be read.
        """
        result = np.full(self._num_classes, np.nan)
        if on_class is None:
            for index, scores, positives in self._iterate_classes():
                result[index] = average_precision.average_precision(
                    scores, scores[positives]
                )
            return result
        for ranking in self.rank_classes():
            result[ranking.index] = ranking.thresholds.average_precision(
                len(ranking.positives)
            )
            on_class(ranking)
        return result

    def rank_classes(self) -> Iterator[average_precision.ClassRanking]:
        """Yields how each class that a video has ranks all videos.

        Yields:
            The rankings, by rising class.

        Raises:
            ValueError: If there is no video, no label in any of them, or the
                metrics are closed.
            OSError: If the temporary file cannot be read.
        """
        for index, scores, positives in self._iterate_classes():
            yield average_precision.ClassRanking(
                index,
                scores,
                positives,
                average_precision.find_thresholds(scores, scores[positives]),
            )

    def _iterate_classes(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields each class that a video has, all scores, the videos."""
        self._check_open()
        self._expect_videos()
        classes = np.concatenate(self._positive_classes)
        if not classes.size:
            raise ValueError(
                "expected at least one label in the data: the metrics are not "
                "defined without (a test split has no labels). Received: 0 "
                f"labels in num_examples={self.num_examples}"
            )
        order = np.argsort(classes, kind="stable")
        videos = np.concatenate(self._positive_videos)[order]
        present, starts = np.unique(classes[order], return_index=True)
        ends = [*starts[1:].tolist(), len(videos)]
        for class_index, start, end, scores in zip(
            present.tolist(),
            starts.tolist(),
            ends,
            self._store.iterate(present),
            strict=True,
        ):
            yield class_index, scores, videos[start:end]

    def close(self) -> None:
        """Drops everything, the temporary file included; may be repeated."""
        self._store.close()
        self._ranked = ranked_videos.GrowingRankedVideos()
        for values in (
            self._positive_classes,
            self._positive_videos,
        ):
            values.clear()

    def _join(self) -> ranked_videos.RankedVideos:
        self._expect_videos()
        return self._ranked.get()

    def _pool(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the scores that GAP ranks, and those of labels among them."""
        best = self._join()
        return best.scores.ravel(), best.scores[best.hits]

    def _num_positives(self) -> int:
        return sum(map(len, self._positive_classes))

    def _expect_videos(self) -> None:
        if not self.num_examples:
            raise ValueError(
                "expected at least one video before the metrics are computed: "
                "is the data empty? Received: num_examples=0"
            )

    def _check_open(self) -> None:
        if self._store.closed:
            raise ValueError(
                "expected metrics that are open: these were closed, or a "
                "write to their temporary file failed. Received: closed=True"
            )

    def _checked_predictions(self, predictions: npt.ArrayLike) -> np.ndarray:
        predictions = np.asarray(predictions)
        if predictions.dtype.name in ("float16", "bfloat16"):
            predictions = predictions.astype(np.float32)
        if predictions.dtype not in (np.float32, np.float64):
            raise ValueError(
                "expected floating-point predictions. "
                f"Received: predictions.dtype={predictions.dtype}"
            )
        if predictions.ndim != 2 or predictions.shape[1] != self._num_classes:
            raise ValueError(
                "expected predictions of shape "
                f"[batch, num_classes={self._num_classes}]. "
                f"Received: predictions.shape={predictions.shape}"
            )
        # A sum that is finite has no other terms, and takes half of the time.
        with np.errstate(over="ignore", invalid="ignore"):
            total = predictions.sum()
        if np.isfinite(total):
            return predictions
        finite = np.isfinite(predictions)
        if not finite.all():
            video, class_index = np.argwhere(~finite)[0]
            raise ValueError(
                "expected finite predictions: has the training diverged? "
                f"Received: predictions[{video}, {class_index}]="
                f"{predictions[video, class_index]}, the first of "
                f"{np.count_nonzero(~finite)} that are not, in the batch from "
                f"video {self.num_examples} on"
            )
        return predictions

    def _checked_labels(
        self, labels: npt.ArrayLike, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns which are labels, and their numbers in the whole batch."""
        labels = np.asarray(labels)
        if labels.shape != shape:
            raise ValueError(
                f"expected labels of the shape of the predictions, {shape}. "
                f"Received: labels.shape={labels.shape}"
            )
        is_label = labels != 0
        flat = np.flatnonzero(is_label)
        # NaN is among the values that are not 0.
        if (labels.ravel()[flat] != 1).any():
            wrong = is_label & (labels != 1)
            video, class_index = np.argwhere(wrong)[0]
            raise ValueError(
                "expected labels that are 0 or 1. "
                f"Received: labels[{video}, {class_index}]="
                f"{labels[video, class_index]}, the first of "
                f"{np.count_nonzero(wrong)} that are not, in the batch from "
                f"video {self.num_examples} on"
            )
        return is_label, flat

    def _checked_loss(
        self, loss: npt.ArrayLike | None, num_videos: int
    ) -> np.ndarray | None:
        if self._has_loss not in (None, loss is not None):
            raise ValueError(
                "expected a loss in all batches or in none: the mean would "
                "leave some videos out. Received: "
                f"loss={'None' if loss is None else 'given'}, after batches "
                f"{'with' if self._has_loss else 'without'}"
            )
        if loss is None:
            return None
        losses = np.array(loss, np.float64)
        if losses.shape != (num_videos,):
            raise ValueError(
                f"expected one loss for each video, of shape ({num_videos},). "
                f"Received: loss.shape={losses.shape}"
            )
        finite = np.isfinite(losses)
        if not finite.all():
            video = int(np.argmin(finite))
            raise ValueError(
                "expected a finite loss of every video: has the training "
                f"diverged? Received: loss[{video}]={losses[video]}, in the "
                f"batch from video {self.num_examples} on"
            )
        return losses

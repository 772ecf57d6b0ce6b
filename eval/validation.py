"""The evaluation of a run while it trains, and what TensorBoard shows of it."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from tensorboard.plugins.pr_curve import metadata as pr_curve
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import report
from yt8m_compact.eval import scoring
from yt8m_compact.eval import weights
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

EVENTS = "validation"
_NUM_THRESHOLDS = 201
_NUM_SAMPLES = 10
_NUM_SHOWN = 5
_TINY = 1e-12


class Validation:
    """Evaluates checkpoints of a run, for `training.Watching`.

    The metrics are those of yt8m-eval, by the same function. TensorBoard gets
    them under the names of the training curves, in the run `validation`, with
    the precision and recall of the predictions that GAP ranks, and the
    predictions of the first videos.

    Args:
        train_dir: the folder of the run.
        training: the data, what to do where it is damaged, and which weights
            are evaluated, `eval_weights`.
        class_names: a name for each class, as far as they are known.

    Raises:
        DataError: if no file matches.
    """

    def __init__(
        self,
        train_dir: str,
        training: config_lib.TrainingConfig,
        class_names: Mapping[int, str] | None = None,
    ) -> None:
        self._run = train_dir_lib.TrainDir(train_dir)
        self._evaluator = evaluation.Evaluator(
            train_dir,
            training.eval_data_pattern,
            num_readers=training.num_readers,
            on_data_error=training.on_data_error,
            weights=training.eval_weights,
        )
        self._class_names = class_names or {}

    def __call__(self, step: int) -> dict[str, float]:
        """Evaluates the checkpoint of a step.

        Args:
            step: the step.

        Returns:
            The metrics by their names.
        """
        viewer = _Viewer(self._class_names)
        result = self._evaluator.evaluate(step, viewer)
        evaluation.log_report(result, self._run, EVENTS, viewer.write)
        return {name: result.metrics[name] for name in config_lib.BETTER}


def describe_weights(model: keras.Model) -> str:
    """Writes the weights of a model as a table, for `training.Watching`."""
    counts = weights.count_weights(model)
    return report.Report(model=model.name, weights=counts).weights_table()


def summarize_weights(model: keras.Model) -> str:
    """Says how many weights a model has, for `training.Watching`."""
    counts = weights.count_weights(model)
    text = f"{counts.total:,} parameters, "
    if counts.total != counts.dense_equivalent:
        text += f"{counts.percent_of_dense:.2f} % of its dense equivalent, "
    return f"{text}{counts.megabytes:.2f} MB"


class _Viewer:
    """Keeps what TensorBoard shows beside the metrics."""

    def __init__(self, class_names: Mapping[int, str]) -> None:
        self._class_names = class_names
        self._samples = ""
        self._counts: np.ndarray | None = None

    def on_batch(self, scored: scoring.ScoredBatch) -> None:
        if not self._samples:
            first = slice(_NUM_SAMPLES)
            self._samples = format_samples(
                [one.decode() for one in scored.ids[first]],
                scored.labels[first] > 0,
                scored.predictions[first],
                self._class_names,
            )

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        self._counts = metrics.precision_recall_counts(_NUM_THRESHOLDS)

    def write(self) -> None:
        tf.summary.text("samples", self._samples)
        true, false, _, missed = self._counts
        precision = true / np.maximum(true + false, _TINY)
        recall = true / np.maximum(true + missed, _TINY)
        tf.summary.write(
            "precision_recall",
            tf.constant(
                np.stack([*self._counts, precision, recall]), tf.float32
            ),
            metadata=pr_curve.create_summary_metadata(
                "precision and recall",
                "Of the predictions that GAP ranks: the 20 best of each video.",
                _NUM_THRESHOLDS,
            ),
        )


def format_samples(
    ids: Sequence[str],
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Mapping[int, str],
) -> str:
    """Writes what is predicted for some videos as a table of Markdown.

    Args:
        ids: of the videos.
        labels: bool `[videos, num_classes]`.
        predictions: float `[videos, num_classes]`.
        class_names: a name for each class, as far as they are known.

    Returns:
        The table: the id, the labels, and the best predictions, in bold where
        they are right.
    """
    best = ops.top_k_classes(predictions, min(_NUM_SHOWN, predictions.shape[1]))
    lines = ["| video | labels | predictions |", "| --- | --- | --- |"]
    for video, row, scores, classes in zip(
        ids, labels, predictions, best, strict=True
    ):
        names = [_name(index, class_names) for index in np.flatnonzero(row)]
        shown = []
        for index in classes:
            text = f"{_name(index, class_names)} {scores[index]:.2f}"
            shown.append(f"**{text}**" if row[index] else text)
        cells = (_escape(video), ", ".join(names), ", ".join(shown))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(index: int, class_names: Mapping[int, str]) -> str:
    return _escape(class_names.get(int(index), str(index)))


def _escape(text: str) -> str:
    """Keeps a text of strangers from being Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#|!&" else c for c in text)

"""Evaluations while a run trains."""

from collections.abc import Callable, Mapping, Sequence
import logging

from yt8m_compact import progress
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import evaluations
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import strategies

# Evaluates the checkpoint of a step; gives the metrics by their names.
Evaluate = Callable[[int], Mapping[str, float]]

_LOGGER = logging.getLogger(__name__)


class Validation:
    """Says when to evaluate, which checkpoint is the best, and when to stop.

    Only the chief evaluates; the others wait, and know what it found.

    Args:
        training: `eval_steps`, `eval_weights`, `early_stopping`, `patience`,
            `keep_best`.
        run: the folder of the run.
        files: the data.
        workers: who trains.
        evaluate: evaluates the checkpoint of a step.
    """

    def __init__(
        self,
        training: config_lib.TrainingConfig,
        run: train_dir_lib.TrainDir,
        files: Sequence[str],
        workers: strategies.Workers,
        evaluate: Evaluate,
    ) -> None:
        self._training = training
        self._workers = workers
        self._evaluate = evaluate
        self._found: evaluations.Evaluations | None = None
        self._stopped = False
        if workers.is_chief:
            data = evaluations.describe_data(files)
            self._found = evaluations.Evaluations(
                run.evaluations_path, data, training.eval_weights
            )

    def start(self, step: int) -> None:
        """Starts from the checkpoint of a step, as if never stopped."""
        if self._found is not None:
            self._found.forget_after(step)
        self._share_stop()

    def is_due(self, position: position_lib.Position, is_end: bool) -> bool:
        """Whether to evaluate now.

        Args:
            position: where the run is, and a checkpoint of it.
            is_end: whether training ends here.
        """
        step, epoch, examples = position.as_tuple()
        if self._training.eval_steps is not None:
            due = step % self._training.eval_steps == 0
        else:
            due = epoch > 0 and not examples
        if step == 0 or not (due or is_end):
            return False
        has = self._found is not None and self._found.has(step)
        return not self._workers.share([has])[0]

    def evaluate(self, step: int) -> dict[str, float]:
        """Evaluates the checkpoint of a step.

        Returns:
            The metrics.
        """
        names = list(config_lib.BETTER)
        numbers = [0.0] * len(names)
        if self._found is not None:
            metrics = self._evaluate(step)
            numbers = [metrics[name] for name in names]
            self._found.add(step, dict(zip(names, numbers, strict=True)))
            self._log(step)
        numbers = self._workers.share(numbers)
        self._share_stop()
        return dict(zip(names, numbers, strict=True))

    def is_best(self, step: int) -> bool:
        """Whether a step's checkpoint is to be kept as the best so far."""
        best = self.best
        return best is not None and best.step == step

    @property
    def best(self) -> evaluations.Evaluation | None:
        """The best evaluation by `keep_best`; None where nothing is kept."""
        metric = self._training.keep_best
        if self._found is None or metric == "none":
            return None
        return self._found.best(metric)

    @property
    def stops(self) -> bool:
        """Whether `early_stopping` ends the training."""
        return self._stopped

    def save(self) -> None:
        """Writes what was found, after the best checkpoint."""
        if self._found is not None:
            self._found.save()

    def _share_stop(self) -> None:
        metric, stop = self._training.early_stopping, False
        if self._found is not None and metric != "none":
            stop = self._found.since_best(metric) >= self._training.patience
        self._stopped = bool(self._workers.share([stop])[0])

    def _log(self, step: int) -> None:
        metric = self._training.early_stopping
        if metric == "none":
            metric = self._training.keep_best
        if metric == "none":
            metric = "gap"
        best, last = self._found.best(metric), self._found.last
        weights = self._training.eval_weights
        _LOGGER.info(
            "step %s: val %s%s%s",
            f"{step:,}",
            "" if weights == "raw" else f"({weights}) ",
            progress.metrics_text(last.metrics, digits=4),
            " best" if best.step == step else "",
        )

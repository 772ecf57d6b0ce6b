"""A line for each checkpoint that is evaluated while a run trains."""

from __future__ import annotations

from yt8m_compact.eval import report

_NAMES = ("gap", "hit_at_1", "perr", "map", "loss", "num_examples")
_WIDTH = 10


class CheckpointLines:
    """Writes reports of one run's checkpoints as lines of a table.

    The weights are shown once, before the first line. A line says whether its
    checkpoint is the best one until then, by GAP; another model, of a new run
    in the same folder, begins again.

    Args:
        max_columns: how wide the table of the weights may be; None for as wide
            as it is.
    """

    def __init__(self, max_columns: int | None = None) -> None:
        self._max_columns = max_columns
        self._model: tuple[str, str] | None = None
        self._best: report.Report | None = None

    def add(self, result: report.Report) -> str:
        """Writes the line of a checkpoint, and what comes before the first one.

        Args:
            result: the report of the checkpoint, with metrics.

        Returns:
            The text.
        """
        lines = []
        model = (result.model, result.weights_table())
        if model != self._model:
            self._model, self._best = model, None
            names = [
                report.METRIC_NAMES[name].format(top_k=result.top_k)
                for name in _NAMES
            ]
            lines = [
                f"{result.model} of {result.train_dir}",
                "",
                result.weights_table(self._max_columns),
                "",
                _row(["step", *names]),
            ]
        is_best = (
            self._best is None
            or result.metrics["gap"] > self._best.metrics["gap"]
        )
        if is_best:
            self._best = result
        cells = [f"{result.step:,}"]
        for name in _NAMES:
            value = result.metrics[name]
            cells.append(
                f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
            )
        lines.append(_row(cells) + ("  best" if is_best else ""))
        return "\n".join(lines)

    def end(self) -> str:
        """Names the best checkpoint of all.

        Returns:
            A line; nothing where none was evaluated.
        """
        best = self._best
        if best is None:
            return ""
        return (
            f"best: GAP@{best.top_k} {best.metrics['gap']:.4f} at step "
            f"{best.step:,} (--checkpoint_step={best.step}, while it is kept)"
        )


def _row(cells: list[str]) -> str:
    return "".join(f"{cell:>{_WIDTH}}" for cell in cells)

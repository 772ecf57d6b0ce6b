"""What the evaluations of a run found: the best one, and whether to stop."""

from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
import json

import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import evaluations_file
from yt8m_compact.training import data_order

Evaluation = evaluations_file.Evaluation


class Evaluations:
    """The evaluations of a run's weights on data, and the file with all.

    All that early stopping and the best checkpoint need is computed from them,
    so that a run that continues goes on as if it had never stopped, and may go
    on by another metric or with other patience.

    Args:
        path: the file, `evaluations.json`.
        data: the data, from `describe_data`. What was found on other data is
            kept in the file, and compared with nothing.
        weights: which weights, "raw" or "ema"; what was found of others is kept
            likewise.

    Raises:
        ValueError: if the file holds anything else.
    """

    def __init__(self, path: str, data: str, weights: str = "raw") -> None:
        self._path = path
        self._data = data
        self._weights = weights
        self._all: list[Evaluation] = []
        if tf.io.gfile.exists(path):
            self._all = evaluations_file.read(path)

    def forget_after(self, step: int) -> None:
        """Forgets those of later steps, which will be done again."""
        self._all = [one for one in self._all if one.step <= step]

    def has(self, step: int) -> bool:
        """Whether a step was evaluated."""
        return any(one.step == step for one in self._own())

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds an evaluation, of a step after all others."""
        self._all.append(
            Evaluation(step, self._data, dict(metrics), self._weights)
        )

    def save(self) -> None:
        """Writes the file."""
        content = {
            "evaluations": [dataclasses.asdict(one) for one in self._all]
        }
        files_lib.write_json(self._path, content)

    @property
    def last(self) -> Evaluation:
        """The last one that was added."""
        return self._all[-1]

    def best(self, metric: str) -> Evaluation | None:
        """Returns the best by a metric, of equal ones the first."""
        sign = -1 if config_lib.BETTER[metric] else 1
        return min(
            self._own(),
            key=lambda one: sign * one.metrics[metric],
            default=None,
        )

    def since_best(self, metric: str) -> int:
        """Returns how many came after the best one."""
        own = self._own()
        best = self.best(metric)
        return len(own) - 1 - own.index(best) if own else 0

    def _own(self) -> list[Evaluation]:
        return [
            one
            for one in self._all
            if (one.data, one.weights) == (self._data, self._weights)
        ]


def describe_data(files: Sequence[str]) -> str:
    """Makes a short name of data, which is equal for the same files elsewhere.

    Args:
        files: their names.

    Returns:
        16 hexadecimal digits.
    """
    text = json.dumps(data_order.describe_files(files))
    return hashlib.sha256(text.encode()).hexdigest()[:16]

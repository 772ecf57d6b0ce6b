"""Models in memory, of runs and of presets."""

from __future__ import annotations

from collections.abc import Sequence
import functools
import os
from typing import TYPE_CHECKING

import keras

from yt8m_compact.api import class_names as class_names_lib
from yt8m_compact.api import classifier
from yt8m_compact.api import history as history_lib
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import report
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib

if TYPE_CHECKING:
    from matplotlib import figure as figure_lib


class TrainedModel(classifier.Classifier):
    """A model in memory: `load_run`, `load_preset` and `fit` give one.

    Example:
        >>> trained = yt8m.load_preset("yt8m_2018_video_100k")
        >>> trained.step, trained.model.name
        (1200, 'MlpModel')
        >>> trained.model({"features": np.zeros([2, 1152])}).shape
        TensorShape([2, 3862])

    Attributes:
        config: the configuration of its run.
        class_names: the name of each class; None where they are not known.
        model: the Keras model, from a dict of `features`, float32 `[batch,
            feature_dim]`, or of `frames` and `num_frames`, to probabilities
            float32 `[batch, num_classes]`.
        step: the step of its weights.
        train_dir: the folder of its run; None where `fit` was given none.
    """

    def __init__(
        self,
        config: config_lib.Config,
        model: keras.Model,
        step: int,
        *,
        train_dir: str | None = None,
        history: history_lib.History | None = None,
        class_names: class_names_lib.ClassNames | None = None,
    ) -> None:
        super().__init__(config, class_names)
        self.model = model
        self.step = step
        self.train_dir = train_dir
        self._history = history or history_lib.History({}, {})

    @property
    def history(self) -> history_lib.History:
        """What the run found while it trained; nothing of packed models."""
        return self._history

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        metrics: Sequence[str] = ("loss", "gap"),
    ) -> figure_lib.Figure:
        """Draws the run's metrics against its steps: `history.plot`."""
        return self.history.plot(path, metrics)

    def __repr__(self) -> str:
        """Says what it is."""
        where = "" if self.train_dir is None else f" of {self.train_dir}"
        return f"<{self.model.name}{where}, step {self.step}>"

    @functools.cached_property
    def _predictor(self) -> predictors.Predictor:
        return predictors.predictor_from_module(
            serving.ServingModule(self.config, self.model, top_k=1)
        )

    def _evaluate(self, evaluator: evaluation.Evaluator) -> report.Report:
        return evaluator.evaluate_model(self.config, self.model, self.step)

"""Models that were exported, open by their own runtimes."""

from __future__ import annotations

import functools

from yt8m_compact.api import class_names as class_names_lib
from yt8m_compact.api import classifier
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import report
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import predictors
from yt8m_compact.run import config as config_lib


class ExportedModel(classifier.Classifier):
    """What yt8m-export wrote, open to predict: `load` gives one.

    Example:
        >>> packed = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> exported = yt8m.load(packed)
        >>> exported.artefact.KIND, exported.config.data.num_classes
        ('a packed model', 3862)

    Attributes:
        config: the configuration of its run.
        class_names: the name of each class; None where they are not known.
        artefact: the file or folder, by its runtime.
    """

    def __init__(
        self,
        config: config_lib.Config,
        artefact: artefacts.Artefact,
        class_names: class_names_lib.ClassNames | None = None,
    ) -> None:
        super().__init__(config, class_names)
        self.artefact = artefact

    def __repr__(self) -> str:
        """Says what it is."""
        return f"<{self.artefact.KIND} of {self.artefact.path}>"

    @functools.cached_property
    def _predictor(self) -> predictors.Predictor:
        return predictors.predictor_from_model_file(self.config, self.artefact)

    def _evaluate(self, evaluator: evaluation.Evaluator) -> report.Report:
        return evaluator.evaluate_artefact(self.config, self.artefact)

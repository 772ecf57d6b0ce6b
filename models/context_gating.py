"""What models whose predictions can gate each other have in common."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextGatingConfig(
    frame_model.BatchNormConfig, frame_model.ClassifiedFramesConfig
):
    """Settings of a model whose classifier context gating can follow.

    References:
        Miech et al., https://arxiv.org/abs/1706.06905, section 2.2.
    """

    context_gating: bool = settings.setting(
        False, "Whether predictions gate each other: p * sigmoid(bn(p W))."
    )
    gating_projection: structures.Structure = model_config.structure_setting(
        "from values to their gates"
    )

    @property
    def _gating_structure(self) -> structures.Structure:
        """How the matrix from values to their gates is made."""
        return self.gating_projection

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.context_gating:
            unused["gating_projection"] = "context_gating"
        return unused

    def _classify_and_gate(
        self,
        x: keras.KerasTensor,
        num_classes: int,
        class_priors: np.ndarray | None,
    ) -> keras.KerasTensor:
        """Adds the classifier, and gates of its predictions if there are."""
        if not self.context_gating:
            return self._classify(x, num_classes, class_priors)
        if class_priors is not None:
            class_priors = classifiers.priors_before_gating(
                class_priors, num_classes
            )
        return classifiers.gate_context(
            self._classify(x, num_classes, class_priors, name="probabilities"),
            structure=self._gating_structure,
            batch_norm_momentum=self.batch_norm_momentum,
        )

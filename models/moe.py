"""MoeModel: a mixture of logistic experts on video-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

DEFAULT_NUM_MIXTURES = 2


def num_mixtures_setting(default: int = DEFAULT_NUM_MIXTURES) -> int:
    """Declares the field that sizes a mixture of experts."""
    return settings.setting(
        default,
        "Number of experts of each class in a mixture of experts; a dummy "
        "expert comes on top.",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoeConfig(model_config.ModelConfig):
    """Settings of MoeModel: `p_c = sum_m softmax(x @ G_c)_m sigmoid(e_cm)`.

    The starter code's MoeModel, whose gates and experts can be compact.

    Example:
        >>> config = yt8m.models.MoeConfig(classifier_projection="circulant")
        >>> model = config.build(feature_sizes=[1024], num_classes=100)
        >>> model.count_params()  # 1024 of gates, 1024 + 200 of experts
        2248
    """

    frame_features: ClassVar[bool] = False

    moe_num_mixtures: int = num_mixtures_setting()

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        features = keras.Input((sum(feature_sizes),), name="features")
        predictions = classifiers.classify_moe(
            self._normalize(features),
            num_classes=num_classes,
            class_priors=class_priors,
            num_mixtures=self.moe_num_mixtures,
            structure=self.classifier_projection,
            regularizer=self._classifier_regularizer(),
        )
        return keras.Model({"features": features}, predictions, name="MoeModel")

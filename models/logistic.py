"""LogisticModel: logistic regression on video-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogisticConfig(model_config.ModelConfig):
    """Settings of LogisticModel: `p = sigmoid(x @ W + b)`.

    The starter code's LogisticModel, whose `W` can be compact.

    Example:
        >>> config = yt8m.models.LogisticConfig(
        ...     classifier_projection="circulant"
        ... )
        >>> model = config.build(feature_sizes=[1024], num_classes=3862)
        >>> model.count_params()  # 4 * 1024 + 3862
        7958
    """

    frame_features: ClassVar[bool] = False

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        features = keras.Input((sum(feature_sizes),), name="features")
        predictions = classifiers.classify_logistic(
            self._normalize(features),
            num_classes=num_classes,
            class_priors=class_priors,
            structure=self.classifier_projection,
            regularizer=self._classifier_regularizer(),
        )
        return keras.Model(
            {"features": features}, predictions, name="LogisticModel"
        )

"""FrameLevelLogisticModel: logistic regression on the mean of the frames."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact.models import classifiers
from yt8m_compact.models import frame_model

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameLevelLogisticConfig(frame_model.FrameModelConfig):
    """Settings of FrameLevelLogisticModel: `p = sigmoid(mean_i v_i W + b)`.

    The starter code's model, whose `W` can be compact. The mean is that of the
    frames there are.

    Example:
        >>> config = yt8m.models.FrameLevelLogisticConfig()
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> frames = np.zeros([2, 30, 128], np.uint8)
        >>> model({"frames": frames, "num_frames": np.array([30, 7])}).shape
        TensorShape([2, 10])
    """

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        x = layers.FramePooling("average", name="pooling")([x, mask])
        predictions = classifiers.classify_logistic(
            x,
            num_classes=num_classes,
            class_priors=class_priors,
            structure=self.classifier_projection,
            regularizer=self._classifier_regularizer(),
        )
        return keras.Model(inputs, predictions, name="FrameLevelLogisticModel")

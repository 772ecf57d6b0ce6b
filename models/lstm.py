"""LstmModel: a stack of LSTM layers over the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact.models import recurrent

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class LstmConfig(recurrent.RecurrentConfig):
    """Settings of LstmModel: `h_t = lstm(v_t, h_{t-1})`, the last classified.

    The starter code's model. Its projections, of frames and of the state, can
    be compact.

    Example:
        >>> config = yt8m.models.LstmConfig(
        ...     lstm_cells=64,
        ...     lstm_layers=1,
        ...     embedding_projection="circulant",
        ...     recurrent_projection="circulant",
        ...     video_level_classifier_model="LogisticModel",
        ... )
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> model.count_params()  # 256 + 256 + 256 + 65 * 10
        1418
    """

    lstm_cells: int = settings.setting(
        1024, "Number of units of each LSTM layer.", minimum=1
    )
    lstm_layers: int = settings.setting(2, "Number of LSTM layers.", minimum=1)

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build(
            "LstmModel",
            keras_layer=keras.layers.LSTM,
            cell=layers.LstmCell,
            units=self.lstm_cells,
            num_layers=self.lstm_layers,
            feature_sizes=feature_sizes,
            num_classes=num_classes,
            class_priors=class_priors,
        )

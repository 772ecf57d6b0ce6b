"""GruModel: a stack of GRU layers over the frames of a video."""

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
class GruConfig(recurrent.RecurrentConfig):
    """Settings of GruModel: `h_t = gru(v_t, h_{t-1})`, the last classified.

    WILLOW's model (https://arxiv.org/abs/1706.06905, section 2.1), which
    classifies the states of all layers together; here it is the last one's.
    The reset gate comes after the product, as cuDNN has it.

    Example:
        >>> config = yt8m.models.GruConfig(
        ...     gru_cells=64,
        ...     gru_layers=1,
        ...     embedding_projection="circulant",
        ...     recurrent_projection="circulant",
        ...     video_level_classifier_model="LogisticModel",
        ... )
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> model.count_params()  # 256 + 192 + 2 * 192 + 65 * 10
        1482
    """

    gru_cells: int = settings.setting(
        1024, "Number of units of each GRU layer.", minimum=1
    )
    gru_layers: int = settings.setting(2, "Number of GRU layers.", minimum=1)

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build(
            "GruModel",
            keras_layer=keras.layers.GRU,
            cell=layers.GruCell,
            units=self.gru_cells,
            num_layers=self.gru_layers,
            feature_sizes=feature_sizes,
            num_classes=num_classes,
            class_priors=class_priors,
        )

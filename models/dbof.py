"""DbofModel: deep bag of frames, on frame-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import pooling_methods
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

_ACTIVATIONS = ("relu6", "sigmoid", "relu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DbofConfig(frame_model.FrameSetConfig, frame_model.FrameClassifierConfig):
    """Settings of DbofModel, the starter code's deep bag of frames.

    Each of `iterations` frames is projected to `dbof_cluster_size` values,
    which are pooled over the frames (`max_i {W v_i}`, section 3 of
    https://arxiv.org/abs/1810.01140), projected to `dbof_hidden_size` and
    classified. Each of the projections can be compact.
    """

    dbof_add_batch_norm: bool = settings.setting(
        True, "Whether DBoF uses batch normalisation instead of biases."
    )
    dbof_cluster_size: int = settings.setting(
        8192, "Number of units that DBoF projects each frame to.", minimum=1
    )
    dbof_hidden_size: int = settings.setting(
        1024, "Number of units of DBoF's layer after pooling.", minimum=1
    )
    dbof_pooling_method: str = settings.setting(
        "max",
        "How DBoF pools frames.",
        choices=pooling_methods.POOLING_METHODS,
    )
    dbof_activation: str = settings.setting(
        "relu6", "Activation of DBoF's two layers.", choices=_ACTIVATIONS
    )
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame to the clusters"
    )
    fc_projection: structures.Structure = model_config.structure_setting(
        "from the pooled clusters to the hidden layer"
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.dbof_add_batch_norm:
            unused["batch_norm_momentum"] = "dbof_add_batch_norm"
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        if self.dbof_add_batch_norm:
            x = self._batch_norm("input_bn")(x, mask=mask)
        x = self._layer(
            x,
            "embedding",
            self.embedding_projection,
            self.dbof_cluster_size,
            mask,
        )
        x = layers.FramePooling(self.dbof_pooling_method, name="pooling")(
            [x, mask]
        )
        x = self._layer(
            x, "fc", self.fc_projection, self.dbof_hidden_size, None
        )
        return keras.Model(
            inputs,
            self._classify(x, num_classes, class_priors),
            name="DbofModel",
        )

    def _layer(
        self,
        x: keras.KerasTensor,
        name: str,
        structure: structures.Structure,
        units: int,
        mask: keras.KerasTensor | None,
    ) -> keras.KerasTensor:
        x = layers.Projection(
            units, structure, use_bias=not self.dbof_add_batch_norm, name=name
        )(x)
        if self.dbof_add_batch_norm:
            x = self._batch_norm(f"{name}_bn")(x, mask=mask)
        return keras.layers.Activation(
            self.dbof_activation, name=f"{name}_activation"
        )(x)

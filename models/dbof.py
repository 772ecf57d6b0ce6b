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

    Example:
        >>> config = yt8m.models.DbofConfig(
        ...     dbof_cluster_size=8192,
        ...     dbof_hidden_size=512,
        ...     embedding_projection="diagonal_circulant",
        ...     fc_projection="diagonal_circulant",
        ...     classifier_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[1024], num_classes=3862)
        >>> model.count_params()  # 22,516,268 if dense
        99372
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
        x = self._pool(x, mask)
        x = layers.Projection(
            self.dbof_hidden_size,
            self.fc_projection,
            use_bias=not self.dbof_add_batch_norm,
            name="fc",
        )(x)
        if self.dbof_add_batch_norm:
            x = self._batch_norm("fc_bn")(x)
        x = self._activation("fc")(x)
        return keras.Model(
            inputs,
            self._classify(x, num_classes, class_priors),
            name="DbofModel",
        )

    def _pool(
        self, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Projects the frames to the clusters, and pools them."""
        embedding = (self.dbof_cluster_size, self.embedding_projection)
        if self.dbof_add_batch_norm:
            return self._pool_projected(
                self._frame_norm("input_bn")(x, mask=mask),
                mask,
                *embedding,
                names=("embedding", "embedding_bn"),
                activation=self.dbof_activation,
                pooling=self.dbof_pooling_method,
                input_gradient=True,
            )
        x = layers.Projection(*embedding, name="embedding")(x)
        x = self._activation("embedding")(x)
        return layers.FramePooling(self.dbof_pooling_method, name="pooling")(
            [x, mask]
        )

    def _activation(self, name: str) -> keras.layers.Activation:
        return keras.layers.Activation(
            self.dbof_activation, name=f"{name}_activation"
        )

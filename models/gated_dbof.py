"""GatedDbofModel: WILLOW's gated bag of frames, on frame-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact.models import model_config
from yt8m_compact.models import soft_dbof

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatedDbofConfig(soft_dbof.SoftDbofConfig):
    """Settings of GatedDbofModel, WILLOW's GatedDbofModelLF.

    The bag of the first feature is gated by the largest shares: with `s_k =
    sum_i a_k(x_i)` and `m_k = max_i a_k(x_i)` of unit length, it is `s
    sigmoid(bn(m A B))` of unit length, where `A B` goes through as many values
    as the feature has. The other features have soft bags, as in SoftDbofModel.

    Example:
        >>> config = yt8m.models.GatedDbofConfig(
        ...     dbof_cluster_size=64,
        ...     dbof_hidden_size=16,
        ...     embedding_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[32, 16], num_classes=10)
        >>> model.count_params()  # 9,044 if dense
        6948
    """

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        # The gates of the bag are projected, too.
        unused.pop("gating_projection", None)
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build_bag(
            "GatedDbofModel", feature_sizes, num_classes, class_priors
        )

    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        if number > 0:
            return super()._pool(number, x, mask)
        size = self.dbof_cluster_size
        clusters = self._cluster(number, x, mask, size)
        total = layers.SoftAssignmentPooling(
            "sum", normalize=False, name="sum_0"
        )([clusters, mask])
        gates = layers.SoftAssignmentPooling("max", name="max_0")(
            [clusters, mask]
        )
        for name, units in [("bag_narrow", x.shape[-1]), ("bag_gates", size)]:
            gates = layers.Projection(
                units, self.gating_projection, use_bias=False, name=name
            )(gates)
        gates = self._batch_norm("bag_gates_bn")(gates)
        gates = keras.layers.Activation("sigmoid", name="bag_gates_activation")(
            gates
        )
        bag = keras.layers.Multiply(name="bag_gated")([total, gates])
        return model_config.unit_normalization("bag")(bag)

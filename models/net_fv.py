"""NetFvModel: WILLOW's NetFV, on frame-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact.models import late_fusion

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetFvConfig(late_fusion.LateFusionConfig):
    """Settings of NetFvModel, WILLOW's NetFVModelLF.

    Frames become their mean and their spread around clusters, as a Fisher
    vector; see `layers.NetFisherVector`. Features after the first have half
    the clusters. `fv_couple_weights` ties the centres to what shares the
    frames out among the clusters.

    Example:
        >>> config = yt8m.models.NetFvConfig(
        ...     fv_cluster_size=8,
        ...     fv_hidden_size=64,
        ...     fc_projection="diagonal_circulant",
        ... )
        >>> model = config.build(feature_sizes=[32, 16], num_classes=10)
        >>> model.count_params()  # 45,636 if dense
        5956
    """

    fv_cluster_size: int = settings.setting(
        64,
        "Number of clusters of NetFV for the first feature; the others have "
        "half as many.",
        minimum=1,
    )
    fv_hidden_size: int = settings.setting(
        2048, "Number of units of NetFV's hidden layer.", minimum=1
    )
    fv_relu: bool = settings.setting(
        True,
        "Whether NetFV's hidden layer has batch normalisation and relu6; if "
        "not, it is linear.",
    )
    fv_couple_weights: bool = settings.setting(
        False,
        "Whether NetFV's centres are --fv_coupling_factor times the matrix of "
        "the clusters, not weights of their own.",
    )
    fv_coupling_factor: float = settings.setting(
        0.01, "What NetFV's coupled centres are multiplied by."
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.fv_couple_weights:
            unused["fv_coupling_factor"] = "fv_couple_weights"
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build(
            "NetFvModel",
            hidden_size=self.fv_hidden_size,
            relu=self.fv_relu,
            feature_sizes=feature_sizes,
            num_classes=num_classes,
            class_priors=class_priors,
        )

    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        size = self.fv_cluster_size
        size = size if number == 0 else max(size // 2, 1)
        project = self._cluster_projection(number, size)
        clusters = self._normalize_clusters(number, project(x), mask)
        name = f"netfv_{number}"
        if not self.fv_couple_weights:
            return layers.NetFisherVector(name=name)([x, clusters, mask])
        identity = layers.IdentityRows(name=f"identity_{number}")(x)
        return layers.NetFisherVector(self.fv_coupling_factor, name=name)(
            [x, clusters, mask, project(identity)]
        )

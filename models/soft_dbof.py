"""SoftDbofModel: WILLOW's soft bag of frames, on frame-level features."""

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

# Features after the first have so many times fewer clusters.
_FEWER = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftDbofConfig(late_fusion.LateFusionConfig):
    """Settings of SoftDbofModel, WILLOW's SoftDbofModelLF.

    Frames become how much of them belongs to each cluster, `sum_i a_k(x_i)`
    of unit length; see `layers.SoftAssignmentPooling`. Features after the
    first have an eighth of the clusters. `fc_dimred` turned off leaves the
    hidden layer out: the bags are classified themselves.

    Example:
        >>> config = yt8m.models.SoftDbofConfig(
        ...     dbof_cluster_size=64,
        ...     dbof_hidden_size=16,
        ...     embedding_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[32, 16], num_classes=10)
        >>> model.count_params()  # 4,692 if dense
        2596
    """

    dbof_cluster_size: int = settings.setting(
        16384,
        "Number of units that DBoF projects each frame to: with late fusion "
        "for the first feature, and an eighth of them for the others.",
        minimum=1,
    )
    dbof_hidden_size: int = settings.setting(
        2048, "Number of units of DBoF's layer after pooling.", minimum=1
    )
    dbof_relu: bool = settings.setting(
        True,
        "Whether the hidden layer has batch normalisation and relu6; if not, "
        "it is linear.",
    )
    fc_dimred: bool = settings.setting(
        True,
        "Whether there is a hidden layer between the bags and the classes.",
    )
    softdbof_maxpool: bool = settings.setting(
        False,
        "Whether a soft bag of frames has the maximum of the shares, too.",
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.fc_dimred:
            for name in (
                "dbof_hidden_size",
                "dbof_relu",
                "fc_projection",
                "gating",
            ):
                unused[name] = "fc_dimred"
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build_bag(
            "SoftDbofModel", feature_sizes, num_classes, class_priors
        )

    def _build_bag(
        self,
        name: str,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None,
    ) -> keras.Model:
        return self._build(
            name,
            hidden_size=self.dbof_hidden_size if self.fc_dimred else None,
            relu=self.dbof_relu,
            feature_sizes=feature_sizes,
            num_classes=num_classes,
            class_priors=class_priors,
        )

    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        size = self.dbof_cluster_size
        size = size if number == 0 else max(size // _FEWER, 1)
        clusters = self._cluster(number, x, mask, size)
        methods = ["sum", "max"] if self.softdbof_maxpool else ["sum"]
        pooled = [
            layers.SoftAssignmentPooling(method, name=f"{method}_{number}")(
                [clusters, mask]
            )
            for method in methods
        ]
        if len(pooled) == 1:
            return pooled[0]
        return keras.layers.Concatenate(name=f"bag_{number}")(pooled)

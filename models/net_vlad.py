"""NetVladModel: WILLOW's NetVLAD and NetRVLAD, on frame-level features."""

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
class NetVladConfig(late_fusion.LateFusionConfig):
    """Settings of NetVladModel, WILLOW's NetVLADModelLF.

    Frames become their residuals to the centres of clusters, `sum_i a_k(x_i)
    (x_i - c_k)`; see `layers.NetVlad`. Features after the first have half the
    clusters. `lightvlad` leaves the centres out (NetRVLAD), and `vlagd` has
    learned gates of the sums in their place; see `layers.NetVlagd`.

    Example:
        >>> config = yt8m.models.NetVladConfig(
        ...     netvlad_cluster_size=8,
        ...     netvlad_hidden_size=64,
        ...     fc_projection="diagonal_circulant",
        ... )
        >>> model = config.build(feature_sizes=[32, 16], num_classes=10)
        >>> model.count_params()  # 24,836 if dense
        4996
    """

    netvlad_cluster_size: int = settings.setting(
        64,
        "Number of clusters of NetVLAD for the first feature; the others have "
        "half as many.",
        minimum=1,
    )
    netvlad_hidden_size: int = settings.setting(
        1024, "Number of units of NetVLAD's hidden layer.", minimum=1
    )
    netvlad_relu: bool = settings.setting(
        True,
        "Whether NetVLAD's hidden layer has batch normalisation and relu6; if "
        "not, it is linear.",
    )
    lightvlad: bool = settings.setting(
        False, "Whether NetVLAD leaves out the centres (NetRVLAD)."
    )
    vlagd: bool = settings.setting(
        False,
        "Whether NetVLAD has learned gates in place of the centres (NetVLAGD).",
    )

    def check_options(self) -> None:
        """Refuses what was set and is not used, or can't be had together."""
        super().check_options()
        if self.lightvlad and self.vlagd:
            raise ValueError(
                f"{type(self).__name__}: expected lightvlad or vlagd, not both."
                " Received: lightvlad=True, vlagd=True"
            )

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        return self._build(
            "NetVladModel",
            hidden_size=self.netvlad_hidden_size,
            relu=self.netvlad_relu,
            feature_sizes=feature_sizes,
            num_classes=num_classes,
            class_priors=class_priors,
        )

    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        size = self.netvlad_cluster_size
        size = size if number == 0 else max(size // 2, 1)
        clusters = self._cluster(number, x, mask, size)
        if self.vlagd:
            return layers.NetVlagd(name=f"netvlad_{number}")(
                [x, clusters, mask]
            )
        return layers.NetVlad(
            residuals=not self.lightvlad, name=f"netvlad_{number}"
        )([x, clusters, mask])

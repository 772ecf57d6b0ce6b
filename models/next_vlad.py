"""NeXtVladModel: NetVLAD of groups of values, on frame-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextVladEncoderConfig(frame_model.FrameSetConfig):
    """Settings of what turns frames to a vector by NeXtVLAD.

    The frames of each feature, projected to `expansion` times their size, are
    pooled by `layers.NextVlad` and normalised, put side by side, projected to
    `h = bn(x U)`, and gated, `h sigmoid(relu(bn(h A)) B)`, with `A` to fewer
    units (squeeze and excitation). Features after the first have half the
    clusters and half the groups.
    """

    iterations: int = frame_model.iterations_setting(0)
    nextvlad_cluster_size: int = settings.setting(
        64,
        "Number of clusters of NeXtVLAD for the first feature; the others have "
        "half as many.",
        minimum=1,
    )
    nextvlad_hidden_size: int = settings.setting(
        1024, "Number of units of NeXtVLAD's hidden layer.", minimum=1
    )
    groups: int = settings.setting(
        8,
        "Number of groups that NeXtVLAD cuts the first feature to; the others "
        "have half as many.",
        minimum=1,
    )
    expansion: int = settings.setting(
        2, "How many times wider NeXtVLAD makes a frame first.", minimum=1
    )
    drop_rate: float = frame_model.drop_rate_setting(0.5)
    gating_reduction: int = settings.setting(
        8, "How many times fewer units NeXtVLAD's gates go through.", minimum=1
    )
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame to the clusters"
    )
    fc_projection: structures.Structure = model_config.structure_setting(
        "from the pooled clusters to the hidden layer"
    )
    gating_projection: structures.Structure = model_config.structure_setting(
        "from values to their gates"
    )

    def _check_groups(self, feature_sizes: Sequence[int]) -> None:
        for number, size in enumerate(feature_sizes):
            if size * self.expansion % self._halved(self.groups, number):
                raise ValueError(
                    f"{type(self).__name__}: expected groups that divide the "
                    "size of each feature times the expansion (half of the "
                    "groups after the first). Received: groups="
                    f"{self.groups}, expansion={self.expansion}, "
                    f"feature_sizes={list(feature_sizes)}"
                )

    def _halved(self, value: int, number: int) -> int:
        return value if number == 0 else max(value // 2, 1)

    def _encode(
        self,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
        feature_sizes: Sequence[int],
        prefix: str = "",
    ) -> keras.KerasTensor:
        """Adds the layers from frames to the gated hidden layer."""
        features = frame_model.split_features(x, feature_sizes)
        pooled = [
            self._pool(number, feature, mask, prefix)
            for number, feature in enumerate(features)
        ]
        x = pooled[0]
        if len(pooled) > 1:
            x = keras.layers.Concatenate(name=f"{prefix}pooled")(pooled)
        x = layers.RepeatableDropout(self.drop_rate, name=f"{prefix}dropout")(x)
        size = self.nextvlad_hidden_size
        x = self._normalized(x, self.fc_projection, size, f"{prefix}fc")
        gates = self._normalized(
            x,
            self.gating_projection,
            max(size // self.gating_reduction, 1),
            f"{prefix}squeeze",
        )
        gates = keras.layers.Activation(
            "relu", name=f"{prefix}squeeze_activation"
        )(gates)
        gates = layers.Projection(
            size,
            self.gating_projection,
            use_bias=False,
            name=f"{prefix}excitation",
        )(gates)
        gates = keras.layers.Activation(
            "sigmoid", name=f"{prefix}excitation_activation"
        )(gates)
        return keras.layers.Multiply(name=f"{prefix}gated")([x, gates])

    def _normalized(
        self,
        x: keras.KerasTensor,
        structure: structures.Structure,
        units: int,
        name: str,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        x = layers.Projection(units, structure, use_bias=False, name=name)(x)
        if mask is None:
            return self._batch_norm(f"{name}_bn")(x)
        return self._frame_norm(f"{name}_bn")(x, mask=mask)

    def _pool(
        self,
        number: int,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
        prefix: str,
    ) -> keras.KerasTensor:
        name = f"{prefix}nextvlad_{number}"
        structure = self.embedding_projection
        groups = self._halved(self.groups, number)
        num_clusters = self._halved(self.nextvlad_cluster_size, number)
        x = layers.Projection(
            self.expansion * x.shape[-1], structure, name=f"{name}_expansion"
        )(x)
        attention = layers.Projection(
            groups, structure, name=f"{name}_attention"
        )(x)
        clusters = self._normalized(
            x, structure, groups * num_clusters, f"{name}_clusters", mask
        )
        pooled = layers.NextVlad(groups, name=name)(
            [x, clusters, attention, mask]
        )
        return self._batch_norm(f"{name}_bn")(pooled)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextVladConfig(NextVladEncoderConfig, frame_model.FrameClassifierConfig):
    """Settings of NeXtVladModel, the third of the challenge of 2018.

    NeXtVLAD with squeeze-and-excitation gating, and a video-level model.

    Example:
        >>> config = yt8m.models.NextVladConfig(
        ...     nextvlad_cluster_size=8,
        ...     nextvlad_hidden_size=16,
        ...     groups=4,
        ...     fc_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[32], num_classes=10)
        >>> model.count_params()  # 7,542 if dense
        5622

    References:
        Lin et al., https://arxiv.org/abs/1811.05014.
    """

    video_level_classifier_model: str = frame_model.classifier_setting(
        "LogisticModel"
    )

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        self._check_groups(feature_sizes)
        inputs, x, mask = self._read_frames(feature_sizes)
        x = self._encode(x, mask, feature_sizes)
        return keras.Model(
            inputs,
            self._classify(x, num_classes, class_priors),
            name="NeXtVladModel",
        )

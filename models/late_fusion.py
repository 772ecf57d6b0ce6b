"""What WILLOW's models have in common: features pooled apart, fused late."""

from __future__ import annotations

import abc
from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import context_gating
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class LateFusionConfig(
    frame_model.FrameSetConfig,
    frame_model.FrameClassifierConfig,
    context_gating.ContextGatingConfig,
):
    """Settings of a model of WILLOW, the winners of the challenge of 2017.

    Frames are normalised, and each feature is pooled by itself, the first one
    with the given number of clusters, the others with fewer. What was pooled
    is put side by side, goes through one hidden layer, `h = relu6(bn(x U))`,
    and is classified. Context gating, `h sigmoid(bn(h G))`, can follow the
    hidden layer and the classifier.

    References:
        Miech et al., https://arxiv.org/abs/1706.06905.
    """

    gating: bool = settings.setting(
        False, "Whether the hidden units gate each other: h * sigmoid(bn(h G))."
    )
    gating_remove_diag: bool = settings.setting(
        False,
        "Whether no value gates itself: the gates' matrix, which must be "
        "dense, has no diagonal.",
    )
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame to the clusters"
    )
    fc_projection: structures.Structure = model_config.structure_setting(
        "from the pooled clusters to the hidden layer"
    )

    def check_options(self) -> None:
        """Refuses what was set and is not used, or can't be had together."""
        super().check_options()
        if self.gating_remove_diag and not isinstance(
            self.gating_projection, structures.Dense
        ):
            raise ValueError(
                f"{type(self).__name__}: expected gating_projection=dense with "
                "gating_remove_diag: the diagonal of a compact matrix is not "
                "made of weights of its own. Received: gating_projection="
                f"{self.gating_projection}, gating_remove_diag=True"
            )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.gating and not self.context_gating:
            needs = "gating=True or context_gating=True"
            unused["gating_remove_diag"] = needs
            unused["gating_projection"] = needs
        elif self.gating:  # The gates of the hidden units are projected, too.
            unused.pop("gating_projection", None)
        return unused

    @abc.abstractmethod
    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Pools the frames of a feature, by its number, to `[batch, size]`."""

    def _build(
        self,
        name: str,
        *,
        hidden_size: int | None,
        relu: bool,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        x = self._frame_norm("input_bn")(x, mask=mask)
        features = frame_model.split_features(x, feature_sizes)
        pooled = [
            self._pool(number, feature, mask)
            for number, feature in enumerate(features)
        ]
        x = pooled[0]
        if len(pooled) > 1:
            x = keras.layers.Concatenate(name="pooled")(pooled)
        if hidden_size is not None:
            x = layers.Projection(
                hidden_size, self.fc_projection, use_bias=not relu, name="fc"
            )(x)
            if relu:
                x = self._batch_norm("fc_bn")(x)
                x = keras.layers.Activation("relu6", name="fc_activation")(x)
        if self.gating:
            x = classifiers.gate_context(
                x,
                structure=self._gating_structure,
                batch_norm_momentum=self.batch_norm_momentum,
                name="fc_gating",
                output_name="fc_gated",
                dtype=None,
            )
        return keras.Model(
            inputs,
            self._classify_and_gate(x, num_classes, class_priors),
            name=name,
        )

    @property
    def _gating_structure(self) -> structures.Structure:
        if self.gating_remove_diag:
            return structures.Dense(zero_diagonal=True)
        return self.gating_projection

    def _cluster(
        self,
        number: int,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
        num_clusters: int,
    ) -> keras.KerasTensor:
        """Projects the frames of a feature to its clusters."""
        return self._normalize_clusters(
            number, self._cluster_projection(number, num_clusters)(x), mask
        )

    def _cluster_projection(
        self, number: int, num_clusters: int
    ) -> layers.Projection:
        return layers.Projection(
            num_clusters,
            self.embedding_projection,
            use_bias=False,
            name=f"clusters_{number}",
        )

    def _normalize_clusters(
        self, number: int, clusters: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        return self._frame_norm(f"clusters_{number}_bn")(clusters, mask=mask)

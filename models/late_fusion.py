"""What WILLOW's models have in common: features pooled apart, fused late."""

import abc
from collections.abc import Sequence
import dataclasses

import keras

from yt8m_compact import settings
from yt8m_compact.models import classifiers
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class LateFusionConfig(
    frame_model.FrameSetConfig, frame_model.FrameClassifierConfig
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
    context_gating: bool = settings.setting(
        False, "Whether predictions gate each other: p * sigmoid(bn(p W))."
    )
    embedding_projection: str = model_config.projection_setting(
        "from a frame to the clusters"
    )
    fc_projection: str = model_config.projection_setting(
        "from the pooled clusters to the hidden layer"
    )
    gating_projection: str = model_config.projection_setting(
        "from values to their gates"
    )

    @abc.abstractmethod
    def _pool(
        self, number: int, x: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Pools the frames of a feature, by its number, to `[batch, size]`."""

    def _build(
        self,
        name: str,
        *,
        hidden_size: int,
        relu: bool,
        feature_sizes: Sequence[int],
        num_classes: int,
    ) -> keras.Model:
        self._check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        x = self._batch_norm("input_bn")(x, mask=mask)
        features = frame_model.split_features(x, feature_sizes)
        pooled = [
            self._pool(number, feature, mask)
            for number, feature in enumerate(features)
        ]
        x = pooled[0]
        if len(pooled) > 1:
            x = keras.layers.Concatenate(name="pooled")(pooled)
        x = self._project(
            x, self.fc_projection, hidden_size, use_bias=not relu, name="fc"
        )
        if relu:
            x = self._batch_norm("fc_bn")(x)
            x = keras.layers.Activation("relu6", name="fc_activation")(x)
        if self.gating:
            x = self._gate(x, "fc_gating", "fc_gated")
        if not self.context_gating:
            return keras.Model(
                inputs, self._classify(x, num_classes), name=name
            )
        x = self._classify(x, num_classes, name="probabilities")
        predictions = self._gate(
            x, classifiers.GATING, classifiers.PREDICTIONS, dtype="float32"
        )
        return keras.Model(inputs, predictions, name=name)

    def _gate(
        self,
        x: keras.KerasTensor,
        name: str,
        output_name: str,
        dtype: str | None = None,
    ) -> keras.KerasTensor:
        return classifiers.gate_context(
            x,
            projection=self.gating_projection,
            options=model_config.projection_options(
                self, self.gating_projection
            ),
            batch_norm_momentum=self.batch_norm_momentum,
            name=name,
            output_name=output_name,
            dtype=dtype,
        )

    def _cluster(
        self,
        number: int,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
        num_clusters: int,
    ) -> keras.KerasTensor:
        """Projects the frames of a feature to its clusters."""
        clusters = self._project(
            x,
            self.embedding_projection,
            num_clusters,
            use_bias=False,
            name=f"clusters_{number}",
        )
        return self._batch_norm(f"clusters_{number}_bn")(clusters, mask=mask)

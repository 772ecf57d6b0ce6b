"""DbofModel: deep bag of frames, on frame-level features."""

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import keras

from yt8m_compact import layers
from yt8m_compact import settings
from yt8m_compact.layers import frame_pooling
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config
from yt8m_compact.models import moe

# The video-level models that can follow the pooled frames.
_CLASSIFIERS = ("MoeModel", "LogisticModel")
_ACTIVATIONS = ("relu6", "sigmoid", "relu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DbofConfig(model_config.ModelConfig):
    """Settings of DbofModel, the starter code's deep bag of frames.

    Each of `iterations` frames is projected to `dbof_cluster_size` values,
    which are pooled over the frames (`max_i {W v_i}`, section 3 of
    https://arxiv.org/abs/1810.01140), projected to `dbof_hidden_size` and
    classified. Each of the projections can be compact.
    """

    frame_features: ClassVar[bool] = True

    iterations: int = settings.setting(
        30,
        "Number of frames of each video that the model looks at: random ones "
        "in training, evenly spaced ones otherwise; 0 is all of them.",
        minimum=0,
    )
    sample_random_frames: bool = settings.setting(
        True,
        "Whether training samples single frames; if false, it samples a run "
        "of consecutive frames.",
    )
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
        choices=frame_pooling.POOLING_METHODS,
    )
    dbof_activation: str = settings.setting(
        "relu6", "Activation of DBoF's two layers.", choices=_ACTIVATIONS
    )
    batch_norm_momentum: float = model_config.batch_norm_momentum_setting()
    video_level_classifier_model: str = settings.setting(
        "MoeModel", "Classifier of the pooled frames.", choices=_CLASSIFIERS
    )
    moe_num_mixtures: int = moe.num_mixtures_setting()
    embedding_projection: str = model_config.projection_setting(
        "from a frame to the clusters"
    )
    fc_projection: str = model_config.projection_setting(
        "from the pooled clusters to the hidden layer"
    )

    @property
    def num_sampled_frames(self) -> int | None:
        """How many frames of a video the model looks at; None is all."""
        return self.iterations or None

    @property
    def samples_random_frames(self) -> bool:
        """Whether training samples single frames, not runs of frames."""
        return self.sample_random_frames

    def build(
        self, *, feature_sizes: Sequence[int], num_classes: int
    ) -> keras.Model:
        self._check_options()
        frames = keras.Input(
            (None, sum(feature_sizes)), dtype="uint8", name="frames"
        )
        num_frames = keras.Input((), dtype="int32", name="num_frames")
        mask = layers.FrameMask(name="frame_mask")([frames, num_frames])
        x = self._normalize(layers.Dequantize(name="dequantize")(frames))
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
            {"frames": frames, "num_frames": num_frames},
            self._classify(x, num_classes),
            name="DbofModel",
        )

    def _batch_norm(self, name: str) -> keras.layers.BatchNormalization:
        return keras.layers.BatchNormalization(
            momentum=self.batch_norm_momentum, name=name
        )

    def _layer(
        self,
        x: keras.KerasTensor,
        name: str,
        projection: str,
        units: int,
        mask: keras.KerasTensor | None,
    ) -> keras.KerasTensor:
        x = self._project(
            x,
            projection,
            units,
            use_bias=not self.dbof_add_batch_norm,
            name=name,
        )
        if self.dbof_add_batch_norm:
            x = self._batch_norm(f"{name}_bn")(x, mask=mask)
        return keras.layers.Activation(
            self.dbof_activation, name=f"{name}_activation"
        )(x)

    def _classify(
        self, x: keras.KerasTensor, num_classes: int
    ) -> keras.KerasTensor:
        regularizer = self._classifier_regularizer()
        options = model_config.projection_options(
            self, self.classifier_projection
        )
        if self.video_level_classifier_model == "LogisticModel":
            return classifiers.classify_logistic(
                x,
                num_classes=num_classes,
                projection=self.classifier_projection,
                options=options,
                regularizer=regularizer,
            )
        return classifiers.classify_moe(
            x,
            num_classes=num_classes,
            num_mixtures=self.moe_num_mixtures,
            projection=self.classifier_projection,
            options=options,
            regularizer=regularizer,
        )

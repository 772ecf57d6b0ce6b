"""MlpModel: a multilayer perceptron of video-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class MlpConfig(model_config.ModelConfig):
    """Settings of MlpModel: `p = sigmoid(h_L @ W + b)`.

    Hidden layers `h_l = dropout(relu(bn(h_{l-1} @ W_l)))`, from the features
    with some of them dropped, and a logistic classifier. Each `W_l`, and `W`,
    can be compact, and of few bits: with a teacher, this is the model of the
    smallest files. With `unit_penalty`, gates are between `relu` and `dropout`.

    Example:
        >>> config = yt8m.models.MlpConfig(
        ...     mlp_hidden_size=512, hidden_projection="low_rank(rank=16)"
        ... )
        >>> model = config.build(feature_sizes=[1024, 128], num_classes=100)
        >>> model.count_params()  # 16 (1152 + 512) + 4 * 512 + 513 * 100
        79972
    """

    frame_features: ClassVar[bool] = False

    mlp_input_sizes: tuple[int, ...] = settings.setting(
        (),
        "How many of the first values of each feature are looked at, "
        "comma-separated, such as 512,128; all if not given. Those of "
        "YouTube-8M are principal components, and the last ones say little.",
        minimum=1,
    )
    mlp_hidden_size: int = settings.setting(
        1024, "Number of units of each hidden layer.", minimum=1
    )
    mlp_layers: int = settings.setting(
        1, "Number of hidden layers before the classifier.", minimum=1
    )
    drop_rate: float = frame_model.drop_rate_setting(0.5)
    input_drop_rate: float = settings.setting(
        0.0,
        "Share of the features that dropout sets to zero in training.",
        minimum=0.0,
        maximum=0.99,
    )
    batch_norm_momentum: float = frame_model.batch_norm_momentum_setting()
    hidden_projection: structures.Structure = model_config.structure_setting(
        "of each layer before the classifier"
    )
    unit_penalty: float = settings.setting(
        0.0,
        "Weight of the penalty of gates of the hidden units, which learn in "
        "training which of them are needed (a variational information "
        "bottleneck); 0 is no gates. yt8m-compress drops the others.",
        minimum=0.0,
    )

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        features = keras.Input((sum(feature_sizes),), name="features")
        x = self._normalize(features)
        if self.mlp_input_sizes:
            x = layers.LeadingValues(
                feature_sizes, self.mlp_input_sizes, name="leading_values"
            )(x)
        if self.input_drop_rate:
            x = layers.RepeatableDropout(
                self.input_drop_rate, name="input_dropout"
            )(x)
        for index in range(self.mlp_layers):
            x = self._add_hidden(index, x)
        predictions = classifiers.classify_logistic(
            x,
            num_classes=num_classes,
            class_priors=class_priors,
            structure=self.classifier_projection,
            regularizer=self._classifier_regularizer(),
        )
        return keras.Model({"features": features}, predictions, name="MlpModel")

    def _add_hidden(
        self, index: int, x: keras.KerasTensor
    ) -> keras.KerasTensor:
        x = layers.Projection(
            self.mlp_hidden_size,
            self.hidden_projection,
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"hidden_{index}",
        )(x)
        x = layers.BatchNormalization(
            momentum=self.batch_norm_momentum,
            name=f"hidden_{index}_bn",
        )(x)
        x = keras.layers.Activation("relu", name=f"hidden_{index}_relu")(x)
        if self.unit_penalty:
            x = layers.InformationBottleneck(
                self.unit_penalty * self.regularization_penalty,
                name=f"hidden_{index}_gates",
            )(x)
        if self.drop_rate:
            x = layers.RepeatableDropout(
                self.drop_rate, name=f"hidden_{index}_dropout"
            )(x)
        return x

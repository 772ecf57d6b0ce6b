"""DeepCirculantModel: a deep net of D C layers, on video-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

_INITIALIZATIONS = ("variance", "paper")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepCirculantConfig(model_config.ModelConfig):
    """Settings of DeepCirculantModel, a deep diagonal-circulant network.

    `x_l = leaky_relu(x_{l-1} D_l C_l + b_l)` for `num_layers` layers of the
    size of the input, and a logistic classifier, by default of one `D C` as
    well: a square one of the size of the classes over the input with zeros
    behind it. With n inputs, C classes and L layers that is `3 n L + 3 C`
    weights. Araujo et al., Understanding and training deep diagonal circulant
    neural networks, https://arxiv.org/abs/1901.10255.

    Example:
        >>> config = yt8m.models.DeepCirculantConfig(num_layers=2)
        >>> model = config.build(feature_sizes=[1024, 128], num_classes=3862)
        >>> model.count_params()  # 3 (2 * 1152 + 3862)
        18498
    """

    frame_features: ClassVar[bool] = False

    num_layers: int = settings.setting(
        4, "Number of layers before the classifier.", minimum=1
    )
    hidden_projection: structures.Structure = model_config.structure_setting(
        "of each layer before the classifier", default="diagonal_circulant"
    )
    classifier_projection: structures.Structure = (
        model_config.structure_setting(
            "from the video's representation to the classes",
            default="diagonal_circulant(pad_input=True)",
            lists=True,
        )
    )
    leaky_relu_slope: float = settings.setting(
        0.5,
        "Slope of the activation for negative values; 0 is ReLU, which trains "
        "few layers only, 1 is none.",
        minimum=0.0,
        maximum=1.0,
    )
    activation_every: int = settings.setting(
        1, "Every so many layers there is an activation.", minimum=1
    )
    initialization: str = settings.setting(
        "variance",
        "How the layers start: variance keeps the variance of their inputs at "
        "any slope; paper draws circulants from N(0, 2 / n), which keeps it "
        "for ReLU.",
        choices=_INITIALIZATIONS,
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if self.activation_every > self.num_layers:
            unused["leaky_relu_slope"] = "activation_every up to num_layers"
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        size = sum(feature_sizes)
        features = keras.Input((size,), name="features")
        x = self._normalize(features)
        for index in range(self.num_layers):
            activates = (index + 1) % self.activation_every == 0
            x = layers.Projection(
                size,
                self.hidden_projection,
                kernel_initializer=self._initializer(activates),
                name=f"hidden_{index}",
            )(x)
            if activates:
                x = keras.layers.LeakyReLU(
                    self.leaky_relu_slope, name=f"activation_{index}"
                )(x)
        predictions = classifiers.classify_logistic(
            x,
            num_classes=num_classes,
            class_priors=class_priors,
            structure=self.classifier_projection,
            regularizer=self._classifier_regularizer(),
        )
        return keras.Model(
            {"features": features}, predictions, name="DeepCirculantModel"
        )

    def _initializer(self, activates: bool) -> keras.initializers.Initializer:
        # The mean square of leaky_relu(x) is (1 + slope^2) / 2 of that of x.
        gain = 2.0
        if self.initialization == "variance":
            gain = 2 / (1 + self.leaky_relu_slope**2) if activates else 1.0
        return keras.initializers.VarianceScaling(
            gain, mode="fan_in", distribution="untruncated_normal"
        )

"""MixNeXtVladModel: NeXtVLADs that learn from their mixture."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact.models import classifiers
from yt8m_compact.models import next_vlad

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers
    from yt8m_compact.models import distilled_model


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixNextVladConfig(next_vlad.NextVladEncoderConfig):
    """Settings of MixNeXtVladModel: a mixture with on-the-fly distillation.

    `mix_number` NeXtVLADs with a logistic classifier each, whose logits are
    mixed by gates that look at the mean frame: `p = sigmoid(sum_n
    softmax(bn(mean_i v_i) G)_n z_n)`. In training, each classifier learns the
    labels and, at a temperature, the mixture; see `layers.LogitMixture`.

    Example:
        >>> config = yt8m.models.MixNextVladConfig(
        ...     mix_number=2,
        ...     nextvlad_cluster_size=8,
        ...     nextvlad_hidden_size=16,
        ...     groups=4,
        ...     fc_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[32], num_classes=10)
        >>> model.count_params()  # 15,278 if dense
        11438

    References:
        Lin et al., https://arxiv.org/abs/1811.05014, section 3.3.
    """

    mix_number: int = settings.setting(
        3, "Number of NeXtVLADs that are mixed.", minimum=1
    )
    cl_temperature: float = settings.setting(
        3.0,
        "Temperature at which the parts of a mixture learn from it.",
        above=0.0,
    )
    cl_lambda: float = settings.setting(
        9.0,
        "Weight of what the parts of a mixture learn from it; the paper's is "
        "the square of the temperature.",
        minimum=0.0,
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if self.mix_number == 1:  # The mixture is its only part.
            unused["cl_temperature"] = "mix_number above 1"
            unused["cl_lambda"] = "mix_number above 1"
        elif not self.cl_lambda:
            unused["cl_temperature"] = "cl_lambda above 0"
        return unused

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
        mean = layers.FramePooling("average", name="mean")([x, mask])
        gates = layers.Projection(
            self.mix_number, self.gating_projection, name="mixture_gates"
        )(self._batch_norm("mean_bn")(mean))
        logits = []
        for number in range(self.mix_number):
            prefix = f"branch_{number}_"
            logits.append(
                layers.Projection(
                    num_classes,
                    self.classifier_projection,
                    bias_initializer=classifiers.bias_initializer(
                        class_priors, num_classes
                    ),
                    kernel_regularizer=self._classifier_regularizer(),
                    name=f"{prefix}classifier",
                )(self._encode(x, mask, feature_sizes, prefix))
            )
        predictions = layers.LogitMixture(
            self.cl_temperature,
            self.cl_lambda,
            dtype="float32",
            name=classifiers.PREDICTIONS,
        )([gates, *logits])
        return distilled_model.DistilledModel(
            inputs, predictions, name="MixNeXtVladModel"
        )

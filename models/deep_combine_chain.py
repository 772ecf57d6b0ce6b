"""DeepCombineChainModel: a chain of mixtures on video-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config
from yt8m_compact.models import moe

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers
    from yt8m_compact.models import distilled_model

_ACTIVATIONS = ("relu", "elu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepCombineChainConfig(model_config.ModelConfig):
    """Settings of DeepCombineChainModel, a chain of mixtures of experts.

    Every classifier sees the features and what those before it predict, so
    that labels that come together are learnt together: from `x_0`, the
    features, `p_l = moe_l(x_l)` and `x_{l+1} = [x_l, h_l / |h_l|]` with `h_l =
    relu(p_l U_l + b_l)`. The last one, after `deep_chain_layers` others,
    predicts. In training all learn the labels; see `layers.EndOfChain`.

    Example:
        >>> config = yt8m.models.DeepCombineChainConfig(
        ...     deep_chain_layers=1, deep_chain_relu_cells=4
        ... )
        >>> model = config.build(feature_sizes=[16], num_classes=5)
        >>> model.count_params()  # 16 * 25 + 10, 5 * 4 + 4, and 20 * 25 + 10
        944

    References:
        Wang et al., https://arxiv.org/abs/1706.05150, "Chaining", and their
        code, https://github.com/wangheda/youtube-8m.
    """

    frame_features: ClassVar[bool] = False

    moe_num_mixtures: int = moe.num_mixtures_setting()
    deep_chain_layers: int = settings.setting(
        3,
        "Number of classifiers of a chain before the last one.",
        minimum=1,
    )
    deep_chain_relu_cells: int = settings.setting(
        200,
        "Number of hidden units that tell the next classifiers of a chain what "
        "one has predicted.",
        minimum=1,
    )
    deep_chain_relu_type: str = settings.setting(
        "relu", "Activation of these hidden units.", choices=_ACTIVATIONS
    )
    support_loss_percent: float = settings.setting(
        0.1,
        "Share of the loss that is that of the classifiers of a chain before "
        "the last one, from 0 to 1.",
        minimum=0.0,
        maximum=1.0,
    )
    chain_projection: structures.Structure = model_config.structure_setting(
        "from what a classifier of a chain predicts to hidden units"
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
        predictions = []
        for number in range(self.deep_chain_layers + 1):
            prefix = f"chain_{number}_"
            predictions.append(
                classifiers.classify_moe(
                    x,
                    num_classes=num_classes,
                    class_priors=class_priors,
                    num_mixtures=self.moe_num_mixtures,
                    structure=self.classifier_projection,
                    regularizer=self._classifier_regularizer(),
                    prefix=prefix,
                )
            )
            if number < self.deep_chain_layers:
                x = self._append_hidden(x, predictions[-1], prefix)
        outputs = layers.EndOfChain(
            self.support_loss_percent,
            dtype="float32",
            name=classifiers.PREDICTIONS,
        )(predictions)
        return distilled_model.DistilledModel(
            {"features": features}, outputs, name="DeepCombineChainModel"
        )

    def _append_hidden(
        self, x: keras.KerasTensor, predictions: keras.KerasTensor, prefix: str
    ) -> keras.KerasTensor:
        hidden = layers.Projection(
            self.deep_chain_relu_cells,
            self.chain_projection,
            activation=self.deep_chain_relu_type,
            kernel_regularizer=self._classifier_regularizer(),
            name=f"{prefix}hidden",
        )(predictions)
        hidden = layers.UnitDirection(name=f"{prefix}unit")(hidden)
        return keras.layers.Concatenate(name=f"{prefix}input")([x, hidden])

"""AttentionModel: attention of each class over frames."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

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
class AttentionConfig(frame_model.FrameSetConfig):
    """Settings of AttentionModel: decision-level attention pooling.

    Each frame goes through `attention_layers` layers, `relu(bn(x W))`, is
    classified, and counts for each class as much as an attention of the class
    says: `p_c = sum_i softmax_i(v_ic) sigmoid(u_ic)`; see
    `layers.DecisionAttention`. Memory grows with frames times classes.

    Example:
        >>> config = yt8m.models.AttentionConfig(
        ...     attention_layers=1,
        ...     attention_hidden_size=64,
        ...     embedding_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> model.count_params()  # 128 + 4 * 64 + 2 * 65 * 10
        1684

    References:
        Kong et al., https://arxiv.org/abs/1711.00927.
        Kong et al., https://arxiv.org/abs/1903.00765.
    """

    attention_layers: int = settings.setting(
        3, "Number of layers before AttentionModel's attention.", minimum=0
    )
    attention_hidden_size: int = settings.setting(
        1024, "Number of units of each of AttentionModel's layers.", minimum=1
    )
    attention_heads: int = settings.setting(
        1,
        "Number of attentions of each class, whose results are averaged.",
        minimum=1,
    )
    drop_rate: float = frame_model.drop_rate_setting(0.5)
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame, or the layer below, to a hidden layer"
    )
    attention_projection: structures.Structure = model_config.structure_setting(
        "from frames to what attention compares"
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.attention_layers:
            for name in (
                "attention_hidden_size",
                "batch_norm_momentum",
                "drop_rate",
                "embedding_projection",
            ):
                unused[name] = "attention_layers above 0"
        return unused

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        for index in range(self.attention_layers):
            name = f"embedding_{index}"
            x = layers.Projection(
                self.attention_hidden_size,
                self.embedding_projection,
                use_bias=False,
                name=name,
            )(x)
            x = self._frame_norm(f"{name}_bn", "relu")(x, mask=mask)
            x = layers.RepeatableDropout(
                self.drop_rate, name=f"{name}_dropout"
            )(x)
        units = num_classes * self.attention_heads
        attention = layers.Projection(
            units, self.attention_projection, name="attention"
        )(x)
        decisions = layers.Projection(
            units,
            self.classifier_projection,
            bias_initializer=classifiers.bias_initializer(
                class_priors, num_classes
            ),
            kernel_regularizer=self._classifier_regularizer(),
            name="classifier",
        )(x)
        predictions = layers.DecisionAttention(
            self.attention_heads, dtype="float32", name=classifiers.PREDICTIONS
        )([attention, decisions, mask])
        return keras.Model(inputs, predictions, name="AttentionModel")

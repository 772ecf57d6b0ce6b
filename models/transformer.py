"""TransformerModel: a small transformer over the frames of a video."""

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

_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(frame_model.FrameClassifierConfig):
    """Settings of TransformerModel: pre-norm layers, and the mean frame.

    Frames are projected, normalised, and get their positions; each layer adds
    `attention(norm(x))` and then `gelu(norm(x) A) B`; the mean over the frames
    of the normalised result is classified. It reads all frames of a video, up
    to the reader's `max_frames`.

    Example:
        >>> config = yt8m.models.TransformerConfig(
        ...     transformer_layers=1,
        ...     transformer_head_size=32,  # of 4 heads: frames of 128 values
        ...     transformer_hidden_size=256,
        ...     embedding_projection="circulant",
        ...     attention_projection="circulant",
        ...     fc_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> model.count_params()  # 150,794 if dense
        4490

    References:
        Vaswani et al., https://arxiv.org/abs/1706.03762.
        Xiong et al., https://arxiv.org/abs/2002.04745 (normalising first).
    """

    transformer_layers: int = settings.setting(
        2, "Number of the transformer's layers.", minimum=0
    )
    transformer_heads: int = settings.setting(
        4, "Number of heads of the transformer's attention.", minimum=1
    )
    transformer_head_size: int = settings.setting(
        64,
        "Values of a frame for each head; their product with the heads is the "
        "size of a frame within the transformer.",
        minimum=1,
    )
    transformer_hidden_size: int = settings.setting(
        1024, "Number of hidden units of each layer, for each frame.", minimum=1
    )
    drop_rate: float = frame_model.drop_rate_setting(0.1)
    video_level_classifier_model: str = frame_model.classifier_setting(
        "LogisticModel"
    )
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame to the transformer's size"
    )
    attention_projection: structures.Structure = model_config.structure_setting(
        "from frames to what attention compares"
    )
    fc_projection: structures.Structure = model_config.structure_setting(
        "to and from the hidden units of each layer"
    )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.transformer_layers:
            for name in (
                "attention_projection",
                "drop_rate",
                "fc_projection",
                "transformer_hidden_size",
            ):
                unused[name] = "transformer_layers above 0"
        return unused

    @property
    def _size(self) -> int:
        """Size of a frame within the transformer."""
        return self.transformer_heads * self.transformer_head_size

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        size = self._size
        x = layers.Projection(
            size, self.embedding_projection, name="embedding"
        )(x)
        x = _norm("embedding_norm")(x)
        x = layers.FramePositions(name="positions")(x)
        for index in range(self.transformer_layers):
            name = f"layer_{index}"
            collected = self._attend(_norm(f"{name}_norm")(x), mask, name)
            x = self._add(x, collected, f"{name}_attention")
            hidden = layers.Projection(
                self.transformer_hidden_size,
                self.fc_projection,
                activation="gelu",
                name=f"{name}_hidden",
            )(_norm(f"{name}_hidden_norm")(x))
            hidden = layers.Projection(
                size, self.fc_projection, name=f"{name}_narrow"
            )(hidden)
            x = self._add(x, hidden, f"{name}_hidden")
        x = _norm("norm")(x)
        x = layers.FramePooling("average", name="pooling")([x, mask])
        return keras.Model(
            inputs,
            self._classify(x, num_classes, class_priors),
            name="TransformerModel",
        )

    def _attend(
        self, x: keras.KerasTensor, mask: keras.KerasTensor, name: str
    ) -> keras.KerasTensor:
        projected = [
            layers.Projection(
                self._size, self.attention_projection, name=f"{name}_{part}"
            )(x)
            for part in ("queries", "keys", "values")
        ]
        x = layers.FrameAttention(
            self.transformer_heads, name=f"{name}_attention"
        )([*projected, mask])
        return layers.Projection(
            self._size, self.attention_projection, name=f"{name}_collected"
        )(x)

    def _add(
        self, x: keras.KerasTensor, update: keras.KerasTensor, name: str
    ) -> keras.KerasTensor:
        update = layers.RepeatableDropout(
            self.drop_rate, name=f"{name}_dropout"
        )(update)
        return keras.layers.Add(name=f"{name}_added")([x, update])


def _norm(name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=_EPSILON, name=name)

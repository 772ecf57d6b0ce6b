"""What LstmModel and GruModel have in common."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import structures
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentConfig(frame_model.FrameClassifierConfig):
    """Settings of a stack of recurrent layers, which read frames in order.

    They read all frames of a video, up to the reader's `max_frames`, and the
    state of the last layer after the last frame is classified. Padding leaves
    the state as it is; a video without a frame has a state of zeros.
    """

    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame, or the layer below, to the gates"
    )
    recurrent_projection: structures.Structure = model_config.structure_setting(
        "from the state of a recurrent layer to its gates"
    )

    def _build(
        self,
        name: str,
        *,
        keras_layer: type[keras.layers.Layer],
        cell: type[layers.RecurrentCell],
        units: int,
        num_layers: int,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, _ = self._read_frames(feature_sizes)
        num_frames = inputs["num_frames"]
        # cuDNN refuses a video without a frame: it gets one, and zeros below.
        mask = layers.FrameMask(name="recurrent_mask")(
            [inputs["frames"], keras.ops.maximum(num_frames, 1)]
        )
        for index in range(num_layers):
            goes_on = index < num_layers - 1
            chosen = {self.embedding_projection, self.recurrent_projection}
            arguments = {"return_sequences": goes_on, "name": f"layer_{index}"}
            if chosen == {structures.Dense()}:
                # Runs in cuDNN where there is a GPU.
                layer = keras_layer(units, **arguments)
            else:
                x = layers.Projection(
                    cell.num_gates * units,
                    self.embedding_projection,
                    use_bias=False,
                    name=f"gates_{index}",
                )(x)
                # Keras counts unnamed cells, and checkpoints hold the name.
                layer = keras.layers.RNN(
                    cell(units, self.recurrent_projection, name="cell"),
                    **arguments,
                )
            x = layer(x, mask=mask)
        exists = keras.ops.cast(num_frames > 0, x.dtype)
        x = x * keras.ops.expand_dims(exists, axis=-1)
        return keras.Model(
            inputs, self._classify(x, num_classes, class_priors), name=name
        )

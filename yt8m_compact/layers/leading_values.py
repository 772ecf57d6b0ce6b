"""The first values of each of several features."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LeadingValues(keras.layers.Layer):
    """Keeps the first values of each feature, of several side by side.

    Those of YouTube-8M are principal components, in the order of their
    variance: the last ones have little to say.

    Example:
        >>> layer = yt8m.layers.LeadingValues(sizes=[3, 2], kept=[2, 1])
        >>> layer(np.array([[0, 1, 2, 3, 4]])).numpy()
        array([[0., 1., 3.]], dtype=float32)

    Args:
        sizes: the size of each feature.
        kept: how many of the first values of each are kept, 1 to its size.
        **kwargs: as in `keras.layers.Layer`.

    Input shape:
        `[..., sum(sizes)]`, any dtype.

    Output shape:
        `[..., sum(kept)]`, in the layer's compute dtype.

    Raises:
        ValueError: if there are not as many of one as of the other, or one is
            out of range.
    """

    def __init__(
        self, sizes: Sequence[int], kept: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes, self.kept = tuple(sizes), tuple(kept)
        if len(self.sizes) != len(self.kept) or not all(
            0 < some <= size
            for some, size in zip(self.kept, self.sizes, strict=True)
        ):
            raise ValueError(
                "expected for each feature how many of its values are kept, at "
                f"least 1 and at most its size, of {list(self.sizes)}. "
                f"Received: kept={list(self.kept)}"
            )
        self.input_spec = keras.InputSpec(axes={-1: sum(self.sizes)})

    def call(self, inputs):
        features = tf.split(
            tf.cast(inputs, self.compute_dtype), self.sizes, axis=-1
        )
        return tf.concat(
            [
                feature[..., :some]
                for feature, some in zip(features, self.kept, strict=True)
            ],
            axis=-1,
        )

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape[:-1], sum(self.kept))
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sizes": list(self.sizes),
            "kept": list(self.kept),
        }

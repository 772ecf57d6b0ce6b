"""Files of Keras."""

from __future__ import annotations

from collections.abc import Mapping
import os

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact

with lazy.imports():
    import numpy as np

    from yt8m_compact.inference.artefacts import tensorflow_tools
    from yt8m_compact.inference.exports import keras_file as keras_export


class KerasModel(artefact.Artefact):
    """A `.keras` file, open to predict.

    It is loaded in Keras's safe mode: no code comes out of it.

    Args:
        path: the file.
        num_threads: threads that TensorFlow computes with.

    Raises:
        ValueError: if there is none, it is damaged, or not of yt8m-export, or
            TensorFlow computes already with a number of threads.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> about = companions.About(preset.config, preset.step)
        >>> _ = yt8m.inference.exports.keras_file.save(
        ...     "keras", about, preset.model
        ... )
        >>> model = yt8m.inference.artefacts.KerasModel("keras/model.keras")
        >>> model({"features": np.ones([2, 1152], np.float32)}).shape
        (2, 3862)
    """

    KIND = "a Keras model"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        if not files.exists(self.path):
            raise artefact.missing(self.path, self.KIND)
        tensorflow_tools.use_threads(num_threads)
        self._model = keras_export.load(self.path)
        model = self._model
        if not isinstance(getattr(model, "input", None), dict):
            raise ValueError(
                f"{self.path}: expected {self.KIND} of yt8m-export, whose "
                f"inputs have names. Received: {type(model).__name__}"
            )

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return tensorflow_tools.shapes_of(self._model.input)

    @property
    def num_classes(self) -> int:
        """The number of scores of a video."""
        return self._model.output_shape[-1]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts: see `Artefact`."""
        return self._model.predict_on_batch(dict(inputs))

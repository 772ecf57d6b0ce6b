"""Packed models: `config.json` and the bits of the weights."""

from __future__ import annotations

from collections.abc import Mapping
import os

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.run import train_dir as train_dir_lib

with lazy.imports():
    import numpy as np

    from yt8m_compact.inference import serving
    from yt8m_compact.inference.artefacts import tensorflow_tools


class PackedModel(artefact.Artefact):
    """A packed model, open to predict.

    Args:
        path: its folder.
        num_threads: threads that TensorFlow computes with.

    Attributes:
        config: the configuration of its run.

    Raises:
        ValueError: if it is damaged, or TensorFlow computes already with a
            number of threads.
    """

    KIND = "a packed model"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        tensorflow_tools.use_threads(num_threads)
        run = train_dir_lib.TrainDir(self.path)
        self.config, model, _ = run.restore_model()
        module = serving.ServingModule(self.config, model, top_k=1)
        self._predict = module.make_predict()

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return tensorflow_tools.shapes_of(serving.input_specs(self.config.data))

    @property
    def num_classes(self) -> int:
        """The number of scores of a video."""
        return self.config.data.num_classes

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts: see `Artefact`."""
        inputs = tensorflow_tools.tensors_of(inputs)
        return self._predict(**inputs)[artefact.OUTPUT_NAME].numpy()

"""SavedModels, by TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
import os

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact

with lazy.imports():
    import numpy as np

    from yt8m_compact.inference import serving
    from yt8m_compact.inference.artefacts import tensorflow_tools


class SavedModel(artefact.Artefact):
    """A SavedModel of yt8m-export, open to predict from tensors.

    A SavedModel is a program, which may read and write files: open only what
    you would run.

    Args:
        path: the folder.
        num_threads: threads that TensorFlow computes with.

    Attributes:
        config: the configuration of its run.

    Raises:
        ValueError: if there is none, it is not of yt8m-export, or TensorFlow
            computes already with a number of threads.
    """

    KIND = "a SavedModel"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        tensorflow_tools.use_threads(num_threads)
        self.config, self._predict = serving.load(self.path)

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
        return self._predict(**tensorflow_tools.tensors_of(inputs))[
            artefact.OUTPUT_NAME
        ].numpy()

"""What folders that TensorFlow opens have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
import os
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact

with lazy.imports():
    import numpy as np

    from yt8m_compact.inference import serving
    from yt8m_compact.inference.artefacts import tensorflow_tools
    from yt8m_compact.run import config as config_lib


class TensorFlowFolder(artefact.Artefact):
    """A folder with the configuration of its run, open to predict.

    Subclasses define `_open`.

    Args:
        path: the folder.
        num_threads: threads that TensorFlow computes with.

    Attributes:
        config: the configuration of its run.

    Raises:
        ValueError: if it can't be opened, or TensorFlow computes already with a
            number of threads.
    """

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        tensorflow_tools.use_threads(num_threads)
        self.config, self._predict = self._open()

    @abc.abstractmethod
    def _open(self) -> tuple[config_lib.Config, Callable[..., Any]]:
        """Returns the configuration, and what predicts from tensors."""

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

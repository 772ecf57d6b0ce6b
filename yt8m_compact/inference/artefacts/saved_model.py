"""SavedModels, by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import tensorflow_folder

with lazy.imports():
    from yt8m_compact.inference import serving
    from yt8m_compact.run import config as config_lib


class SavedModel(tensorflow_folder.TensorFlowFolder):
    """A SavedModel of yt8m-export, open to predict from tensors.

    A SavedModel is a program, which may read and write files: open only what
    you would run.
    """

    KIND = "a SavedModel"

    def _open(self) -> tuple[config_lib.Config, Callable[..., Any]]:
        return serving.load(self.path)

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

    Example:
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> yt8m.inference.serving.save(module, "saved")
        >>> model = yt8m.inference.artefacts.SavedModel("saved")
        >>> model({"features": np.ones([2, 1152], np.float32)}).shape
        (2, 3862)
    """

    KIND = "a SavedModel"

    def _open(self) -> tuple[config_lib.Config, Callable[..., Any]]:
        return serving.load(self.path)

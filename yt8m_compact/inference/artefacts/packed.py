"""Packed models: `config.json` and the bits of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import tensorflow_folder
from yt8m_compact.run import train_dir as train_dir_lib

with lazy.imports():
    from yt8m_compact.inference import serving
    from yt8m_compact.run import config as config_lib


class PackedModel(tensorflow_folder.TensorFlowFolder):
    """A packed model, open to predict.

    Example:
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> model = yt8m.inference.artefacts.PackedModel(folder)
        >>> model({"features": np.ones([2, 1152], np.float32)}).shape
        (2, 3862)
    """

    KIND = "a packed model"

    def _open(self) -> tuple[config_lib.Config, Callable[..., Any]]:
        config, model, _ = train_dir_lib.TrainDir(self.path).restore_model()
        module = serving.ServingModule(config, model, top_k=1)
        return config, module.make_predict()

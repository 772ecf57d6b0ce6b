"""Training: optimisers, callbacks, the loop."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.training.loop import train
from yt8m_compact.training.trainer import TrainingResult
from yt8m_compact.training.trainer import Watching

__all__ = ["TrainingResult", "Watching", "train"]

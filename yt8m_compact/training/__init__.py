"""Training: optimisers, callbacks, the loop."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.training.loop import Watching
from yt8m_compact.training.loop import train

__all__ = ["Watching", "train"]

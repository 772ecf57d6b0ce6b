"""Training: optimisers, callbacks, the loop."""

from yt8m_compact.training.loop import train

__all__ = ["train"]

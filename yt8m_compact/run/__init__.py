"""A run: its configuration, its flags, and its folder."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.run.config import Config
    from yt8m_compact.run.config import DataConfig
    from yt8m_compact.run.config import TrainingConfig
    from yt8m_compact.run.train_dir import TrainDir

__all__ = ["Config", "DataConfig", "TrainDir", "TrainingConfig"]

"""The data set `youtube8m` of TensorFlow Datasets.

Importing this package makes `tfds.load("youtube8m/video_level")` known.
"""

try:
    import tensorflow_datasets  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "expected tensorflow-datasets, which yt8m_compact.datasets.youtube8m "
        'is made for: pip install "yt8m_compact[tfds]". Received: '
        f"{error}",
        name="tensorflow_datasets",
    ) from error

from yt8m_compact.datasets.youtube8m.youtube8m_dataset_builder import Builder
from yt8m_compact.datasets.youtube8m.youtube8m_dataset_builder import (
    Youtube8mConfig,
)

__all__ = ["Builder", "Youtube8mConfig"]

"""Features as extractors write them, one module for each kind of file."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.datasets.sources import array_files
    from yt8m_compact.datasets.sources import hdf5_files
    from yt8m_compact.datasets.sources import mediapipe_files
    from yt8m_compact.datasets.sources import parquet_files
    from yt8m_compact.datasets.sources import source_video

__all__ = [
    "array_files",
    "hdf5_files",
    "mediapipe_files",
    "parquet_files",
    "source_video",
]

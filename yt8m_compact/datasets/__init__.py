"""Data sets that the package can make."""

from yt8m_compact.datasets.frame_counts import frame_count_histogram
from yt8m_compact.datasets.frame_counts import sample_num_frames
from yt8m_compact.datasets.split import split_records
from yt8m_compact.datasets.synthetic import MANIFEST_NAME
from yt8m_compact.datasets.synthetic import SPLITS
from yt8m_compact.datasets.synthetic import SyntheticConfig
from yt8m_compact.datasets.synthetic import SyntheticVideo
from yt8m_compact.datasets.synthetic import generate_videos
from yt8m_compact.datasets.synthetic import serialize_video
from yt8m_compact.datasets.synthetic import write_synthetic

__all__ = [
    "MANIFEST_NAME",
    "SPLITS",
    "SyntheticConfig",
    "SyntheticVideo",
    "frame_count_histogram",
    "generate_videos",
    "sample_num_frames",
    "serialize_video",
    "split_records",
    "write_synthetic",
]

"""YouTube-8M records to batches: TFRecord files in, tf.data datasets out."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.readers.dataset import Reader
    from yt8m_compact.readers.dataset import make_dataset
    from yt8m_compact.readers.dataset import shard_files
    from yt8m_compact.readers.errors import DataError
    from yt8m_compact.readers.errors import readable_errors
    from yt8m_compact.readers.features_file import FEATURES_NAME
    from yt8m_compact.readers.features_file import RecordFeatures
    from yt8m_compact.readers.features_file import derive_features
    from yt8m_compact.readers.features_file import expect_place
    from yt8m_compact.readers.features_file import expect_same_ranges
    from yt8m_compact.readers.features_file import find_class_names
    from yt8m_compact.readers.features_file import find_features
    from yt8m_compact.readers.features_file import place_features
    from yt8m_compact.readers.features_file import read_features
    from yt8m_compact.readers.features_file import write_features
    from yt8m_compact.readers.files import SCORES
    from yt8m_compact.readers.files import expand_patterns
    from yt8m_compact.readers.files import expect_local_files
    from yt8m_compact.readers.files import split_patterns
    from yt8m_compact.readers.frame_level import FrameLevelReader
    from yt8m_compact.readers.frame_level import VideoParts
    from yt8m_compact.readers.inspect import RecordFormat
    from yt8m_compact.readers.inspect import check_format
    from yt8m_compact.readers.inspect import inspect_file
    from yt8m_compact.readers.memory_need import describe_lack
    from yt8m_compact.readers.records import estimate_num_records
    from yt8m_compact.readers.records import file_sizes
    from yt8m_compact.readers.records import filled_files
    from yt8m_compact.readers.records import read_records
    from yt8m_compact.readers.sampling import FrameSampling
    from yt8m_compact.readers.sampling import sample_frame_indices
    from yt8m_compact.readers.score_files import ScoreHeader
    from yt8m_compact.readers.score_files import read_scores
    from yt8m_compact.readers.score_files import writing_scores
    from yt8m_compact.readers.score_table import ScoreTable
    from yt8m_compact.readers.skipped import SkippedData
    from yt8m_compact.readers.skipped import SkippedFile
    from yt8m_compact.readers.tfds_files import PreparedDataset
    from yt8m_compact.readers.tfds_files import find_prepared
    from yt8m_compact.readers.video_level import VideoLevelReader

__all__ = [
    "FEATURES_NAME",
    "SCORES",
    "DataError",
    "FrameLevelReader",
    "FrameSampling",
    "PreparedDataset",
    "Reader",
    "RecordFeatures",
    "RecordFormat",
    "ScoreHeader",
    "ScoreTable",
    "SkippedData",
    "SkippedFile",
    "VideoLevelReader",
    "VideoParts",
    "check_format",
    "derive_features",
    "describe_lack",
    "estimate_num_records",
    "expand_patterns",
    "expect_local_files",
    "expect_place",
    "expect_same_ranges",
    "file_sizes",
    "filled_files",
    "find_class_names",
    "find_features",
    "find_prepared",
    "inspect_file",
    "make_dataset",
    "place_features",
    "read_features",
    "read_records",
    "read_scores",
    "readable_errors",
    "sample_frame_indices",
    "shard_files",
    "split_patterns",
    "writing_scores",
    "write_features",
]

"""Data sets: making, downloading, checking and rewriting them."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.datasets.convert import convert_files
    from yt8m_compact.datasets.convert_config import ConvertConfig
    from yt8m_compact.datasets.convert_report import ConvertReport
    from yt8m_compact.datasets.download import MIRRORS
    from yt8m_compact.datasets.download import SPLITS as DOWNLOAD_SPLITS
    from yt8m_compact.datasets.download import DownloadConfig
    from yt8m_compact.datasets.download import DownloadError
    from yt8m_compact.datasets.download import download_files
    from yt8m_compact.datasets.download import read_checksums
    from yt8m_compact.datasets.frame_counts import frame_count_histogram
    from yt8m_compact.datasets.frame_counts import sample_num_frames
    from yt8m_compact.datasets.manifest import (
        MANIFEST_NAME as FILES_MANIFEST_NAME,
    )
    from yt8m_compact.datasets.manifest import OFFICIAL_COUNTS
    from yt8m_compact.datasets.manifest import Expected
    from yt8m_compact.datasets.manifest import name_in_manifest
    from yt8m_compact.datasets.manifest import read_manifest
    from yt8m_compact.datasets.manifest import write_manifest
    from yt8m_compact.datasets.pool import PoolConfig
    from yt8m_compact.datasets.pool import Pooled
    from yt8m_compact.datasets.pool import describe_left_out
    from yt8m_compact.datasets.pool import pool_files
    from yt8m_compact.datasets.pool import pool_record
    from yt8m_compact.datasets.repack import Repacked
    from yt8m_compact.datasets.repack import pack
    from yt8m_compact.datasets.repack import repack_files
    from yt8m_compact.datasets.repack import unpack
    from yt8m_compact.datasets.repair import Repaired
    from yt8m_compact.datasets.repair import expect_repair_folder
    from yt8m_compact.datasets.repair import explain_unrepaired
    from yt8m_compact.datasets.repair import repair_files
    from yt8m_compact.datasets.scan import Damage
    from yt8m_compact.datasets.scan import Record
    from yt8m_compact.datasets.scan import scan_records
    from yt8m_compact.datasets.split import split_records
    from yt8m_compact.datasets.stats import Stats
    from yt8m_compact.datasets.stats import count_files
    from yt8m_compact.datasets.stats_plot import expect_plot
    from yt8m_compact.datasets.stats_plot import plot_stats
    from yt8m_compact.datasets.synthetic import MANIFEST_NAME
    from yt8m_compact.datasets.synthetic import SPLITS
    from yt8m_compact.datasets.synthetic import SyntheticConfig
    from yt8m_compact.datasets.synthetic import SyntheticVideo
    from yt8m_compact.datasets.synthetic import generate_videos
    from yt8m_compact.datasets.synthetic import serialize_video
    from yt8m_compact.datasets.synthetic import write_synthetic
    from yt8m_compact.datasets.verify import Fault
    from yt8m_compact.datasets.verify import FileReport
    from yt8m_compact.datasets.verify import Report
    from yt8m_compact.datasets.verify import verify_files
    from yt8m_compact.datasets.video_labels import find_label_names
    from yt8m_compact.datasets.video_labels import read_labels
    from yt8m_compact.datasets.vocabulary import name_classes
    from yt8m_compact.datasets.vocabulary import number_classes
    from yt8m_compact.datasets.vocabulary import read_class_names
    from yt8m_compact.datasets.vocabulary import read_verticals
    from yt8m_compact.datasets.vocabulary import read_vocabulary
    from yt8m_compact.predictions.label_reader import LabelReader
    from yt8m_compact.readers import crc32c
    from yt8m_compact.readers.features_file import FEATURES_NAME
    from yt8m_compact.readers.features_file import RecordFeatures
    from yt8m_compact.readers.features_file import read_features
    from yt8m_compact.readers.record_rules import Layout
    from yt8m_compact.readers.record_rules import RecordSpec

__all__ = [
    "FEATURES_NAME",
    "RecordFeatures",
    "DOWNLOAD_SPLITS",
    "FILES_MANIFEST_NAME",
    "MANIFEST_NAME",
    "MIRRORS",
    "OFFICIAL_COUNTS",
    "SPLITS",
    "ConvertConfig",
    "ConvertReport",
    "Damage",
    "DownloadConfig",
    "DownloadError",
    "Expected",
    "Fault",
    "FileReport",
    "Layout",
    "Record",
    "PoolConfig",
    "Pooled",
    "RecordSpec",
    "Repacked",
    "Repaired",
    "Report",
    "Stats",
    "SyntheticConfig",
    "SyntheticVideo",
    "convert_files",
    "count_files",
    "crc32c",
    "describe_left_out",
    "download_files",
    "expect_plot",
    "expect_repair_folder",
    "explain_unrepaired",
    "frame_count_histogram",
    "generate_videos",
    "name_in_manifest",
    "pack",
    "plot_stats",
    "pool_files",
    "pool_record",
    "read_checksums",
    "read_features",
    "find_label_names",
    "LabelReader",
    "name_classes",
    "number_classes",
    "read_labels",
    "read_manifest",
    "read_class_names",
    "read_verticals",
    "read_vocabulary",
    "repack_files",
    "repair_files",
    "sample_num_frames",
    "scan_records",
    "serialize_video",
    "split_records",
    "unpack",
    "verify_files",
    "write_manifest",
    "write_synthetic",
]

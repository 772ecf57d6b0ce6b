"""What became of videos that were converted."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m_compact.datasets import convert_config
from yt8m_compact.readers import features_file


@dataclasses.dataclass
class ConvertReport:
    """What became of videos.

    Attributes:
        files: The files written, with their numbers of videos.
        num_written: Videos written.
        without_labels: Ids of videos that the CSV has no labels for.
        without_features: Ids of the CSV that there are no features for.
        filled: Ids of videos that lacked a feature, now zeros.
        shortened: Ids of videos whose features had different numbers of frames;
            all have that of the shortest one now.
        num_values: Feature values written.
        num_clipped: How many of them were outside of the codes' range.
        features: What the records hold, and what their codes stand for.
        dry_run: Whether nothing was written.

    Example:
        >>> np.savez("clip.npz", rgb=np.array([[0.5, 1.0], [1.5, 2.5]]))
        >>> config = yt8m.datasets.ConvertConfig(feature_names=("rgb",))
        >>> labels = {"clip": [7], "other": [9]}
        >>> report = yt8m.datasets.convert_files(
        ...     "clip.npz", "records", config, labels=labels
        ... )
        >>> print(report.to_text(config))
        1 videos in records/videos-00000-of-00001.tfrecord
        1 labels without features, left out: other
        25.000% of the values were outside of [-2, 2] of rgb and clipped
    """

    files: dict[str, int] = dataclasses.field(default_factory=dict)
    num_written: int = 0
    without_labels: list[str] = dataclasses.field(default_factory=list)
    without_features: list[str] = dataclasses.field(default_factory=list)
    filled: list[str] = dataclasses.field(default_factory=list)
    shortened: list[str] = dataclasses.field(default_factory=list)
    num_values: int = 0
    num_clipped: int = 0
    features: features_file.RecordFeatures | None = None
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON has it."""
        return dataclasses.asdict(self)

    def to_text(self, config: convert_config.ConvertConfig) -> str:
        """Returns the report as lines."""
        kept = "written without" if config.keep_unlabelled else "left out"
        would = "would be " if self.dry_run else ""
        lines = [
            f"{number:,} videos {would}in {file}"
            for file, number in self.files.items()
        ]
        for ids, text in (
            (self.without_labels, f"videos without labels, {kept}"),
            (self.without_features, "labels without features, left out"),
            (self.filled, "videos lacked a feature, which is zeros now"),
            (self.shortened, "videos cut to their shortest feature"),
        ):
            if ids:
                more = ", ..." if len(ids) > 5 else ""
                lines.append(f"{len(ids):,} {text}: {', '.join(ids[:5])}{more}")
        lines += self._describe_features()
        # Names of files may be any bytes, which can't all be printed.
        text = "\n".join(lines)
        return text.encode("utf-8", "backslashreplace").decode()

    def _describe_features(self) -> list[str]:
        features = self.features
        if features is None:
            return []
        lines = []
        if features.max_frames == 1:
            lines.append(
                "every video has one frame; level 'video' is for vectors of "
                "whole videos"
            )
        share = self.num_clipped / max(1, self.num_values)
        if features.min_quantized_value:
            ranges = ", ".join(
                f"[{low:g}, {high:g}] of {name}"
                for name, low, high in zip(
                    features.feature_names,
                    features.min_quantized_value,
                    features.max_quantized_value,
                    strict=True,
                )
            )
            lines.append(
                f"{share:.3%} of the values were outside of {ranges} and "
                "clipped"
            )
        elif features.float_frames:
            lines.append(
                f"{share:.3%} of the values are outside of [-2, 2], which "
                "readers clip"
            )
        return lines

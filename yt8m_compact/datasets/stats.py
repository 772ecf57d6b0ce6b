"""How many videos, labels and frames a data set has."""

import collections
from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tables
from yt8m_compact import task_mapping
from yt8m_compact.datasets import parallel
from yt8m_compact.datasets import scan
from yt8m_compact.datasets import spec_detection
from yt8m_compact.readers import record_rules

_BAR_WIDTH = 50
# That lines with names fit into 80 columns.
_NAME_WIDTH = 24
_LINE_WIDTH = 80


@dataclasses.dataclass
class Stats:
    """Counts over the videos of a data set.

    Attributes:
        num_files: Files.
        num_bytes: Their size.
        num_videos: Videos.
        labels_per_video: How many videos have so many labels, by that number.
        frames_per_video: How many videos have so many frames, likewise; empty
            at video level.
        videos_per_class: int64 `[num_classes]`, videos with that label.
        class_names: The names of the first classes, or of all, in order; empty
            where they are not known.

    Example:
        >>> import collections
        >>> stats = yt8m.datasets.Stats(
        ...     num_files=1,
        ...     num_bytes=812_000,
        ...     num_videos=3,
        ...     labels_per_video=collections.Counter({1: 2, 2: 1}),
        ...     frames_per_video=collections.Counter({120: 1, 300: 2}),
        ...     videos_per_class=np.array([3, 0, 1]),
        ... )
        >>> stats.num_labels, stats.to_dict()["num_classes_with_videos"]
        (4, 2)
    """

    num_files: int
    num_bytes: int
    num_videos: int
    labels_per_video: collections.Counter
    frames_per_video: collections.Counter
    videos_per_class: np.ndarray
    class_names: Sequence[str] = ()

    @property
    def num_labels(self) -> int:
        """Labels of all videos."""
        return sum(k * n for k, n in self.labels_per_video.items())

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts as JSON has them."""
        classes = self.videos_per_class
        return {
            "num_files": self.num_files,
            "num_bytes": self.num_bytes,
            "num_videos": self.num_videos,
            "num_labels": self.num_labels,
            "num_videos_without_labels": self.labels_per_video.get(0, 0),
            "num_classes": len(classes),
            "num_classes_with_videos": int(np.count_nonzero(classes)),
            "labels_per_video": _sorted(self.labels_per_video),
            "frames_per_video": _sorted(self.frames_per_video),
            "videos_per_class": classes.tolist(),
            "class_names": [*self.class_names],
        }

    def to_text(self) -> str:
        """Returns the counts and their histograms as text."""
        classes = self.videos_per_class
        lines = [
            f"{self.num_files:,} files, {self.num_videos:,} videos, "
            f"{self.num_bytes / 1e6:,.1f} MB",
            f"labels a video: {_describe(self.labels_per_video)}",
            *_bars(_sorted(self.labels_per_video)),
        ]
        if self.frames_per_video:
            lines += [
                f"frames a video: {_describe(self.frames_per_video)}",
                *_bars(_grouped(self.frames_per_video)),
            ]
        common = [
            index
            for index in np.argsort(-classes, kind="stable")[:10].tolist()
            if classes[index]
        ]
        lines += [
            f"classes: {np.count_nonzero(classes):,} of {len(classes):,} have "
            f"videos; the most common ones:",
            *_bars({self._call(i): int(classes[i]) for i in common}),
        ]
        return "\n".join(lines)

    def _call(self, index: int) -> str:
        """Says which class it is, by its name, too, if that is known."""
        if index >= len(self.class_names):
            return f"class {index}"
        names = tables.Column("", self.class_names[index : index + 1])
        (name,) = names.with_cut_names(_NAME_WIDTH).cells
        return f"class {index} {name}"


def count_files(
    patterns: str | Sequence[str],
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    num_processes: int = 0,
    mapper: task_mapping.Mapper | None = None,
) -> Stats:
    """Counts videos, labels and frames.

    Args:
        patterns: The files, as in `readers.expand_patterns`.
        feature_names: Keys of the features, those of most records of a sample
            if empty; see `spec_detection.detect_files`.
        feature_sizes: Their sizes, likewise.
        num_classes: The number of classes; None as of
            `spec_detection.detect_files`.
        class_names: The name of each class, in order; if empty, those that are
            said beside the records, if there are any.
        num_processes: How many processes; 0 for a choice by size.
        mapper: What has others do it, a file each, in the place of processes
            of this machine.

    Returns:
        The counts.

    Raises:
        DataError: If a pattern matches no file, or something is wrong with a
            file or record: the message names it.
        ValueError: If the features can't be recognised.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7, 9]})
        >>> stats = yt8m.datasets.count_files("v/*.tfrecord", num_classes=10)
        >>> stats.num_videos, stats.num_labels, stats.frames_per_video
        (1, 2, Counter({3: 1}))
    """
    files = readers.expand_patterns(patterns)
    detected = spec_detection.detect_files(
        files,
        feature_names=feature_names,
        feature_sizes=feature_sizes,
        num_classes=num_classes,
    )
    if detected is None:
        number, data = next(scan.read_good(files[0]))
        raise readers.DataError(
            f"{files[0]}: record {number}: expected a tf.train.Example or "
            f"tf.train.SequenceExample. Received: {len(data)} bytes that are "
            "neither; see `yt8m-data verify`"
        )
    spec = detected.spec
    sizes = {file: tf.io.gfile.stat(file).length for file in files}
    num_bytes = sum(sizes.values())
    num_processes = parallel.choose_num_processes(
        num_processes, len(files), num_bytes
    )
    total = Stats(
        len(files),
        num_bytes,
        0,
        collections.Counter(),
        collections.Counter(),
        np.zeros(spec.num_classes, np.int64),
        class_names or detected.class_names,
    )
    with progress.video_bar("stats", files) as bar:
        for _, part in parallel.map_tasks(
            _count_file,
            [(file, spec) for file in files],
            num_processes=num_processes,
            bar=bar,
            mapper=mapper,
        ):
            number, labels, frames, classes = part
            total.num_videos += number
            total.labels_per_video.update(labels)
            total.frames_per_video.update(frames)
            total.videos_per_class += classes
        progress.finish(bar)
    return total


def _count_file(
    task: tuple[str, record_rules.RecordSpec], update: parallel.Update
) -> tuple[int, collections.Counter, collections.Counter, np.ndarray]:
    file, spec = task
    num_videos = 0
    labels_per_video, frames_per_video = (
        collections.Counter(),
        collections.Counter(),
    )
    videos_per_class = np.zeros(spec.num_classes, np.int64)
    for number, data in scan.read_good(file):
        examined = record_rules.examine(data, spec)
        if examined.faults:
            kind, text = examined.faults[0]
            raise readers.DataError(
                f"{file}: record {number}: {kind}: {text}; set feature_names,"
                " feature_sizes and num_classes to those of the data, or "
                "see `yt8m-data verify`"
            )
        num_videos += 1
        labels = set(examined.labels or ())
        labels_per_video[len(labels)] += 1
        videos_per_class[list(labels)] += 1
        if examined.num_frames is not None:
            frames_per_video[examined.num_frames] += 1
        update(1)
    return num_videos, labels_per_video, frames_per_video, videos_per_class


def _sorted(counts: collections.Counter) -> dict[int, int]:
    return dict(sorted(counts.items()))


def _describe(counts: collections.Counter) -> str:
    """Says the mean, the smallest and the largest of counted numbers."""
    mean = sum(k * n for k, n in counts.items()) / max(1, counts.total())
    return f"mean {mean:.2f}, {min(counts)} to {max(counts)}"


def _grouped(counts: collections.Counter) -> dict[str, int]:
    """Adds counted numbers up in at most 12 ranges."""
    low, high = min(counts), max(counts)
    width = max(1, -(-(high - low + 1) // 12))
    groups = {}
    for start in range(low, high + 1, width):
        end = start + width - 1
        name = f"{start}-{end}" if width > 1 else f"{start}"
        groups[name] = sum(n for k, n in counts.items() if start <= k <= end)
    return groups


def _bars(counts: dict[Any, int]) -> list[str]:
    if not counts:
        return []
    most = max(counts.values())
    names = max(len(str(name)) for name in counts)
    numbers = max(len(f"{count:,}") for count in counts.values())
    longest = min(_BAR_WIDTH, _LINE_WIDTH - names - numbers - 4)
    lines = []
    for name, count in counts.items():
        # What there is at all can be seen.
        width = max(round(count / most * longest), 1 if count else 0)
        line = f"  {name!s:>{names}} {count:>{numbers},} {'#' * width}"
        lines.append(line.rstrip())
    return lines

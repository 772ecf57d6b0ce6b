"""Looks at every byte and every record of a data set."""

import collections
from collections.abc import Sequence
import dataclasses
import fnmatch
import hashlib
import os
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tables
from yt8m_compact import task_mapping
from yt8m_compact.datasets import manifest
from yt8m_compact.datasets import parallel
from yt8m_compact.datasets import scan
from yt8m_compact.datasets import spec_detection
from yt8m_compact.readers import framing
from yt8m_compact.readers import record_rules

_EXAMPLES = 5  # told of each kind of fault in a file
_ROWS = 50  # files with faults that the table shows
# Faults that no new file without the bad records can mend.
_NOT_IN_RECORDS = ("count_differs", "size_differs", "missing_file")


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something wrong with a file.

    Attributes:
        kind: What, such as "bad_checksum" or "duplicate_id".
        text: The details.
        record: Number of the record from 0, those with damage counted; None
            where it is not about one record.
        offset: The byte at which it starts, None likewise.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"no video")
        >>> (report,) = yt8m.datasets.verify_files("a.tfrecord").files
        >>> report.faults[0].kind, report.faults[0].record
        ('unparsable', 0)
    """

    kind: str
    text: str
    record: int | None = None
    offset: int | None = None


@dataclasses.dataclass
class FileReport:
    """What one file holds.

    Attributes:
        file: Its name.
        num_bytes: Its size.
        num_videos: Records whose checksums fit.
        num_without_labels: How many of them have no labels.
        num_good: How many of them have no fault.
        lost_bytes: Bytes that hold no record that can be read.
        counts: How many faults there are of each kind.
        faults: The first of each kind.
        bad_offsets: Where the records start that have a fault.
        ids: uint64 `[num_ids]`, hashes of the ids.
        id_records: int64 `[num_ids, 2]`, numbers and offsets of their records.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"no video")
        >>> (report,) = yt8m.datasets.verify_files("a.tfrecord").files
        >>> report.num_bytes, report.num_good, report.counts
        (24, 0, Counter({'unparsable': 1}))
    """

    file: str
    num_bytes: int = 0
    num_videos: int = 0
    num_without_labels: int = 0
    num_good: int = 0
    lost_bytes: int = 0
    counts: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    faults: list[Fault] = dataclasses.field(default_factory=list)
    bad_offsets: set[int] = dataclasses.field(default_factory=set)
    ids: np.ndarray | None = None
    id_records: np.ndarray | None = None

    def add(
        self,
        kind: str,
        text: str,
        record: int | None = None,
        offset: int | None = None,
    ) -> None:
        """Counts a fault, and keeps it if it is among the first of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= _EXAMPLES:
            self.faults.append(Fault(kind, text, record, offset))

    @property
    def can_be_repaired(self) -> bool:
        """Whether leaving out records would mend something."""
        return any(kind not in _NOT_IN_RECORDS for kind in self.counts)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a data set holds.

    Attributes:
        detected: What each record should hold, None if no record can be read.
        files: The reports of the files.
        faults: What is wrong with the data set as a whole.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> report = yt8m.datasets.verify_files("v/*.tfrecord")
        >>> report.good, report.num_videos, report.spec.feature_sizes
        (True, 1, (4, 2))
    """

    detected: spec_detection.DetectedSpec | None
    files: list[FileReport]
    faults: list[Fault]

    @property
    def spec(self) -> record_rules.RecordSpec | None:
        """What each record should hold, None if no record can be read."""
        return self.detected.spec if self.detected else None

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not any(f.counts for f in self.files)

    @property
    def num_videos(self) -> int:
        """Records whose checksums fit."""
        return sum(file.num_videos for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON has it."""
        return {
            "good": self.good,
            "num_files": len(self.files),
            "num_videos": self.num_videos,
            "num_bytes": sum(file.num_bytes for file in self.files),
            "num_without_labels": sum(f.num_without_labels for f in self.files),
            "lost_bytes": sum(file.lost_bytes for file in self.files),
            **(
                dataclasses.asdict(self.detected)
                if self.detected
                else {"spec": None}
            ),
            "fault_counts": dict(self._counts()),
            "faults": [dataclasses.asdict(fault) for fault in self.faults],
            "files": {
                file.file: {
                    "num_videos": file.num_videos,
                    "num_good": file.num_good,
                    "num_bytes": file.num_bytes,
                    "num_without_labels": file.num_without_labels,
                    "lost_bytes": file.lost_bytes,
                    "fault_counts": dict(file.counts),
                    "faults": [dataclasses.asdict(f) for f in file.faults],
                }
                for file in self.files
            },
        }

    def to_text(self, max_columns: int | None = None) -> str:
        """Returns the report as a table of the files with faults.

        Args:
            max_columns: how wide the table may be; None for as wide as it is.
        """
        lines = []
        bad = [file for file in self.files if file.counts]
        if bad:
            shown = bad[:_ROWS]
            counts = [one.counts.items() for one in shown]
            columns = [
                tables.Column(
                    "file", [one.file for one in shown], is_name=True
                ),
                tables.Column(
                    "records", [f"{one.num_videos:,}" for one in shown]
                ),
                tables.Column(
                    "lost bytes", [f"{one.lost_bytes:,}" for one in shown]
                ),
                tables.Column(
                    "faults",
                    [
                        ", ".join(f"{number} {kind}" for kind, number in one)
                        for one in counts
                    ],
                    is_name=True,
                ),
            ]
            lines.append(tables.to_text(columns, max_columns))
            if len(bad) > _ROWS:
                lines.append(f"... and {len(bad) - _ROWS:,} more such files")
            lines.append("")
            for file in bad[:_ROWS]:
                lines += [_describe(file.file, fault) for fault in file.faults]
                for kind, count in file.counts.items():
                    if count > _EXAMPLES:
                        more = count - _EXAMPLES
                        lines.append(f"{file.file}: {more:,} more {kind}")
            lines.append("")
        lines += [f"{fault.kind}: {fault.text}" for fault in self.faults]
        num_bytes = sum(file.num_bytes for file in self.files)
        without = sum(file.num_without_labels for file in self.files)
        if self.detected:
            lines.append(self.detected.to_text())
        lines.append(
            f"{len(self.files):,} files, {self.num_videos:,} records "
            f"({without:,} without labels), {num_bytes / 1e6:,.1f} MB: "
            + self._verdict(len(bad))
        )
        return "\n".join(lines)

    def _verdict(self, num_bad: int) -> str:
        """Says what is wrong: with how many files, and with the whole set."""
        if self.good:
            return "no fault"
        texts = []
        if num_bad:
            texts.append(f"faults in {num_bad:,} of the files")
        if self.faults:
            kinds = collections.Counter(fault.kind for fault in self.faults)
            texts.append(
                "faults of the whole set: "
                + ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
            )
        return "; ".join(texts)

    def _counts(self) -> collections.Counter:
        total = collections.Counter(fault.kind for fault in self.faults)
        for file in self.files:
            total.update(file.counts)
        return total


def verify_files(
    patterns: str | Sequence[str],
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    num_classes: int | None = None,
    manifests: Sequence[str] = (),
    official_split: str = "",
    num_processes: int = 0,
    mapper: task_mapping.Mapper | None = None,
) -> Report:
    """Looks at every byte and every record of files.

    Args:
        patterns: The files, as in `readers.expand_patterns`.
        feature_names: Keys of the features, those of most records of a sample
            if empty; see `spec_detection.detect_files`.
        feature_sizes: Their sizes, likewise.
        num_classes: Labels must be below this number; None as of
            `spec_detection.detect_files`.
        manifests: Files that say how many records there should be; those next
            to the data that `yt8m-data` wrote are read in any case.
        official_split: A key of `manifest.OFFICIAL_COUNTS`, whose number of
            videos the files should hold; or empty.
        num_processes: How many processes; 0 for a choice by size.
        mapper: What has others do it, a file each, in the place of processes
            of this machine.

    Returns:
        The report.

    Raises:
        ValueError: If an argument does not fit.
        DataError: If a pattern matches no file.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"no video")
        >>> report = yt8m.datasets.verify_files("a.tfrecord")
        >>> report.good
        False
        >>> print(report.to_text().splitlines()[-1])
        1 files, 1 records (1 without labels), 0.0 MB: faults in 1 of the files
    """
    official = manifest.OFFICIAL_COUNTS
    if official_split and official_split not in official:
        raise ValueError(
            f"expected one of {', '.join(official)}. Received: "
            f"official_split={official_split!r}"
        )
    if num_classes is not None and num_classes < 1:
        raise ValueError(
            f"expected at least 1 class. Received: num_classes={num_classes}"
        )
    files = readers.expand_patterns(patterns)
    expected = _read_manifests(patterns, files, manifests)
    detected = spec_detection.detect_files(
        files,
        feature_names=feature_names,
        feature_sizes=feature_sizes,
        num_classes=num_classes,
    )
    spec = detected.spec if detected else None
    num_bytes = sum(tf.io.gfile.stat(file).length for file in files)
    num_processes = parallel.choose_num_processes(
        num_processes, len(files), num_bytes
    )
    reports = {}
    with progress.video_bar("verify", files, total=_estimate(files)) as bar:
        for (file, _), report in parallel.map_tasks(
            check_file,
            [(file, spec) for file in files],
            num_processes=num_processes,
            bar=bar,
            mapper=mapper,
        ):
            reports[file] = report
        progress.finish(bar)
    report = Report(detected, [reports[file] for file in files], [])
    _find_duplicates(report.files)
    _compare(report, expected)
    report.faults.extend(
        Fault("missing_file", f"{name} (by {path})")
        for name, _, path in sorted(expected.missing)
    )
    if official_split and report.num_videos != official[official_split]:
        report.faults.append(
            Fault(
                "count_differs",
                f"expected the {official[official_split]:,} videos of "
                f"{official_split}. Received: {report.num_videos:,} in "
                f"{len(files):,} files",
            )
        )
    return report


def check_file(
    task: tuple[str, record_rules.RecordSpec | None], update: parallel.Update
) -> FileReport:
    """Looks at every byte and record of one file.

    Args:
        task: Name of the file, and what its records should hold.
        update: Called with the number of records done.

    Returns:
        The report, without what takes other files to know.
    """
    file, spec = task
    report = FileReport(file)
    hashes, id_records = [], []
    try:
        report.num_bytes = tf.io.gfile.stat(file).length
        if not report.num_bytes:
            report.add("empty_file", "0 bytes")
        for number, step in enumerate(scan.scan_records(file)):
            if isinstance(step, scan.Damage):
                report.lost_bytes += step.num_bytes
                report.add(
                    step.kind,
                    f"{step.num_bytes:,} bytes can't be read",
                    number,
                    step.offset,
                )
                continue
            report.num_videos += 1
            update(1)
            # Without a spec there is no record in any file that can be parsed.
            examined = (
                record_rules.examine(step.data, spec)
                if spec
                else record_rules.unparsable(step.data)
            )
            report.num_without_labels += not examined.labels
            for kind, text in examined.faults:
                report.add(kind, text, number, step.offset)
            if examined.faults:
                report.bad_offsets.add(step.offset)
            elif examined.id is not None:
                # Only of good records: a repair must not leave out the one
                # good record of two with the same id.
                hashes.append(_hash(examined.id))
                id_records.append((number, step.offset))
    except tf.errors.OpError as error:
        report.add("unreadable", error.message)
    if report.num_bytes and not report.num_videos and report.lost_bytes:
        report.add("no_tfrecord", framing.describe_damage(file))
    report.num_good = report.num_videos - len(report.bad_offsets)
    report.ids = np.array(hashes, np.uint64)
    report.id_records = np.array(id_records, np.int64).reshape(-1, 2)
    return report


def _estimate(files: Sequence[str]) -> int:
    """Returns about how many records there are, whatever the files are."""
    files = [file for file in files if tf.io.gfile.stat(file).length]
    for number in range(len(files)):
        # By the first file that starts as a TFRecord file.
        estimate = readers.estimate_num_records(files[number:] + files[:number])
        if estimate:
            return estimate
    return len(files)


def _hash(video_id: bytes) -> int:
    digest = hashlib.blake2b(video_id, digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _find_duplicates(files: Sequence[FileReport]) -> None:
    """Adds faults for ids that an earlier record has."""
    ids = np.concatenate([file.ids for file in files])
    owners = np.repeat(np.arange(len(files)), [len(file.ids) for file in files])
    records = np.concatenate([file.id_records for file in files])
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    starts = np.concatenate([[True], ~same]) if len(ids) else np.zeros(0, bool)
    # The sort is stable: the first of equal ids is the earliest in the files.
    firsts = order[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    duplicates = np.flatnonzero(~starts)
    for duplicate in duplicates[np.argsort(order[duplicates])]:
        index, first = order[duplicate], firsts[duplicate]
        report = files[owners[index]]
        number, offset = records[index].tolist()
        report.add(
            "duplicate_id",
            f"the id of {files[owners[first]].file}, record "
            f"{records[first][0]}",
            number,
            offset,
        )
        report.bad_offsets.add(offset)
        report.num_good -= 1


@dataclasses.dataclass
class _Manifests:
    """What manifests say.

    Attributes:
        expected: What a file should hold and the manifest that says so, by
            file.
        missing: Files that are not among those looked at, likewise: name,
            place and manifest.
    """

    expected: dict[str, tuple[manifest.Expected, str]]
    missing: set[tuple[str, str, str]]


def _read_manifests(
    patterns: str | Sequence[str], files: Sequence[str], paths: Sequence[str]
) -> _Manifests:
    """Reads the manifests next to files, and those that the user names.

    One that lies next to data may list more files than the patterns ask for;
    one that the user names speaks of all of them.
    """
    masks = [
        manifest.absolute(pattern)
        for pattern in readers.split_patterns(patterns)
    ]
    manifests = _Manifests({}, set())
    beside = manifest.find_manifests(files)
    for path in [*beside, *paths]:
        named = path not in beside or path in paths
        matched, missing = manifest.match_files(
            path, manifest.read_manifest(path), files, moved=named
        )
        for file, entry in matched.items():
            manifests.expected[file] = (entry, path)
        for name, full_path in missing.items():
            if named or any(_fits(full_path, mask) for mask in masks):
                manifests.missing.add((name, full_path, path))
    return manifests


def _compare(report: Report, manifests: _Manifests) -> None:
    for file in report.files:
        nothing = manifest.Expected(), ""
        entry, path = manifests.expected.get(file.file, nothing)
        if entry.num_videos not in (None, file.num_videos):
            file.add(
                "count_differs",
                f"expected {entry.num_videos:,} records. Received: "
                f"{file.num_videos:,} (by {path})",
            )
        if entry.num_bytes not in (None, file.num_bytes):
            file.add(
                "size_differs",
                f"expected {entry.num_bytes:,} bytes. Received: "
                f"{file.num_bytes:,} (by {path})",
            )


def _fits(file: str, mask: str) -> bool:
    """Whether a pattern means a file, by its folder's name as it is or not."""
    folder, name = os.path.split(mask)
    same_folder = os.path.dirname(file) == folder
    return (
        file == mask
        or fnmatch.fnmatch(file, mask)
        or (same_folder and fnmatch.fnmatch(os.path.basename(file), name))
    )


def _describe(file: str, fault: Fault) -> str:
    record = file
    if fault.record is not None:
        record += f": record {fault.record} (byte {fault.offset:,})"
    return f"{record}: {fault.kind}: {fault.text}"

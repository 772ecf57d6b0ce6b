"""Writes what is good in files with faults to new files."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
import os

import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.datasets import manifest
from yt8m_compact.datasets import parallel
from yt8m_compact.datasets import record_writer
from yt8m_compact.datasets import scan
from yt8m_compact.datasets import verify


@dataclasses.dataclass(frozen=True)
class Repaired:
    """What became of a file.

    Attributes:
        file: The file with faults.
        output: The new file, None if no record was good.
        num_written: Records in it.
        num_left_out: Records whose checksums fit that are not in it.
        lost_bytes: Bytes of the old file that hold no record.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> file = "v/videos-00000-of-00001.tfrecord"
        >>> with open(file, "ab") as stream:
        ...     _ = stream.write(b"no record")
        >>> report = yt8m.datasets.verify_files(file)
        >>> for repaired in yt8m.datasets.repair_files(report, "mended"):
        ...     print(repaired.num_written, repaired.lost_bytes)
        1 9
    """

    file: str
    output: str | None
    num_written: int
    num_left_out: int
    lost_bytes: int


def expect_repair_folder(files: Sequence[str], output_dir: str) -> None:
    """Refuses a folder into which files could not be repaired.

    To be called before hours of reading, when it is not known which of the
    files have faults: none of their names may be taken, but by what an earlier
    repair wrote there.

    Args:
        files: What will be looked at.
        output_dir: Folder of the new files. It is made.

    Raises:
        ValueError: If a new file would replace any other, or the folder has
            records of other codes.
        DataError: If codes of one feature stand for different ranges.
        OSError: If the folder can't be made.

    Example:
        >>> import pathlib
        >>> pathlib.Path("full").mkdir()
        >>> pathlib.Path("full/a.tfrecord").touch()
        >>> yt8m.datasets.expect_repair_folder(["data/a.tfrecord"], "empty")
        >>> try:
        ...     yt8m.datasets.expect_repair_folder(["data/a.tfrecord"], "full")
        ... except ValueError as error:
        ...     print(str(error).partition(":")[0])
        full/a.tfrecord
    """
    output_dir = files_lib.expand_user(output_dir)
    readers.expect_place(output_dir, readers.derive_features(files))
    _expect_free_names(files, output_dir)


def _expect_free_names(files: Sequence[str], output_dir: str) -> None:
    record_writer.expect_other_folder(files, output_dir)
    try:
        tf.io.gfile.makedirs(output_dir)
        taken = set(tf.io.gfile.listdir(output_dir))
    except tf.errors.OpError as error:
        raise OSError(
            f"{output_dir}: expected a folder that can be made. "
            f"Received: {error.message}"
        ) from None
    ours = _read_state(output_dir)
    for name in taken & {os.path.basename(file) for file in files}:
        output = os.path.join(output_dir, name)
        entry = ours.get(name)
        if entry is None or entry.num_bytes not in (
            None,  # it was about to be written
            tf.io.gfile.stat(output).length,
        ):
            raise ValueError(
                f"{output}: expected a file that does not exist yet, since "
                "a repair replaces none but its own. Received: a file that no "
                "repair wrote; choose another folder, or delete it"
            )


def explain_unrepaired(report: verify.Report) -> dict[str, str]:
    """Says of files in which no record is at fault what to do about them.

    Args:
        report: What `verify_files` found.

    Returns:
        A sentence for each file that is not what a manifest says, but from
        which nothing can be left out.

    Example:
        >>> import pathlib
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "in", labels={"b": [7]})
        >>> file = "in/videos-00000-of-00001.tfrecord"
        >>> _ = pathlib.Path("counts.csv").write_text(f"{file},2")
        >>> report = yt8m.datasets.verify_files(file, manifests=["counts.csv"])
        >>> print(yt8m.datasets.explain_unrepaired(report)[file])
        nothing to repair: its 1 records are good; expected 2 records. Received:
        1 (by counts.csv). What is missing is not in the file: download it or
        make it again
    """
    return {
        file.file: (
            f"nothing to repair: its {file.num_good:,} records are good; "
            + "; ".join(fault.text for fault in file.faults)
            + ". What is missing is not in the file: download it or make it "
            "again"
        )
        for file in report.files
        if file.counts and not file.can_be_repaired
    }


def repair_files(
    report: verify.Report,
    output_dir: str,
    *,
    num_processes: int = 0,
    mapper: task_mapping.Mapper | None = None,
) -> list[Repaired]:
    """Writes the good records of files with faults, unchanged, to new files.

    Files without faults are left where they are. Of videos with the same id the
    first one is kept. Until all is there, the folder holds `yt8m_repair.json`,
    by which the same call goes on where an earlier one was stopped, by a full
    disk or otherwise.

    Args:
        report: What `verify_files` found.
        output_dir: Folder of the new files, which have the names of the old
            ones.
        num_processes: How many processes; 0 for a choice by size.
        mapper: What has others do it, a file each, in the place of processes
            of this machine.

    Returns:
        What became of each file with faults.

    Raises:
        ValueError: If a new file would replace any other, or the folder has
            records that hold anything else.
        DataError: If codes of one feature stand for different ranges, or a
            class has different names.
        OSError: If the folder or a file can't be written.

    Example:
        >>> np.savez("c.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("c.npz", "bad", labels={"c": [7]})
        >>> file = "bad/videos-00000-of-00001.tfrecord"
        >>> with open(file, "ab") as stream:
        ...     _ = stream.write(b"no record")
        >>> report = yt8m.datasets.verify_files(file)
        >>> repaired = yt8m.datasets.repair_files(report, "good")
        >>> yt8m.datasets.verify_files("good/*.tfrecord").good
        True
    """
    output_dir = files_lib.expand_user(output_dir)
    bad = [file for file in report.files if file.can_be_repaired]
    _expect_free_names([file.file for file in bad], output_dir)
    features = None
    if bad:
        files = [file.file for file in report.files]
        features = readers.expect_place(
            output_dir, readers.derive_features(files)
        )
    tasks = [
        (file.file, output_dir, frozenset(file.bad_offsets), features)
        for file in bad
        if file.num_good
    ]
    # Said before they appear, so that they are known as this program's own.
    state = _read_state(output_dir)
    for file in bad:
        if file.num_good:
            name = os.path.basename(file.file)
            state[name] = manifest.Expected(file.num_good)
    _write_state(output_dir, state)
    num_processes = parallel.choose_num_processes(
        num_processes, len(tasks), sum(file.num_bytes for file in bad)
    )
    total = sum(file.num_good for file in bad)
    names = [file.file for file in bad]
    with progress.video_bar("repair", names, total=total) as bar:
        repaired = {}
        for _, result in parallel.map_tasks(
            _repair_file,
            tasks,
            num_processes=num_processes,
            bar=bar,
            mapper=mapper,
        ):
            repaired[result.file] = result
            state[os.path.basename(result.output)] = manifest.Expected(
                result.num_written, tf.io.gfile.stat(result.output).length
            )
            _write_state(output_dir, state)
        progress.finish(bar)
    # What another call has not finished stays known.
    if all(entry.num_bytes is not None for entry in state.values()):
        _write_state(output_dir, {})
    return [
        repaired.get(file.file)
        or Repaired(file.file, None, 0, len(file.bad_offsets), file.lost_bytes)
        for file in bad
    ]


def _read_state(output_dir: str) -> dict[str, manifest.Expected]:
    """Returns what earlier repairs wrote to a folder, or were about to."""
    path = os.path.join(output_dir, manifest.REPAIR_NAME)
    return manifest.read_manifest(path) if tf.io.gfile.exists(path) else {}


def _write_state(
    output_dir: str, state: Mapping[str, manifest.Expected]
) -> None:
    path = os.path.join(output_dir, manifest.REPAIR_NAME)
    if state:
        manifest.write_manifest(path, state)
    elif tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)


def _repair_file(
    task: tuple[str, str, frozenset[int], readers.RecordFeatures | None],
    update: parallel.Update,
) -> Repaired:
    file, output_dir, bad_offsets, features = task
    output = os.path.join(output_dir, os.path.basename(file))
    written = left_out = lost_bytes = 0
    place = functools.partial(readers.place_features, output_dir, features)
    with record_writer.writing(output, before=place) as writer:
        for step in scan.scan_records(file):
            if isinstance(step, scan.Damage):
                lost_bytes += step.num_bytes
            elif step.offset in bad_offsets:
                left_out += 1
            else:
                writer.write(step.data)
                written += 1
                update(1)
    return Repaired(file, output, written, left_out, lost_bytes)

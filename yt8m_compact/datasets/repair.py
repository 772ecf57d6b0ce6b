"""Writes what is good in files with faults to new files."""

import dataclasses
import os

import tensorflow as tf

from yt8m_compact import progress
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
    """

    file: str
    output: str | None
    num_written: int
    num_left_out: int
    lost_bytes: int


def repair_files(
    report: verify.Report, output_dir: str, *, num_processes: int = 0
) -> list[Repaired]:
    """Writes the good records of files with faults, unchanged, to new files.

    Files without faults are left where they are. Of videos with the same id the
    first one is kept.

    Args:
        report: What `verify_files` found.
        output_dir: Folder of the new files, which have the names of the old
            ones.
        num_processes: How many processes; 0 for a choice by size.

    Returns:
        What became of each file with faults.

    Raises:
        ValueError: If a new file would replace any other.
        OSError: If one can't be written.
    """
    bad = [file for file in report.files if file.can_be_repaired]
    record_writer.expect_other_folder([file.file for file in bad], output_dir)
    for file in bad:
        output = os.path.join(output_dir, os.path.basename(file.file))
        if tf.io.gfile.exists(output):
            raise ValueError(
                f"{output}: expected a file that does not exist yet, since "
                "--repair replaces none. Choose another folder, or delete it"
            )
    tasks = [
        (file.file, output_dir, frozenset(file.bad_offsets))
        for file in bad
        if file.num_good
    ]
    num_processes = parallel.choose_num_processes(
        num_processes, len(tasks), sum(file.num_bytes for file in bad)
    )
    total = sum(file.num_good for file in bad)
    names = [file.file for file in bad]
    with progress.video_bar("repair", names, total=total) as bar:
        repaired = {
            result.file: result
            for _, result in parallel.map_tasks(
                _repair_file, tasks, num_processes=num_processes, bar=bar
            )
        }
        progress.finish(bar)
    return [
        repaired.get(file.file)
        or Repaired(file.file, None, 0, len(file.bad_offsets), file.lost_bytes)
        for file in bad
    ]


def _repair_file(
    task: tuple[str, str, frozenset[int]], update: parallel.Update
) -> Repaired:
    file, output_dir, bad_offsets = task
    output = os.path.join(output_dir, os.path.basename(file))
    written = left_out = lost_bytes = 0
    with record_writer.writing(output) as writer:
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

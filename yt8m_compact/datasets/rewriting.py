"""Writes a new file of records for each file, so that the same call goes on."""

from collections.abc import Callable, Hashable, Iterator, Sequence
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

# From the name of a file, what becomes of its records: a new one each, None
# where there is none, with what is to be said of it. A function of a module,
# or `functools.partial` of one: other processes call it.
Rewrite = Callable[[str], Iterator[tuple[bytes | None, set[Hashable]]]]
_Task = tuple[str, str, Rewrite, readers.RecordFeatures | None]


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """What became of files.

    Attributes:
        files: What each output file holds, by its name; of an input without a
            new record there is none.
        notes: What was to be said of the records, of kept files too as far as
            they were looked at.
    """

    files: dict[str, manifest.Expected]
    notes: frozenset[Hashable]


def rewrite_files(
    files: Sequence[str],
    output_dir: str,
    rewrite: Rewrite,
    *,
    name: str,
    features: readers.RecordFeatures | None = None,
    overwrite: bool = False,
    num_processes: int = 0,
    mapper: task_mapping.Mapper | None = None,
) -> Rewritten:
    """Rewrites files one by one.

    An output file has the name of its input and appears when it is complete; a
    file that an earlier call finished is kept, so that the same call continues.

    Args:
        files: Names of TFRecord files.
        output_dir: Folder to write to; it also gets a manifest.
        rewrite: Makes the new records of a file.
        name: What is done, for the progress bar.
        features: What is to be said of the new records beside them, if
            anything.
        overwrite: Whether to write again what is there already.
        num_processes: How many processes; 0 for a choice by size.
        mapper: What has others do it, a file each, in the place of processes
            of this machine.

    Returns:
        What became of them.

    Raises:
        ValueError: If a file would replace an input, or one of another origin,
            or the folder has records of other codes.
        OSError: If a file can't be written.
    """
    output_dir = files_lib.expand_user(output_dir)
    record_writer.expect_other_folder(files, output_dir)
    features = readers.expect_place(output_dir, features, overwrite=overwrite)
    tf.io.gfile.makedirs(output_dir)
    path = os.path.join(output_dir, manifest.MANIFEST_NAME)
    done = {}
    if tf.io.gfile.exists(path):
        done = manifest.read_manifest(path)
    tasks = []
    notes = set()
    for file in files:
        base = os.path.basename(file)
        output = os.path.join(output_dir, base)
        task = file, output, rewrite, features
        if overwrite or not tf.io.gfile.exists(output):
            tasks.append(task)
            continue
        status = tf.io.gfile.stat(output)
        if tf.io.gfile.stat(file).mtime_nsec > status.mtime_nsec:
            tasks.append(task)  # written anew since
            continue
        size = status.length
        if base in done and done[base].num_bytes != size:
            raise ValueError(
                f"{output}: expected the file that an earlier call wrote. "
                f"Received: {size:,} bytes; delete it, or set overwrite"
            )
        # Finished by a call that was stopped before it said so, or not ours:
        # all of its records speak. The first one tells other settings.
        entry, found = _check_finished(task, first_only=base in done)
        notes |= found
        done.setdefault(base, entry)
    sizes = [tf.io.gfile.stat(task[0]).length for task in tasks]
    num_processes = parallel.choose_num_processes(
        num_processes, len(tasks), sum(sizes)
    )
    if tasks:
        inputs = [task[0] for task in tasks]
        with progress.video_bar(name, inputs) as bar:
            for task, (entry, found) in parallel.map_tasks(
                _rewrite_file,
                tasks,
                num_processes=num_processes,
                bar=bar,
                mapper=mapper,
            ):
                notes |= found
                base = os.path.basename(task[1])
                done.pop(base, None)
                if entry is not None:
                    done[base] = entry
                    manifest.write_manifest(path, done)
            progress.finish(bar)
    manifest.write_manifest(path, done)
    if done:  # by a version that did not say it, too
        readers.place_features(output_dir, features)
    names = map(os.path.basename, files)
    return Rewritten(
        {base: done[base] for base in names if base in done}, frozenset(notes)
    )


def _rewrite_file(
    task: _Task, update: parallel.Update
) -> tuple[manifest.Expected | None, set[Hashable]]:
    file, output, rewrite, features = task
    count, notes = 0, set()
    steps = rewrite(file)
    # A file without a record is none that can be read: nothing is opened
    # before there is one.
    first = None
    for first, found in steps:
        notes |= found
        update(1)
        if first is not None:
            break
    if first is None:
        if tf.io.gfile.exists(output):  # of what the input was before
            tf.io.gfile.remove(output)
        return None, notes
    place = functools.partial(
        readers.place_features, os.path.dirname(output), features
    )
    with record_writer.writing(output, before=place) as writer:
        writer.write(first)
        count += 1
        for data, found in steps:
            notes |= found
            update(1)
            if data is not None:
                writer.write(data)
                count += 1
    entry = manifest.Expected(count, tf.io.gfile.stat(output).length)
    return entry, notes


def _check_finished(
    task: _Task, first_only: bool
) -> tuple[manifest.Expected, set[Hashable]]:
    """Checks that a file is what its input gives; it got its name when done."""
    file, output, rewrite, _ = task
    count, notes = 0, set()
    outputs = scan.read_good(output)
    for wanted, found in rewrite(file):
        notes |= found
        if wanted is None:
            continue
        there = next(outputs, None)
        if there is None or there[1] != wanted:
            count = None
            break
        count += 1
        if first_only:
            break
    if count is None or (not first_only and next(outputs, None) is not None):
        raise ValueError(
            f"{output}: expected what {file} gives with these settings, or "
            "no such file. Received: other records; delete it, or set "
            "overwrite"
        )
    return manifest.Expected(count, tf.io.gfile.stat(output).length), notes

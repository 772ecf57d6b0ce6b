"""Frame-level records to packed ones, and back.

A packed record is a `tf.train.Example`: the context of the
`tf.train.SequenceExample` as it is, and each feature that came frame by frame
as one bytes value, its frames one after the other. It takes a tenth of the time
to parse, since there is one value instead of hundreds.
"""

from collections.abc import Sequence
import os

import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.datasets import manifest
from yt8m_compact.datasets import parallel
from yt8m_compact.datasets import record_writer
from yt8m_compact.datasets import scan
from yt8m_compact.readers import messages


def pack(data: bytes, where: str = "the record") -> bytes:
    """Packs a frame-level record.

    Args:
        data: A serialized `tf.train.SequenceExample`, whose frames are one
            bytes value each, equally long within a feature.
        where: What to call it in errors.

    Returns:
        A serialized `tf.train.Example`: the context as it was, and each feature
        list as one bytes value under its name; empty if it had no frames.

    Raises:
        DataError: If the record has no such frames.
    """
    message = messages.parse(data)
    lists = message.feature_lists.feature_list if message else {}
    if not lists:
        raise readers.DataError(
            f"{where}: expected a tf.train.SequenceExample with features that "
            "come frame by frame. Video-level and packed records need no "
            "packing"
        )
    packed = tf.train.Example()
    packed.features.CopyFrom(message.context)
    for name in lists:
        if name in packed.features.feature:
            raise readers.DataError(
                f"{where}: expected another name for '{name}', which the "
                "context has too: a packed record keeps both in one place"
            )
        frames = []
        for number, step in enumerate(lists[name].feature):
            values = step.bytes_list.value
            if len(values) != 1 or (
                frames and len(values[0]) != len(frames[0])
            ):
                raise readers.DataError(
                    f"{where}: expected one bytes value in each frame of "
                    f"'{name}', all equally long. Received: frame {number} "
                    f"with {_describe(step)}; `yt8m-data convert` quantises "
                    "floats"
                )
            frames.append(values[0])
        feature = packed.features.feature[name]
        feature.bytes_list.value.append(b"".join(frames))
    return packed.SerializeToString(deterministic=True)


def unpack(
    data: bytes,
    feature_names: Sequence[str],
    feature_sizes: Sequence[int],
    where: str = "the record",
) -> bytes:
    """Unpacks a packed record, the inverse of `pack`.

    Args:
        data: A serialized `tf.train.Example`.
        feature_names: The features that come frame by frame.
        feature_sizes: Their sizes, bytes per frame.
        where: What to call it in errors.

    Returns:
        A serialized `tf.train.SequenceExample`.

    Raises:
        DataError: If the record lacks one of the features, or its bytes are no
            multiple of the size.
    """
    message = messages.parse(data)
    if message is None or message.feature_lists.feature_list:
        raise readers.DataError(f"{where}: expected a packed tf.train.Example")
    keys = ",".join(sorted(message.context.feature))
    for name, size in zip(feature_names, feature_sizes, strict=True):
        values = ()
        if name in message.context.feature:
            values = message.context.feature[name].bytes_list.value
        if len(values) != 1 or len(values[0]) % size:
            found = [len(value) for value in values]
            raise readers.DataError(
                f"{where}: expected '{name}' to be one value of a multiple of "
                f"{size} bytes; set --feature_names and --feature_sizes to "
                f"those of the data. Received: values of {found} bytes, "
                f"keys={keys}"
            )
    messages.unpack(message, feature_names, feature_sizes)
    return message.SerializeToString(deterministic=True)


def repack_files(
    patterns: str | Sequence[str],
    output_dir: str,
    *,
    unpack_features: tuple[Sequence[str], Sequence[int]] | None = None,
    overwrite: bool = False,
    num_processes: int = 0,
) -> dict[str, manifest.Expected]:
    """Packs the records of files, or unpacks them, file by file.

    An output file has the name of its input and appears when it is complete; a
    file that an earlier call finished is kept, so that the same call continues.

    Args:
        patterns: The files, as in `readers.expand_patterns`.
        output_dir: Folder to write to; it also gets a manifest.
        unpack_features: None to pack; names and sizes of features to unpack.
        overwrite: Whether to write again what is there already.
        num_processes: How many processes; 0 for a choice by size.

    Returns:
        What each output file holds, by its name.

    Raises:
        ValueError: If a file would replace an input, or one of another origin.
        DataError: If a file is damaged, or a record does not fit.
        OSError: If a file can't be written.
    """
    files = readers.expand_patterns(patterns)
    record_writer.expect_other_folder(files, output_dir)
    tf.io.gfile.makedirs(output_dir)
    path = os.path.join(output_dir, manifest.MANIFEST_NAME)
    done = {}
    if tf.io.gfile.exists(path):
        done = manifest.read_manifest(path)
    tasks = []
    for file in files:
        output = os.path.join(output_dir, os.path.basename(file))
        if overwrite or not tf.io.gfile.exists(output):
            tasks.append((file, output, unpack_features))
            continue
        status = tf.io.gfile.stat(output)
        if tf.io.gfile.stat(file).mtime_nsec > status.mtime_nsec:
            tasks.append((file, output, unpack_features))  # written anew since
            continue
        size = status.length
        if done.get(os.path.basename(file)) is None:
            # Finished by a call that was stopped before it said so, or not
            # ours: count it, and let its records speak.
            done[os.path.basename(file)] = _check_finished(
                file, output, unpack_features
            )
        elif done[os.path.basename(file)].num_bytes != size:
            raise ValueError(
                f"{output}: expected the file that an earlier call wrote. "
                f"Received: {size:,} bytes; delete it, or --overwrite"
            )
    sizes = [tf.io.gfile.stat(task[0]).length for task in tasks]
    num_processes = parallel.choose_num_processes(
        num_processes, len(tasks), sum(sizes)
    )
    if tasks:
        inputs = [task[0] for task in tasks]
        name = "unpack" if unpack_features else "pack"
        with progress.video_bar(name, inputs) as bar:
            for task, entry in parallel.map_tasks(
                _repack_file, tasks, num_processes=num_processes, bar=bar
            ):
                done[os.path.basename(task[1])] = entry
                manifest.write_manifest(path, done)
            progress.finish(bar)
    manifest.write_manifest(path, done)
    return {
        os.path.basename(file): done[os.path.basename(file)] for file in files
    }


def _repack(data: bytes, features: tuple | None, where: str) -> bytes:
    if features is None:
        return pack(data, where)
    return unpack(data, *features, where)


def _repack_file(
    task: tuple[str, str, tuple | None], update: parallel.Update
) -> manifest.Expected:
    file, output, features = task
    with record_writer.writing(output) as writer:
        for number, data in scan.read_good(file):
            writer.write(_repack(data, features, f"{file}: record {number}"))
            update(1)
    return manifest.Expected(number + 1, tf.io.gfile.stat(output).length)


def _check_finished(
    file: str, output: str, features: tuple | None
) -> manifest.Expected:
    """Checks that a file is what its input gives; it got its name when done."""
    outputs = scan.read_good(output)
    count = 0
    for number, data in scan.read_good(file):
        wanted = _repack(data, features, f"{file}: record {number}")
        found = next(outputs, None)
        if found is None or found[1] != wanted:
            count = None
            break
        count += 1
    if count is None or next(outputs, None) is not None:
        raise ValueError(
            f"{output}: expected what {file} gives, or no such file. Received: "
            "other records; delete it, or --overwrite"
        )
    return manifest.Expected(count, tf.io.gfile.stat(output).length)


def _describe(step: tf.train.Feature) -> str:
    kind = step.WhichOneof("kind")
    values = getattr(step, kind).value if kind else ()
    if kind == "bytes_list" and len(values) == 1:
        return f"{len(values[0])} bytes"
    return f"{len(values)} values ({kind or 'empty'})"

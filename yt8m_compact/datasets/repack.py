"""Frame-level records to packed ones, and back.

A packed record is a `tf.train.Example`: the context of the
`tf.train.SequenceExample` as it is, and each feature that came frame by frame
as one bytes value, its frames one after the other. It takes a tenth of the time
to parse, since there is one value instead of hundreds.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import functools
import itertools

import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.datasets import manifest
from yt8m_compact.datasets import rewriting
from yt8m_compact.datasets import scan
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import messages

_Features = tuple[tuple[str, ...], tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Repacked:
    """What became of files.

    Attributes:
        files: What each output file holds, by its name.
        left_out: Features that came frame by frame and are in none of them,
            since others were chosen.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> repacked = yt8m.datasets.repack_files(
        ...     "v/*.tfrecord", "rgb", feature_names=["rgb"]
        ... )
        >>> repacked.left_out
        ('audio',)
    """

    files: dict[str, manifest.Expected]
    left_out: tuple[str, ...] = ()


def pack(
    data: bytes,
    where: str = "the record",
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
) -> bytes:
    """Packs a frame-level record.

    Args:
        data: A serialized `tf.train.SequenceExample`, whose frames are one
            bytes value each, equally long within a feature.
        where: What to call it in errors.
        feature_names: Which of the features that come frame by frame are
            packed; others are left out. All of them if empty.
        feature_sizes: Their sizes, those of the record if empty.

    Returns:
        A serialized `tf.train.Example`: the context as it was, and each feature
        list as one bytes value under its name; empty if it had no frames.

    Raises:
        DataError: If the record has no such frames.

    Example:
        >>> frames = np.frombuffer(b"abcdef", np.uint8).reshape(3, 2)
        >>> video = yt8m.datasets.SyntheticVideo(b"some", [7], [], frames)
        >>> config = yt8m.datasets.SyntheticConfig(
        ...     feature_names=("rgb",), feature_sizes=(2,)
        ... )
        >>> packed = yt8m.datasets.pack(
        ...     yt8m.datasets.serialize_video(video, config)
        ... )
        >>> features = tf.train.Example.FromString(packed).features.feature
        >>> features["rgb"].bytes_list.value[0]
        b'abcdef'
    """
    features = tuple(feature_names), tuple(feature_sizes)
    return _pack(messages.parse(data), features, where)


def _pack(
    message: tf.train.SequenceExample | None,
    features: _Features,
    where: str,
) -> bytes:
    lists = message.feature_lists.feature_list if message else {}
    if not lists:
        raise readers.DataError(
            f"{where}: expected a tf.train.SequenceExample with features that "
            "come frame by frame. Received: a record without any; video-level "
            "and packed records need no packing"
        )
    packed = tf.train.Example()
    packed.features.CopyFrom(message.context)
    names, sizes = features
    for name, given in itertools.zip_longest(names or sorted(lists), sizes):
        if name not in lists:
            raise readers.DataError(
                f"{where}: expected the feature '{name}' frame by frame. "
                f"Received: {', '.join(sorted(lists))}; set feature_names to "
                "those of the data"
            )
        if name in packed.features.feature:
            raise readers.DataError(
                f"{where}: expected another name for '{name}', since a "
                "packed record keeps it beside the features of the video. "
                f"Received: '{name}' among these, too"
            )
        frames, size = [], given
        for number, step in enumerate(lists[name].feature):
            values = step.bytes_list.value
            if len(values) == 1 and size is None:
                size = len(values[0])
            if len(values) != 1 or len(values[0]) != size:
                length = "all equally long" if given is None else f"of {given}"
                raise readers.DataError(
                    f"{where}: expected one bytes value in each frame of "
                    f"'{name}', {length}. Received: frame {number} with "
                    f"{_describe(step)}; {_advise(lists, name)}"
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

    Example:
        >>> frames = np.frombuffer(b"abcdef", np.uint8).reshape(3, 2)
        >>> video = yt8m.datasets.SyntheticVideo(b"some", [7], [], frames)
        >>> config = yt8m.datasets.SyntheticConfig(
        ...     feature_names=("rgb",), feature_sizes=(2,)
        ... )
        >>> record = yt8m.datasets.serialize_video(video, config)
        >>> packed = yt8m.datasets.pack(record)
        >>> yt8m.datasets.unpack(packed, ["rgb"], [2]) == record
        True
    """
    message = messages.parse(data)
    if message is None or message.feature_lists.feature_list:
        kind = (
            "neither that nor a tf.train.SequenceExample"
            if message is None
            else "features that come frame by frame"
        )
        raise readers.DataError(
            f"{where}: expected a packed tf.train.Example. Received: {kind}"
        )
    keys = ",".join(sorted(message.context.feature))
    for name, size in zip(feature_names, feature_sizes, strict=True):
        values = ()
        if name in message.context.feature:
            values = message.context.feature[name].bytes_list.value
        if len(values) != 1 or len(values[0]) % size:
            lengths = [len(value) for value in values]
            raise readers.DataError(
                f"{where}: expected '{name}' to be one value of a multiple of "
                f"{size} bytes; set feature_names and feature_sizes to "
                f"those of the data. Received: values of {lengths} bytes, "
                f"keys={keys}"
            )
    messages.unpack(message, feature_names, feature_sizes)
    return message.SerializeToString(deterministic=True)


def repack_files(
    patterns: str | Sequence[str],
    output_dir: str,
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    unpacking: bool = False,
    overwrite: bool = False,
    num_processes: int = 0,
    mapper: task_mapping.Mapper | None = None,
) -> Repacked:
    """Packs the records of files, or unpacks them, file by file.

    An output file has the name of its input and appears when it is complete; a
    file that an earlier call finished is kept, so that the same call continues.

    Args:
        patterns: The files, as in `readers.expand_patterns`.
        output_dir: Folder to write to; it also gets a manifest.
        feature_names: Features to pack, others that come frame by frame are
            left out; all if empty. To unpack they are needed where nothing is
            said beside the records.
        feature_sizes: Their sizes, those of the records if empty. To unpack,
            as `feature_names`.
        unpacking: Whether packed records are turned back.
        overwrite: Whether to write again what is there already.
        num_processes: How many processes; 0 for a choice by size.
        mapper: What has others do it, a file each, in the place of processes
            of this machine.

    Returns:
        What each output file holds, and what was left out.

    Raises:
        ValueError: If names and sizes do not fit, a file would replace an
            input, or one of another origin.
        DataError: If a file is damaged, or a record does not fit.
        OSError: If a file can't be written.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "in", labels={"b": [7]})
        >>> repacked = yt8m.datasets.repack_files("in/*.tfrecord", "packed")
        >>> for name, expected in repacked.files.items():
        ...     print(name, expected.num_videos)
        videos-00000-of-00001.tfrecord 1
    """
    files = readers.expand_patterns(patterns)
    said = readers.derive_features(
        files, names=feature_names, packed=not unpacking
    )
    if unpacking and said and not feature_names and not feature_sizes:
        feature_names = said.feature_names
        feature_sizes = said.feature_sizes
    if feature_sizes or unpacking:
        feature_spec.validate(feature_names, feature_sizes)
    features = tuple(feature_names), tuple(feature_sizes)
    rewritten = rewriting.rewrite_files(
        files,
        output_dir,
        functools.partial(_repack, features=features, unpacking=unpacking),
        name="unpack" if unpacking else "pack",
        features=said,
        overwrite=overwrite,
        num_processes=num_processes,
        mapper=mapper,
    )
    return Repacked(rewritten.files, (*sorted(rewritten.notes),))


def _repack(
    file: str, features: _Features, unpacking: bool
) -> Iterator[tuple[bytes, set[str]]]:
    """Yields new records, and what is left out of each."""
    for number, data in scan.read_good(file):
        where = f"{file}: record {number}"
        if unpacking:
            yield unpack(data, *features, where), set()
            continue
        message = messages.parse(data)
        packed = _pack(message, features, where)
        names = features[0] or message.feature_lists.feature_list
        yield packed, set(message.feature_lists.feature_list) - set(names)


def _advise(lists: Mapping[str, tf.train.FeatureList], name: str) -> str:
    """Says what to do about a feature that can't be packed."""
    kinds = {step.WhichOneof("kind") for step in lists[name].feature}
    if "float_list" in kinds:
        text = "`yt8m-data convert` quantises floats"
    elif "int64_list" in kinds:
        text = "only codes of 8 bits are packed"
    else:
        text = "write the record again"
    others = [
        other
        for other in sorted(lists)
        if other != name
        and all(len(s.bytes_list.value) == 1 for s in lists[other].feature)
    ]
    if others:
        text += (
            f"; feature_names={','.join(others)} chooses what is packed and "
            f"leaves out '{name}'"
        )
    return text


def _describe(step: tf.train.Feature) -> str:
    kind = step.WhichOneof("kind")
    values = getattr(step, kind).value if kind else ()
    if kind == "bytes_list" and len(values) == 1:
        return f"{len(values[0])} bytes"
    return f"{len(values)} values ({kind or 'empty'})"

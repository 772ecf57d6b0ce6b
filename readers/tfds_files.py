"""Data sets that TensorFlow Datasets prepared, as files to read.

`youtube8m` keeps its records as the readers read them, so that its files need
no TensorFlow Datasets to be read.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import untrusted
from yt8m_compact.readers import errors
from yt8m_compact.readers import feature_spec

with lazy.imports():
    import tensorflow as tf

PREFIX = "tfds:"
# What comes of taking other JSON for that of TensorFlow Datasets.
_NOT_ALIKE = (AttributeError, KeyError, ValueError, IndexError, TypeError)
_FIELD = re.compile(r"{(\w+)}")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """A data set in a folder of TensorFlow Datasets.

    Attributes:
        pattern: What it was asked for with, without the split.
        folder: The folder of its files.
        splits: Names of the files and their numbers of records, by split.
        wanted_split: The split that was asked for, None for none.
        frame_features: Whether features come frame by frame.
        feature_names: Keys of the features.
        feature_sizes: Their sizes.
        num_classes: The number of classes.

    Example:
        >>> prepared = yt8m.readers.PreparedDataset(
        ...     pattern="tfds:youtube8m/video_level",
        ...     folder="tensorflow_datasets/youtube8m/video_level/1.0.0",
        ...     splits={"train": {"train-00000-of-00001.tfrecord": 9}},
        ...     wanted_split=None,
        ...     frame_features=False,
        ...     feature_names=("mean_rgb", "mean_audio"),
        ...     feature_sizes=(1024, 128),
        ...     num_classes=3862,
        ... )
        >>> prepared.split_pattern("validation", "train")
        'tfds:youtube8m/video_level/train'
    """

    pattern: str
    folder: str
    splits: dict[str, dict[str, int]]
    wanted_split: str | None
    frame_features: bool
    feature_names: tuple[str, ...]
    feature_sizes: tuple[int, ...]
    num_classes: int

    def split_pattern(self, *splits: str) -> str:
        """Returns the pattern of the split wanted, or the first there is.

        Args:
            *splits: Names of splits, if none was asked for.

        Raises:
            DataError: If the data set has none of them.
        """
        wanted = (self.wanted_split,) if self.wanted_split else splits
        for split in wanted:
            if split in self.splits:
                return f"{self.pattern}/{split}"
        raise errors.DataError(
            f"{self.pattern}: expected the split {' or '.join(wanted)}. "
            f"Received: a data set with {', '.join(self.splits) or 'none'}"
        )


def find_prepared(pattern: str) -> PreparedDataset:
    """Finds a data set that TensorFlow Datasets prepared.

    Args:
        pattern: `tfds:NAME/CONFIG`, `tfds:NAME/CONFIG:VERSION` or
            `tfds:FOLDER/NAME/CONFIG`, each with or without a `/SPLIT`. Without
            a folder it is that of the variable TFDS_DATA_DIR, or else
            `~/tensorflow_datasets`; without a version, the newest there.

    Returns:
        The data set.

    Raises:
        DataError: If there is none, or its records are no TFRecord files.

    Example:
        >>> import json, pathlib
        >>> folder = pathlib.Path("my_data/video_level/1.0.0")
        >>> folder.mkdir(parents=True)
        >>> labels = {"feature": {"classLabel": {"numClasses": "3862"}}}
        >>> vector = {"shape": {"dimensions": ["1024"]}, "dtype": "float32"}
        >>> features = {
        ...     "labels": {"sequence": labels}, "mean_rgb": {"tensor": vector}
        ... }
        >>> text = json.dumps({"featuresDict": {"features": features}})
        >>> _ = (folder / "features.json").write_text(text)
        >>> splits = [{"name": "train", "shardLengths": ["9"]}]
        >>> text = json.dumps({"name": "my_data", "splits": splits})
        >>> _ = (folder / "dataset_info.json").write_text(text)
        >>> prepared = yt8m.readers.find_prepared("tfds:./my_data/video_level")
        >>> prepared.feature_sizes, prepared.num_classes
        ((1024,), 3862)
        >>> prepared.splits["train"]
        {'my_data-train.tfrecord-00000-of-00001': 9}
    """
    text = pattern.removeprefix(PREFIX).rstrip("/")
    folder = _find_folder(text)
    split = None
    if folder is None and "/" in text:
        text, _, split = text.rpartition("/")
        folder = _find_folder(text)
    if folder is None:
        raise errors.DataError(
            f"{pattern}: expected a data set that TensorFlow Datasets prepared "
            "(download_and_prepare), such as tfds:youtube8m/video_level, in "
            f"{_data_dir()} or the folder TFDS_DATA_DIR. Received: no such "
            "folder"
        )
    info = _read_json(os.path.join(folder, "dataset_info.json"))
    features = _read_json(os.path.join(folder, "features.json"))
    if info.get("fileFormat", "tfrecord") != "tfrecord":
        raise errors.DataError(
            f"{folder}: expected TFRecord files. Received: "
            f"fileFormat={info['fileFormat']!r}; prepare it with "
            "file_format='tfrecord'"
        )
    try:
        features_of_set = _features(info, features["featuresDict"]["features"])
        splits = {
            entry["name"]: shard_names(info, entry)
            for entry in info.get("splits", ())
        }
        feature_spec.validate(*features_of_set[1:])
    except _NOT_ALIKE as error:
        raise errors.DataError(
            f"{folder}: expected features as those of youtube8m: `labels`, and "
            "vectors of floats or lists of vectors of bytes. Received: "
            f"{type(error).__name__} {error!s:.200}"
        ) from None
    return PreparedDataset(
        PREFIX + text, folder, splits, split, *features_of_set
    )


def list_files(pattern: str) -> list[str]:
    """Lists the files of one split of a prepared data set.

    Args:
        pattern: As in `find_prepared`, with a split.

    Returns:
        The files.

    Raises:
        DataError: If there is no such data set or split, or a file is missing.
    """
    prepared = find_prepared(pattern)
    if prepared.wanted_split is None:
        raise errors.DataError(
            f"{pattern}: expected a split, such as {pattern}/"
            f"{next(iter(prepared.splits), 'train')}. Received: none; there "
            f"are {', '.join(prepared.splits)}"
        )
    split = prepared.split_pattern().rpartition("/")[2]
    files = [
        os.path.join(prepared.folder, name) for name in prepared.splits[split]
    ]
    for file in files:
        if not files_lib.exists(file):
            raise errors.DataError(
                f"{file}: expected the file, which {prepared.folder} lists. "
                "Received: none; prepare the data set again"
            )
    return files


def shard_names(info: dict[str, Any], split: dict[str, Any]) -> dict[str, int]:
    """Returns the files of a split and their numbers of records.

    Args:
        info: What `dataset_info.json` holds.
        split: One of its splits.

    Raises:
        ValueError: If a file is not one of the data set's folder, or two have
            one name.
    """
    template = split.get(
        "filepathTemplate", "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    )
    lengths = split.get("shardLengths", ())
    fields = {
        "DATASET": info["name"],
        "SPLIT": split["name"],
        "FILEFORMAT": info.get("fileFormat", "tfrecord"),
        "NUM_SHARDS": f"{len(lengths):05d}",
    }
    lengths_by_name = {}
    for shard, length in enumerate(lengths):
        fields["SHARD_INDEX"] = f"{shard:05d}"
        fields["SHARD_X_OF_Y"] = f"{shard:05d}-of-{len(lengths):05d}"
        # `str.format` would also do what a stranger's template asks it to.
        name = _FIELD.sub(lambda match: fields[match[1]], template)
        if (
            "/" in name
            or "\0" in name
            or name in (*lengths_by_name, "", ".", "..")
        ):
            raise ValueError(
                f"expected names of different files. Received: {name!r:.80}"
            )
        lengths_by_name[name] = int(length)
    return lengths_by_name


def _data_dir() -> str:
    default = os.path.join("~", "tensorflow_datasets")
    return os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or default)


def _find_folder(text: str) -> str | None:
    """Returns the folder of the newest or the given version of a data set."""
    head, _, last = text.rpartition("/")
    config, _, version = last.partition(":")
    if not head or not config:
        return None
    if "/" not in head:
        head = os.path.join(_data_dir(), head)
    folder = os.path.join(head, config)
    if not files_lib.is_folder(folder):
        return None
    names = [name.rstrip("/") for name in files_lib.list_folder(folder)]
    versions = [name for name in names if _VERSION.fullmatch(name)]
    if version:
        versions = [name for name in versions if name == version]
    if not versions:
        return None
    newest = max(versions, key=lambda name: [*map(int, name.split("."))])
    return os.path.join(folder, newest)


def _read_json(path: str) -> dict[str, Any]:
    try:
        values = untrusted.read_json(path, "what TensorFlow Datasets writes")
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise errors.DataError(str(error)) from None
    if not isinstance(values, dict):
        raise errors.DataError(
            f"{path}: expected what TensorFlow Datasets writes. Received: "
            f"{values!r:.80}"
        )
    return values


def _features(
    info: dict[str, Any], features: dict[str, Any]
) -> tuple[bool, tuple[str, ...], tuple[int, ...], int]:
    """Returns frame_features, names, sizes and number of classes."""
    label = features["labels"]["sequence"]["feature"]["classLabel"]
    sizes = {}
    levels = set()
    for name, feature in features.items():
        tensor = feature.get("tensor", {})
        shape = [int(n) for n in tensor.get("shape", {}).get("dimensions", ())]
        codes = tensor.get("dtype") == "uint8", tensor.get("encoding")
        if len(shape) == 1 and tensor["dtype"] == "float32":
            levels.add(False)
        elif len(shape) == 2 and codes == (True, "bytes"):
            levels.add(True)
        else:
            continue
        sizes[name] = shape[-1]
    if len(levels) != 1:
        raise ValueError(f"features={','.join(features)}")
    # features.json is in alphabetical order; this is the builder's.
    first = [
        name for name in _keys(info.get("supervisedKeys")) if name in sizes
    ]
    names = tuple(dict.fromkeys([*first, *sizes]))
    return (
        levels.pop(),
        names,
        tuple(sizes[name] for name in names),
        int(label["numClasses"]),
    )


def _keys(node: Any) -> list[str]:
    """Lists the keys in what `supervisedKeys` holds, in their order."""
    if isinstance(node, dict):
        if "featureKey" in node:
            return [node["featureKey"]]
        node = list(node.values())
    if not isinstance(node, list):
        return []
    return [key for item in node for key in _keys(item)]

"""A data set as TensorFlow Datasets prepares it, made without it."""

from collections.abc import Mapping, Sequence
import json
import pathlib

import record_makers


def _tensor(dtype: str, encoding: str, *dimensions: int) -> dict:
    shape = {"dimensions": [str(size) for size in dimensions]}
    return {"tensor": {"dtype": dtype, "encoding": encoding, "shape": shape}}


def features_json(
    sizes: Mapping[str, int], num_classes: int, *, frames: bool = False
) -> dict:
    """Returns what `features.json` holds, in alphabetical order as there."""
    label = {"classLabel": {"numClasses": str(num_classes)}}
    features = {
        "id": {"text": {}},
        "labels": {"sequence": {"feature": label, "length": "-1"}},
        "start_time_seconds": {
            "tensor": {"dtype": "float32", "encoding": "none", "shape": {}}
        },
    }
    for name, size in sizes.items():
        features[name] = (
            _tensor("uint8", "bytes", -1, size)
            if frames
            else _tensor("float32", "none", size)
        )
    return {"featuresDict": {"features": dict(sorted(features.items()))}}


def info_json(
    shard_lengths: Mapping[str, Sequence[int]], names: Sequence[str]
) -> dict:
    """Returns what `dataset_info.json` holds."""
    inputs = [{"featureKey": name} for name in names]
    return {
        "name": "youtube8m",
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": split,
                "shardLengths": [str(length) for length in lengths],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-"
                "{SHARD_X_OF_Y}",
            }
            for split, lengths in shard_lengths.items()
        ],
        "supervisedKeys": {
            "tuple": {
                "items": [
                    {"tuple": {"items": inputs}},
                    {"featureKey": "labels"},
                ]
            }
        },
    }


def write_prepared(
    data_dir: pathlib.Path,
    shard_lengths: Mapping[str, Sequence[int]],
    *,
    version: str = "1.0.0",
    num_classes: int = 10,
) -> pathlib.Path:
    """Writes `youtube8m/video_level` with features of 6 and 3 values.

    Videos have the numbers 0, 1, 2, ... in the order of splits and shards.

    Returns:
        The folder of the version.
    """
    folder = data_dir / "youtube8m" / "video_level" / version
    folder.mkdir(parents=True)
    sizes = {"mean_rgb": 6, "mean_audio": 3}
    info = info_json(shard_lengths, list(sizes))
    (folder / "dataset_info.json").write_text(json.dumps(info))
    features = features_json(sizes, num_classes)
    (folder / "features.json").write_text(json.dumps(features))
    index = 0
    for split, lengths in shard_lengths.items():
        for shard, length in enumerate(lengths):
            name = (
                f"youtube8m-{split}.tfrecord-{shard:05d}-of-{len(lengths):05d}"
            )
            record_makers.write_tfrecord(
                folder / name,
                [
                    record_makers.make_video_example(i, num_classes=num_classes)
                    for i in range(index, index + length)
                ],
            )
            index += length
    return folder

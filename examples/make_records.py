"""Writes some records as NumPy or JSON, for the examples beside this.

    python make_records.py --train_dir=runs/mlp --input='data/test00.tfrecord' \
      --count=8 --output=records.json

--train_dir, a run, the folder of an export or preset:NAME, says how records are
read. A .npy file holds float32 [videos, features], or of a frame-level run
uint8 [frames, features] of the first video. A .json file is what examples/web
shows: the id, the names of the labels and the inputs of each video.
"""

import argparse
import dataclasses
import json
import os

import numpy as np
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib


def read(
    config: config_lib.Config, pattern: str, count: int
) -> list[dict[str, np.ndarray]]:
    """Reads records.

    Args:
        config: the configuration of a run.
        pattern: their files.
        count: how many.

    Returns:
        For each, `id`, `labels`, and `features` or all `frames`, without
        padding.
    """
    reader = config.reader(training=False)
    if reader.frame_features:
        # Whoever predicts chooses among them.
        reader = dataclasses.replace(
            reader,
            frame_sampling=readers.FrameSampling.ALL,
            num_sampled_frames=None,
        )
    paths = readers.expand_patterns(pattern)
    dataset = readers.make_dataset(
        reader, paths, batch_size=count, num_readers=1
    )
    batch = {k: v.numpy() for k, v in next(iter(dataset)).items()}
    videos = []
    for row in range(len(batch["id"])):
        video = {name: value[row] for name, value in batch.items()}
        if "frames" in video:
            video["frames"] = video["frames"][: video["num_frames"]]
        videos.append(video)
    return videos


def to_json(
    videos: list[dict[str, np.ndarray]], names: list[str] | None
) -> str:
    """Writes records as JSON.

    Args:
        videos: of `read`.
        names: the names of the classes, if they are known.

    Returns:
        A list of dicts with `id`, `labels`, and `features` or `frames`.
    """
    records = []
    for video in videos:
        labels = np.flatnonzero(video["labels"] > 0)
        record = {
            "id": video["id"].decode(),
            "labels": [
                names[label] if names else f"class {label}" for label in labels
            ],
        }
        if "frames" in video:
            record["frames"] = video["frames"].tolist()
        else:
            record["features"] = [
                round(float(value), 6) for value in video["features"]
            ]
        records.append(record)
    return json.dumps(records)


def main() -> None:
    """Reads records and writes them."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--train_dir", required=True, help="a run, an export or a preset"
    )
    parser.add_argument("--input", required=True, help="pattern of the records")
    parser.add_argument("--count", type=int, default=8, help="how many")
    parser.add_argument("--classes", help="a text file, a name a line")
    parser.add_argument("--output", required=True, help="a .npy or .json file")
    arguments = parser.parse_args()

    tf.config.set_visible_devices([], "GPU")
    config = train_dir_lib.TrainDir(arguments.train_dir).load_config()
    videos = read(config, arguments.input, arguments.count)
    ending = os.path.splitext(arguments.output)[1]
    if ending == ".json":
        names = None
        if arguments.classes:
            with open(arguments.classes, encoding="utf-8") as file:
                names = file.read().splitlines()
        with files.writing(arguments.output) as file:
            file.write(to_json(videos, names))
    elif ending == ".npy":
        array = videos[0].get("frames")
        if array is None:
            array = np.stack([video["features"] for video in videos])
        with files.writing(arguments.output, "wb") as file:
            np.save(file, array)
    else:
        raise SystemExit(
            f"expected --output to end with .npy or .json. Received: {ending!r}"
        )
    print(f"wrote {len(videos)} records to {arguments.output}")


if __name__ == "__main__":
    main()

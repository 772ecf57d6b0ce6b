"""Times the readers against bare TFRecord files and the starter code's way.

    python -m benchmarks.readers
    python -m benchmarks.readers --video_pattern='data/validate*.tfrecord'

Video level: YouTube-8M's files if `--video_pattern` or $YT8M_SHARED_DATA names
them, otherwise generated ones. Frame level: generated, 1024 + 128 bytes a frame
and the frame counts of a normal distribution (230, 50) cut to 120-300.
Generated files are listed `--passes` times over, for a pass that is long enough
to hide its start (0.2 s, for the making of the dataset and its iterator).

The rows of a table take turns, `--repeats` times, and the best time of each is
shown, with the processor time of that run, which other jobs on the machine
change less. All files are in the page cache; nothing is said of disks. Only the
reading is timed: the batches are dropped. The starter code's way is written
from its description: one record at a time, every frame decoded, dequantised and
padded to 300 in float32.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
import datetime
import os
import pathlib
import platform
import resource
import tempfile
import time

import numpy as np
import tabulate
import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.ops import quantization

_VIDEO = readers.VideoLevelReader()
_FRAMES = readers.FrameLevelReader()
_MAX_FRAMES = 300
_SHARDS = 4


def write_shards(
    folder: pathlib.Path, num_videos: int, make: Callable[[int], bytes]
) -> list[str]:
    files = []
    for shard in range(_SHARDS):
        files.append(str(folder / f"{shard}.tfrecord"))
        with tf.io.TFRecordWriter(files[-1]) as writer:
            for index in range(shard, num_videos, _SHARDS):
                writer.write(make(index))
    return files


def _context(index: int, rng: np.random.Generator) -> dict:
    labels = rng.integers(0, _VIDEO.num_classes, rng.integers(1, 6))
    return {
        "id": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[b"%04d" % index])
        ),
        "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
    }


def make_video(index: int) -> bytes:
    rng = np.random.default_rng(index)
    features = _context(index, rng)
    for name, size in zip(
        _VIDEO.feature_names, _VIDEO.feature_sizes, strict=True
    ):
        features[name] = tf.train.Feature(
            float_list=tf.train.FloatList(value=rng.uniform(-2, 2, size))
        )
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def make_frames(index: int) -> bytes:
    rng = np.random.default_rng(index)
    num_frames = int(np.clip(rng.normal(230, 50), 120, 300))
    lists = {}
    for name, size in zip(
        _FRAMES.feature_names, _FRAMES.feature_sizes, strict=True
    ):
        frames = [rng.bytes(size) for _ in range(num_frames)]
        lists[name] = tf.train.FeatureList(
            feature=[
                tf.train.Feature(bytes_list=tf.train.BytesList(value=[frame]))
                for frame in frames
            ]
        )
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=_context(index, rng)),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    ).SerializeToString()


def raw(files: Sequence[str], batch_size: int) -> tf.data.Dataset:
    """Records as they are: what the file format and its checksums cost."""
    records = tf.data.Dataset.from_tensor_slices(list(files)).interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(8, len(files)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return records.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def one_by_one(
    files: Sequence[str], batch_size: int, parse: Callable
) -> tf.data.Dataset:
    """The starter code's order of work: parse each record, then batch."""
    records = tf.data.Dataset.from_tensor_slices(list(files)).interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(8, len(files)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    videos = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    return videos.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _multi_hot(labels: tf.SparseTensor) -> tf.Tensor:
    hot = tf.sparse.to_indicator(labels, _VIDEO.num_classes)
    return tf.ensure_shape(hot, [_VIDEO.num_classes])


def parse_video_one_by_one(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    spec = {
        name: tf.io.FixedLenFeature([size], tf.float32)
        for name, size in zip(
            _VIDEO.feature_names, _VIDEO.feature_sizes, strict=True
        )
    }
    spec["id"] = tf.io.FixedLenFeature([], tf.string)
    spec["labels"] = tf.io.VarLenFeature(tf.int64)
    parsed = tf.io.parse_single_example(serialized, spec)
    return {
        "features": tf.concat(
            [parsed[name] for name in _VIDEO.feature_names], 0
        ),
        "id": parsed["id"],
        "labels": _multi_hot(parsed["labels"]),
    }


def parse_frames_one_by_one(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    context, lists = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            "id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={
            name: tf.io.FixedLenSequenceFeature([], tf.string)
            for name in _FRAMES.feature_names
        },
    )
    features = []
    for name, size in zip(
        _FRAMES.feature_names, _FRAMES.feature_sizes, strict=True
    ):
        codes = tf.reshape(tf.io.decode_raw(lists[name], tf.uint8), [-1, size])
        frames = quantization.dequantize(codes)[:_MAX_FRAMES]
        num_frames = tf.shape(frames)[0]
        features.append(tf.pad(frames, [[0, _MAX_FRAMES - num_frames], [0, 0]]))
    return {
        "frames": tf.ensure_shape(
            tf.concat(features, 1), [_MAX_FRAMES, _FRAMES.feature_dim]
        ),
        "num_frames": num_frames,
        "id": context["id"],
        "labels": _multi_hot(context["labels"]),
    }


def run(dataset: tf.data.Dataset) -> tuple[float, float]:
    """Returns the seconds on the clock and on all processors."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    for _ in dataset:
        pass
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    return seconds, (
        after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    )


def compare(
    title: str,
    num_videos: int,
    rows: dict[str, tf.data.Dataset],
    repeats: int,
) -> None:
    """Prints a table; the first row is the reference."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(repeats):
        for name, dataset in rows.items():
            times[name].append(run(dataset))
    best = {name: min(runs) for name, runs in times.items()}
    reference = best[next(iter(rows))][0]
    table = [
        (
            name,
            f"{num_videos / seconds:,.0f}",
            f"{reference / seconds:.2f}",
            f"{1e6 * processor / num_videos:,.0f}",
        )
        for name, (seconds, processor) in best.items()
    ]
    print(
        tabulate.tabulate(
            table,
            [title, "videos/s", "of raw", "processor us/video"],
            colalign=("left", "right", "right", "right"),
            disable_numparse=True,
        ),
        end="\n\n",
    )


def _by_id(dataset: tf.data.Dataset) -> Iterator[tuple[bytes, dict]]:
    for batch in dataset.as_numpy_iterator():
        for row, one in enumerate(batch["id"]):
            yield one, {key: value[row] for key, value in batch.items()}


def expect_same_values(files: Sequence[str], make: Callable) -> None:
    """Compares the values of one file with the starter code's way."""
    files = files[:1]
    ours = dict(_by_id(readers.make_dataset(make(), files, batch_size=16)))
    parse = (
        parse_frames_one_by_one
        if make().frame_features
        else parse_video_one_by_one
    )
    for one, video in _by_id(one_by_one(files, 16, parse)):
        found = ours.pop(one)
        np.testing.assert_array_equal(found["labels"], video["labels"])
        if make().frame_features:
            number = video["num_frames"]
            np.testing.assert_array_equal(found["num_frames"], number)
            np.testing.assert_allclose(
                quantization.dequantize(found["frames"][:number]),
                video["frames"][:number],
                atol=1e-6,
            )
        else:
            np.testing.assert_array_equal(found["features"], video["features"])
    if ours:
        raise AssertionError(f"expected the same videos, {len(ours)} more here")


def compare_video_level(
    files: Sequence[str], batch_size: int, repeats: int
) -> None:
    expect_same_values(files, readers.VideoLevelReader)
    num_videos = sum(1 for _ in tf.data.TFRecordDataset(list(files)).batch(1))

    def ours(**arguments):
        return readers.make_dataset(
            _VIDEO, files, batch_size=batch_size, **arguments
        )

    compare(
        f"video level, batches of {batch_size}",
        num_videos,
        {
            "raw records": raw(files, batch_size),
            "read_records alone, complete or an error": readers.read_records(
                files
            ).batch(batch_size),
            "make_dataset": ours(),
            "make_dataset, shuffled": ours(shuffle_buffer=10_000),
            "one by one": one_by_one(files, batch_size, parse_video_one_by_one),
        },
        repeats,
    )


def compare_frame_level(
    files: Sequence[str], num_videos: int, batch_size: int, repeats: int
) -> None:
    expect_same_values(files, readers.FrameLevelReader)

    def ours(sampling, number=None, **arguments):
        reader = readers.FrameLevelReader(
            frame_sampling=sampling, num_sampled_frames=number
        )
        return readers.make_dataset(
            reader, files, batch_size=batch_size, **arguments
        )

    compare(
        f"frame level, batches of {batch_size}",
        num_videos,
        {
            "raw records": raw(files, batch_size),
            "read_records alone, complete or an error": readers.read_records(
                files
            ).batch(batch_size),
            "30 random frames, uint8": ours("random", 30),
            "30 even frames, uint8": ours("even", 30),
            "30 random frames, uint8, shuffled": ours(
                "random", 30, shuffle_buffer=200
            ),
            "all frames, uint8, padded": ours("all"),
            "one by one, all frames, float32": one_by_one(
                files, batch_size, parse_frames_one_by_one
            ),
        },
        repeats,
    )


def _real_pattern() -> str:
    folder = os.environ.get("YT8M_SHARED_DATA")
    return f"{folder}/yt8m_2018_video/*.tfrecord" if folder else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video_pattern", default=_real_pattern())
    parser.add_argument("--num_videos", type=int, default=4000)
    parser.add_argument("--num_frame_level_videos", type=int, default=480)
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--video_batch_size", type=int, default=1024)
    parser.add_argument("--frame_batch_size", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs"
        f", load {os.getloadavg()[0]:.1f}, TensorFlow {tf.__version__}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "video").mkdir()
        (folder / "frame").mkdir()
        if args.video_pattern:
            print(f"video level: {args.video_pattern}")
            files = readers.expand_patterns(args.video_pattern)
        else:
            print("video level: generated")
            files = write_shards(folder / "video", args.num_videos, make_video)
            files *= args.passes
        print("frame level: generated\n")
        compare_video_level(files, args.video_batch_size, args.repeats)
        files = write_shards(
            folder / "frame", args.num_frame_level_videos, make_frames
        )
        compare_frame_level(
            files * args.passes,
            args.num_frame_level_videos * args.passes,
            args.frame_batch_size,
            args.repeats,
        )


if __name__ == "__main__":
    main()

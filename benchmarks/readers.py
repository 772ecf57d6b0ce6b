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
reading is timed: the batches are dropped. "MB" is the largest resident memory
of the process during a row, with what the rows before left in it.

"One by one" is written as the starter code's readers work: one record at a
time, every frame decoded, dequantised and padded to 300 in float32. It is
better off than the starter code itself, whose `num_readers` Python threads feed
a queue: records are parsed in parallel in C++ and prefetched by tf.data, as
many at a time as tf.data finds best.
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
from yt8m_compact.readers import checks

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


def make_packed(index: int) -> bytes:
    """Makes the video of `make_frames` with one string for each feature."""
    video = tf.train.SequenceExample.FromString(make_frames(index))
    features = dict(video.context.feature)
    for name, frames in video.feature_lists.feature_list.items():
        value = b"".join(frame.bytes_list.value[0] for frame in frames.feature)
        features[name] = tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[value])
        )
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


class ParsedFramesReader(readers.FrameLevelReader):
    """Has TensorFlow's parser find every frame, whatever the layout.

    That is what `readers.regular_frames` saves: `tf.io.parse_sequence_example`
    makes a string of each frame, of which the chosen ones are decoded.
    """

    def _parse_regular(self, regular, place, seed):
        parse = checks.rarely(
            lambda: self._parse_irregular(regular.serialized, place, seed)
        )
        return tf.constant(False), parse

    def _parse_irregular(self, serialized, place, seed):
        # Without the look at the encoding: both parse the same, once.
        video, _ = self._parse_lists(serialized, place, tf.string, "frames")
        return self._parse_any(serialized, video, place, seed)


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


def _multi_hot(labels: tf.SparseTensor, num_classes: int) -> tf.Tensor:
    hot = tf.sparse.to_indicator(labels, num_classes)
    return tf.ensure_shape(hot, [num_classes])


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
        "labels": _multi_hot(parsed["labels"], _VIDEO.num_classes),
    }


def parse_frames_one_by_one(
    serialized: tf.Tensor,
    reader: readers.FrameLevelReader = _FRAMES,
    id_key: str = "id",
) -> dict[str, tf.Tensor]:
    context, lists = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            id_key: tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={
            name: tf.io.FixedLenSequenceFeature([], tf.string)
            for name in reader.feature_names
        },
    )
    features = []
    for name, size in zip(
        reader.feature_names, reader.feature_sizes, strict=True
    ):
        codes = tf.reshape(tf.io.decode_raw(lists[name], tf.uint8), [-1, size])
        frames = quantization.dequantize(codes)[: reader.max_frames]
        num_frames = tf.shape(frames)[0]
        missing = reader.max_frames - num_frames
        features.append(tf.pad(frames, [[0, missing], [0, 0]]))
    return {
        "frames": tf.ensure_shape(
            tf.concat(features, 1), [reader.max_frames, reader.feature_dim]
        ),
        "num_frames": num_frames,
        "id": context[id_key],
        "labels": _multi_hot(context["labels"], reader.num_classes),
    }


def resident_megabytes() -> float:
    """Returns the resident memory of this process."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def run(dataset: tf.data.Dataset) -> tuple[float, float, float]:
    """Returns the seconds on the clock and on all processors, and megabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    largest = 0.0
    for number, _ in enumerate(dataset):
        if number % 8 == 0:
            largest = max(largest, resident_megabytes())
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = (
        after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    )
    return seconds, processor, largest


def compare(
    title: str,
    num_videos: int,
    rows: dict[str, tf.data.Dataset],
    repeats: int,
) -> None:
    """Prints a table; the first row is the reference."""
    times: dict[str, list[tuple[float, float, float]]] = {
        name: [] for name in rows
    }
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
            f"{megabytes:,.0f}",
        )
        for name, (seconds, processor, megabytes) in best.items()
    ]
    print(
        tabulate.tabulate(
            table,
            [title, "videos/s", "of raw", "processor us/video", "MB"],
            colalign=("left", "right", "right", "right", "right"),
            disable_numparse=True,
        ),
        end="\n\n",
    )


def _by_id(dataset: tf.data.Dataset) -> Iterator[tuple[bytes, dict]]:
    for batch in dataset.as_numpy_iterator():
        for row, one in enumerate(batch["id"]):
            yield one, {key: value[row] for key, value in batch.items()}


def expect_same_values(
    files: Sequence[str], make: Callable, batches: tf.data.Dataset
) -> None:
    """Compares the values of one file with the starter code's way."""
    files = files[:1]
    ours = dict(_by_id(batches))
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
    batches = readers.make_dataset(_VIDEO, files[:1], batch_size=16)
    expect_same_values(files, readers.VideoLevelReader, batches)
    num_videos = sum(1 for _ in tf.data.TFRecordDataset(list(files)).batch(1))

    def ours(reader=_VIDEO, **arguments):
        return readers.make_dataset(
            reader, files, batch_size=batch_size, **arguments
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
            "make_dataset, mean_rgb alone": ours(
                readers.VideoLevelReader(("mean_rgb",), (1024,))
            ),
            "make_dataset, as of tf.data service": ours(portable=True),
            "one by one": one_by_one(files, batch_size, parse_video_one_by_one),
        },
        repeats,
    )


def compare_frame_level(
    files: Sequence[str],
    packed_files: Sequence[str],
    num_videos: int,
    batch_size: int,
    repeats: int,
) -> None:
    for some, reader in (
        (files, _FRAMES),
        (files, ParsedFramesReader()),
        (packed_files, _FRAMES),
    ):
        batches = readers.make_dataset(reader, some[:1], batch_size=16)
        expect_same_values(files, readers.FrameLevelReader, batches)

    def ours(
        files,
        sampling,
        number=None,
        reader_class=readers.FrameLevelReader,
        **arguments,
    ):
        reader = reader_class(
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
            "30 random frames, uint8": ours(files, "random", 30),
            "30 random frames, uint8, TensorFlow's parser": ours(
                files, "random", 30, ParsedFramesReader
            ),
            "30 even frames, uint8": ours(files, "even", 30),
            "30 random frames, uint8, shuffled": ours(
                files, "random", 30, shuffle_buffer=200
            ),
            "30 random frames, uint8, skipping errors": ours(
                files, "random", 30, skipped=readers.SkippedData()
            ),
            "all frames, uint8, padded": ours(files, "all"),
            "all frames, uint8, padded, TensorFlow's parser": ours(
                files, "all", None, ParsedFramesReader
            ),
            "packed, 30 random frames, uint8": ours(packed_files, "random", 30),
            "packed, all frames, uint8, padded": ours(packed_files, "all"),
            "one by one, all frames, float32": one_by_one(
                files, batch_size, parse_frames_one_by_one
            ),
        },
        repeats,
    )


def compare_audioset(file: str, batch_size: int, repeats: int) -> None:
    reader = readers.FrameLevelReader(("audio_embedding",), (128,), 527, 10)
    num_videos = sum(1 for _ in tf.data.TFRecordDataset(file).batch(1))
    files = [file] * 4

    def parse(serialized):
        return parse_frames_one_by_one(serialized, reader, "video_id")

    compare(
        f"AudioSet, batches of {batch_size}",
        num_videos * len(files),
        {
            "raw records": raw(files, batch_size),
            "all frames, uint8, padded": readers.make_dataset(
                reader, files, batch_size=batch_size
            ),
            "one by one, all frames, float32": one_by_one(
                files, batch_size, parse
            ),
        },
        repeats,
    )


def _real(name: str) -> str:
    folder = os.environ.get("YT8M_SHARED_DATA")
    return f"{folder}/{name}" if folder else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--video_pattern", default=_real("yt8m_2018_video/*.tfrecord")
    )
    parser.add_argument(
        "--audioset_file", default=_real("audioset/bal_train.tfrecord")
    )
    parser.add_argument("--num_videos", type=int, default=4000)
    parser.add_argument("--num_frame_level_videos", type=int, default=480)
    parser.add_argument("--passes", type=int, default=24)
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
        (folder / "packed").mkdir()
        if args.video_pattern:
            print(f"video level: {args.video_pattern}")
            files = readers.expand_patterns(args.video_pattern) * 4
        else:
            print("video level: generated")
            files = write_shards(folder / "video", args.num_videos, make_video)
            files *= args.passes
        print("frame level: generated\n")
        compare_video_level(files, args.video_batch_size, args.repeats)
        if args.audioset_file:
            compare_audioset(
                args.audioset_file, args.video_batch_size, args.repeats
            )
        files = write_shards(
            folder / "frame", args.num_frame_level_videos, make_frames
        )
        packed_files = write_shards(
            folder / "packed", args.num_frame_level_videos, make_packed
        )
        compare_frame_level(
            files * args.passes,
            packed_files * args.passes,
            args.num_frame_level_videos * args.passes,
            args.frame_batch_size,
            args.repeats,
        )


if __name__ == "__main__":
    main()

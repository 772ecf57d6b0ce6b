"""Tests of the data set `youtube8m` of TensorFlow Datasets."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl import flags
import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import train

try:
    import tensorflow_datasets as tfds

    # It imports dill, which TensorFlow Datasets does not bring.
    assert hasattr(tfds.testing, "DatasetBuilderTestCase")
except ModuleNotFoundError as error:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(
        f'needs pip install "yt8m_compact[test]": {error}',
        allow_module_level=True,
    )

from yt8m_compact.datasets import youtube8m

_FRAMES = {"rgb": 1024, "audio": 128}
_VIDEO = {"mean_rgb": 1024, "mean_audio": 128}


def _segment_record(index: int, num_frames: int) -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(
            index, num_frames, feature_sizes=_FRAMES
        )
    )
    context = message.context.feature
    context["segment_labels"].int64_list.value.extend([index, index + 1])
    context["segment_start_times"].int64_list.value.extend([0, index + 1])
    context["segment_end_times"].int64_list.value.extend([5, index + 6])
    context["segment_scores"].float_list.value.extend([0.0, 1.0])
    return message.SerializeToString()


def _audio_record(index: int, num_frames: int) -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(
            index,
            num_frames,
            feature_sizes={"audio_embedding": 128},
            id_key="video_id",
        )
    )
    context = message.context.feature
    context["start_time_seconds"].float_list.value.append(10.0 * index)
    context["end_time_seconds"].float_list.value.append(10.0 * index + 10)
    return message.SerializeToString()


def _write_shards(folder: pathlib.Path) -> None:
    """Writes small shards for every config: 3, 2 and 1 videos a split."""
    makers = {
        "video_level": lambda i, n: record_makers.make_video_example(
            i, feature_sizes=_VIDEO, labels=None if i > 4 else ()
        ),
        "frame_level": lambda i, n: record_makers.make_frame_example(
            i, n, feature_sizes=_FRAMES, labels=None if i > 4 else ()
        ),
        "segment_level": _segment_record,
        "audioset": _audio_record,
    }
    for config, make in makers.items():
        names = ["train00", "validate00", "test00"]
        if config == "audioset":
            # One as the tar file of AudioSet has it, in a folder.
            names = ["bal_train", "unbal_train/x0", "eval_1"]
        index = 0
        for name, number in zip(names, (3, 2, 1), strict=True):
            path = folder / config / f"{name}.tfrecord"
            path.parent.mkdir(parents=True, exist_ok=True)
            indices = range(index, index + number)
            record_makers.write_tfrecord(
                path, [make(i, i + 2) for i in indices]
            )
            index += number


class _Case(tfds.testing.DatasetBuilderTestCase):
    """What TensorFlow Datasets expects of every builder."""

    __test__ = False
    DATASET_CLASS = youtube8m.Builder

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        _write_shards(pathlib.Path(cls.EXAMPLE_DIR))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class Youtube8mTest(_Case):
    __test__ = True
    BUILDER_CONFIG_NAMES_TO_TEST = ["video_level", "frame_level"]
    SPLITS = {"train": 3, "validation": 2, "test": 1}


class SegmentsTest(_Case):
    __test__ = True
    BUILDER_CONFIG_NAMES_TO_TEST = ["segment_level"]
    SPLITS = {"validation": 2, "test": 1}


class AudiosetTest(_Case):
    __test__ = True
    BUILDER_CONFIG_NAMES_TO_TEST = ["audioset"]
    SPLITS = {"train": 3, "unbalanced_train": 2, "test": 1}


def _prepare(config: str, data_dir, manual_dir) -> tfds.core.DatasetBuilder:
    builder = youtube8m.Builder(config=config, data_dir=str(data_dir))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(manual_dir))
    )
    return builder


@pytest.fixture(scope="module", name="prepared")
def fixture_prepared(tmp_path_factory) -> dict[str, tfds.core.DatasetBuilder]:
    """Every config, prepared from small shards."""
    folder = tmp_path_factory.mktemp("youtube8m")
    _write_shards(folder / "manual")
    return {
        config: _prepare(config, folder / "data", folder / "manual")
        for config in youtube8m.Builder.builder_configs
    }


def _by_id(builder, split: str) -> dict[bytes, dict]:
    examples = tfds.as_numpy(builder.as_dataset(split=split))
    return {example["id"]: example for example in examples}


@pytest.mark.slow
def test_video_level_values(prepared):
    found = _by_id(prepared["video_level"], "train")
    assert sorted(found) == [record_makers.video_id(i) for i in range(3)]
    for index in range(3):
        example = found[record_makers.video_id(index)]
        expected = record_makers.video_labels(index, 10)
        assert example["labels"].tolist() == expected
        for number, (name, size) in enumerate(_VIDEO.items()):
            expected = record_makers.video_values(index, size, number)
            np.testing.assert_array_equal(example[name], expected)
    # Videos without labels have an empty list.
    (example,) = _by_id(prepared["video_level"], "test").values()
    assert example["labels"].tolist() == []


@pytest.mark.slow
def test_frame_level_values(prepared):
    found = _by_id(prepared["frame_level"], "validation")
    assert sorted(found) == [record_makers.video_id(i) for i in (3, 4)]
    for index in (3, 4):
        example = found[record_makers.video_id(index)]
        for number, (name, size) in enumerate(_FRAMES.items()):
            expected = record_makers.frame_values(
                index, index + 2, size, number
            )
            np.testing.assert_array_equal(example[name], expected)
            assert example[name].dtype == np.uint8


def test_segment_values(prepared):
    example = _by_id(prepared["segment_level"], "validation")[b"v00004"]
    assert example["segment_labels"].tolist() == [4, 5]
    assert example["segment_start_times"].tolist() == [0, 5]
    assert example["segment_end_times"].tolist() == [5, 10]
    assert example["segment_scores"].tolist() == [0.0, 1.0]
    assert example["rgb"].shape == (6, 1024)


def test_audioset_values(prepared):
    example = _by_id(prepared["audioset"], "unbalanced_train")[b"v00003"]
    assert (example["start_time_seconds"], example["end_time_seconds"]) == (
        30.0,
        40.0,
    )
    expected = record_makers.frame_values(3, 5, 128)
    np.testing.assert_array_equal(example["audio_embedding"], expected)


def test_supervised_pairs(prepared):
    dataset = prepared["video_level"].as_dataset(
        split="validation", as_supervised=True
    )
    for (rgb, audio), labels in dataset:
        assert (rgb.shape, audio.shape) == ((1024,), (128,))
        assert labels.dtype == tf.int64


def test_tfds_load_knows_the_name(prepared):
    builder = tfds.builder("youtube8m/audioset")
    assert isinstance(builder, youtube8m.Builder)
    assert builder.info.features["labels"].feature.num_classes == 527
    assert "Gemmeke" in builder.info.citation
    assert "Features and labels of YouTube videos" in builder.info.description


@pytest.mark.parametrize("config", ["frame_level", "audioset"])
def test_files_hold_packed_records(prepared, config):
    builder = prepared[config]
    found = readers.find_prepared(f"tfds:{builder.data_dir.rpartition('/')[0]}")
    assert found.frame_features
    assert found.feature_names == tuple(builder.builder_config.feature_sizes)
    assert found.num_classes == builder.builder_config.num_classes
    (file,) = readers.expand_patterns(found.split_pattern("train"))
    (first, *_) = tf.data.TFRecordDataset(file).as_numpy_iterator()
    features = tf.train.Example.FromString(first).features.feature
    index = int(features["id"].bytes_list.value[0][1:])
    for number, name in enumerate(found.feature_names):
        (value,) = features[name].bytes_list.value
        size = builder.builder_config.feature_sizes[name]
        expected = record_makers.frame_values(index, index + 2, size, number)
        assert value == expected.tobytes()


def test_no_shards(tmp_path):
    (tmp_path / "train00.txt").touch()
    with pytest.raises(FileNotFoundError, match="start with one of train, val"):
        _prepare("video_level", tmp_path / "data", tmp_path)


def test_a_bad_record_is_named(tmp_path):
    path = tmp_path / "train00.tfrecord"
    record_makers.write_tfrecord(
        path,
        [
            record_makers.make_video_example(0, feature_sizes=_VIDEO),
            record_makers.make_video_example(1, feature_sizes={"mean_rgb": 5}),
        ],
    )
    with pytest.raises(
        readers.DataError,
        match=f"{path}: record 1: expected 1024 floats of 'mean_rgb'. "
        "Received: 5; no 'mean_audio'",
    ):
        _prepare("video_level", tmp_path / "data", tmp_path)


def test_two_videos_of_one_id_are_refused(tmp_path):
    record = record_makers.make_video_example(0, feature_sizes=_VIDEO)
    path = tmp_path / "train00.tfrecord"
    record_makers.write_tfrecord(path, [record, record])
    with pytest.raises(AssertionError, match="share the same hashed key"):
        _prepare("video_level", tmp_path / "data", tmp_path)


def test_without_tensorflow_datasets(tmp_path):
    code = (
        "import sys; sys.modules['tensorflow_datasets'] = None\n"
        "import yt8m_compact.datasets\n"
        "try: import yt8m_compact.datasets.youtube8m\n"
        "except ModuleNotFoundError as error: print(error.name, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.startswith("tensorflow_datasets expected tensorflow-dat")
    assert 'pip install "yt8m_compact[tfds]"' in done.stdout


def _main(program, *arguments: str) -> int:
    flag_values = flags.FlagValues()
    program.define_flags(flag_values)
    rest = flag_values(["program", *arguments])
    return program.main(flag_values, rest[1:])


@pytest.mark.slow
def test_real_shards_are_prepared_and_trained_on(
    tmp_path, shared_data, monkeypatch, capsys
):
    shards = shared_data / "yt8m_2018_video"
    (tmp_path / "manual").mkdir()
    for name, source in (("train00", "0000"), ("validate00", "0080")):
        (tmp_path / "manual" / f"{name}.tfrecord").symlink_to(
            shards / f"validate{source}.tfrecord"
        )
    builder = _prepare("video_level", tmp_path / "tfds", tmp_path / "manual")
    source = {}
    for data in tf.data.TFRecordDataset(
        str(shards / "validate0080.tfrecord")
    ).as_numpy_iterator():
        features = tf.train.Example.FromString(data).features.feature
        source[features["id"].bytes_list.value[0]] = features
    found = _by_id(builder, "validation")
    assert sorted(found) == sorted(source)
    for video_id, features in source.items():
        example = found[video_id]
        assert (
            example["labels"].tolist() == features["labels"].int64_list.value[:]
        )
        for name in _VIDEO:
            expected = np.array(features[name].float_list.value, np.float32)
            np.testing.assert_array_equal(example[name], expected)

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    run = f"--train_dir={tmp_path / 'run'}"
    data = "--data=tfds:youtube8m/video_level"
    assert _main(train, run, data, "--batch_size=64", "--num_epochs=1") == 0
    capsys.readouterr()
    assert _main(evaluate, run, data) == 0
    from_tfds = capsys.readouterr().out
    # The order of videos is another one, the metrics are the same.
    pattern = f"--eval_data_pattern={shards / 'validate0080.tfrecord'}"
    assert _main(evaluate, run, pattern) == 0
    from_shards = capsys.readouterr().out
    assert _metrics(from_tfds) == _metrics(from_shards)
    assert "GAP@20" in _metrics(from_tfds)


def _metrics(text: str) -> dict[str, str]:
    start = text.index("metric ")
    lines = [line.rsplit(None, 1) for line in text[start:].splitlines()]
    return {line[0].strip(): line[1] for line in lines if len(line) == 2}


@pytest.mark.slow
@pytest.mark.parametrize("config", ["frame_level", "audioset"])
def test_the_reader_reads_prepared_frames_as_it_reads_the_shards(
    prepared, tmp_path, config
):
    builder = prepared[config]
    _write_shards(tmp_path)
    names = tuple(builder.builder_config.feature_sizes)
    sizes = tuple(builder.builder_config.feature_sizes.values())
    reader = readers.FrameLevelReader(names, sizes, 527, max_frames=9)
    start = "bal_train" if config == "audioset" else "train"
    batches = []
    for pattern in (
        f"tfds:{builder.data_dir.rpartition('/')[0]}/train",
        f"{tmp_path / config}/{start}*.tfrecord",
    ):
        files = readers.expand_patterns(pattern)
        readers.check_format(files, reader, require_labels=True)
        (batch,) = readers.make_dataset(reader, files, batch_size=8)
        batches.append(batch)
    first, second = ({k: v.numpy() for k, v in b.items()} for b in batches)
    assert set(first) == set(second)
    # TensorFlow Datasets shuffles by the id.
    rows = np.argsort(first["id"]), np.argsort(second["id"])
    for key in first:
        np.testing.assert_array_equal(
            first[key][rows[0]], second[key][rows[1]], err_msg=key
        )
    assert first["num_frames"].sum() == 2 + 3 + 4

"""YouTube-8M and AudioSet as a data set of TensorFlow Datasets."""

from collections.abc import Iterator, Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from yt8m_compact import readers
from yt8m_compact.readers import messages
from yt8m_compact.readers import record_rules

_SEGMENT_INTS = ("segment_start_times", "segment_end_times")
_TIMES = ("start_time_seconds", "end_time_seconds")
_YOUTUBE8M_SPLITS = {
    "train": "train",
    "validation": "validate",
    "test": "test",
}
_HOMEPAGE = "https://research.google.com/youtube8m/"


@dataclasses.dataclass
class Youtube8mConfig(tfds.core.BuilderConfig):
    """One level of features.

    Attributes:
        layout: How the shards keep features.
        feature_sizes: Sizes of the features, by name.
        num_classes: The number of classes.
        splits: How the names of a split's files start, by split; or the name
            of the folder they are in.
        segments: Whether there are rated segments.
        times: Whether there are the times at which a clip starts and ends.
        homepage: The data set's page.
    """

    layout: record_rules.Layout = record_rules.Layout.VIDEO
    feature_sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    num_classes: int = 3862
    splits: dict[str, str] = dataclasses.field(
        default_factory=lambda: dict(_YOUTUBE8M_SPLITS)
    )
    segments: bool = False
    times: bool = False
    homepage: str = _HOMEPAGE

    @property
    def spec(self) -> record_rules.RecordSpec:
        """What each record of the shards must hold."""
        return record_rules.RecordSpec(
            self.layout,
            tuple(self.feature_sizes),
            tuple(self.feature_sizes.values()),
            self.num_classes,
        )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builder of `youtube8m`.

    Prepared records have the keys of YouTube-8M's own, frames packed as
    `yt8m-data repack` writes them, so that yt8m_compact reads the files as they
    are.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Put shards into the manual directory, or into a folder of it that has the
    name of the config (video_level, frame_level, segment_level, audioset):
    train*.tfrecord, validate*.tfrecord and test*.tfrecord, or folders train,
    validate and test. `yt8m-data download` gets them; all of them take 1.5 TB
    at frame level and 31 GB at video level, and any of them will do. For
    AudioSet the names are bal_train, unbal_train and eval.
    """
    BUILDER_CONFIGS = [
        Youtube8mConfig(
            name="video_level",
            description="YouTube-8M of 2018, the mean of each video's frames.",
            feature_sizes={"mean_rgb": 1024, "mean_audio": 128},
        ),
        Youtube8mConfig(
            name="frame_level",
            description="YouTube-8M of 2018, one frame a second.",
            layout=record_rules.Layout.FRAMES,
            feature_sizes={"rgb": 1024, "audio": 128},
        ),
        Youtube8mConfig(
            name="segment_level",
            description="YouTube-8M of 2019, with rated segments of 5 seconds.",
            layout=record_rules.Layout.FRAMES,
            feature_sizes={"rgb": 1024, "audio": 128},
            splits={"validation": "validate", "test": "test"},
            segments=True,
        ),
        Youtube8mConfig(
            name="audioset",
            description="AudioSet's embeddings of clips of 10 seconds.",
            layout=record_rules.Layout.FRAMES,
            feature_sizes={"audio_embedding": 128},
            num_classes=527,
            splits={
                "train": "bal_train",
                "unbalanced_train": "unbal_train",
                "test": "eval",
            },
            times=True,
            homepage="https://research.google.com/audioset/",
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        label = tfds.features.ClassLabel(num_classes=config.num_classes)
        features = {
            "id": tfds.features.Text(),
            "labels": tfds.features.Sequence(label),
        }
        for name, size in config.feature_sizes.items():
            if config.layout is record_rules.Layout.VIDEO:
                feature = tfds.features.Tensor(shape=(size,), dtype=np.float32)
            else:
                feature = tfds.features.Tensor(
                    shape=(None, size),
                    dtype=np.uint8,
                    encoding=tfds.features.Encoding.BYTES,
                )
            features[name] = feature
        if config.segments:
            features["segment_labels"] = tfds.features.Sequence(label)
            for name in _SEGMENT_INTS:
                features[name] = tfds.features.Sequence(np.int64)
            features["segment_scores"] = tfds.features.Sequence(np.float32)
        if config.times:
            features |= dict.fromkeys(_TIMES, np.float32)
        names = tuple(config.feature_sizes)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=(names if len(names) > 1 else names[0], "labels"),
            homepage=config.homepage,
            license="CC BY 4.0, Google",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[bytes, dict[str, Any]]]]:
        folder = dl_manager.manual_dir
        if (folder / self.builder_config.name).is_dir():
            folder = folder / self.builder_config.name
        splits = {}
        for split, start in self.builder_config.splits.items():
            files = [
                *folder.glob(f"{start}*.tfrecord"),
                *(folder / start).glob("*.tfrecord"),
            ]
            if files:
                splits[split] = sorted(str(file) for file in files)
        if not splits:
            starts = ", ".join(self.builder_config.splits.values())
            raise FileNotFoundError(
                f"{folder}: expected *.tfrecord whose names start with one of "
                f"{starts}, or folders of these names. "
                f"{self.MANUAL_DOWNLOAD_INSTRUCTIONS.strip()}"
            )
        return {
            split: self._generate_examples(files)
            for split, files in splits.items()
        }

    def _generate_examples(
        self, files: Sequence[str]
    ) -> Iterator[tuple[bytes, dict[str, Any]]]:
        config = self.builder_config
        spec = config.spec
        with readers.readable_errors():
            records = readers.read_records(files).as_numpy_iterator()
            for file, number, data in records:
                examined = record_rules.examine(data, spec)
                if examined.faults:
                    text = "; ".join(text for _, text in examined.faults)
                    raise readers.DataError(
                        f"{file.decode()}: record {number}: {text}; see "
                        "`yt8m-data verify`"
                    )
                yield examined.id, _make_example(data, examined, config)


def _make_example(
    data: bytes, examined: record_rules.Examined, config: Youtube8mConfig
) -> dict[str, Any]:
    message = messages.parse(data)
    context = message.context.feature
    example: dict[str, Any] = {
        "id": examined.id,
        "labels": examined.labels or (),
    }
    for name, size in config.feature_sizes.items():
        if config.layout is record_rules.Layout.VIDEO:
            example[name] = np.array(context[name].float_list.value, np.float32)
        else:
            codes = messages.frame_codes(message, name)
            example[name] = np.frombuffer(codes, np.uint8).reshape(-1, size)
    if config.segments:
        for name in ("segment_labels", *_SEGMENT_INTS):
            example[name] = list(_values(context, name).int64_list.value)
        scores = _values(context, "segment_scores").float_list.value
        example["segment_scores"] = list(scores)
    if config.times:
        for name in _TIMES:
            values = _values(context, name).float_list.value
            example[name] = values[0] if values else np.nan
    return example


def _values(context, name: str) -> tf.train.Feature:
    # Looking a key up would make it.
    return context[name] if name in context else tf.train.Feature()

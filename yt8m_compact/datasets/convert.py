"""Features as MediaPipe extracts them, with labels from a CSV, to records.

MediaPipe's YouTube-8M graph writes one `tf.train.SequenceExample` per video,
whose feature lists hold floats. Models are trained on, and exported for, the
8-bit codes of YouTube-8M.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import os
import re
from typing import Any

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import ids as ids_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import record_writer
    from yt8m_compact.datasets import repack
    from yt8m_compact.datasets import scan
    from yt8m_compact.ops import quantization
    from yt8m_compact.readers import messages

_ID_KEYS = (*ids_lib.ID_KEYS, "example/id")
_PATH_KEY = "clip/data_path"
_NAME_COLUMNS = ("name", "label_name", "display_name", "mid")
_INDEX_COLUMNS = ("index", "label_id")
_VERTICAL_COLUMNS = ("vertical1", "vertical2", "vertical3")
# Python refuses to read thousands of digits.
_DIGITS = "[0-9]{1,18}"
# The labels of all videos of YouTube-8M, by number, take 0.2 GB.
_MAX_CSV_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """How features are converted."""

    source_features: tuple[str, ...] = settings.setting(
        ("RGB/feature/floats", "AUDIO/feature/floats"),
        "Feature lists of floats to read, comma-separated.",
    )
    feature_names: tuple[str, ...] = settings.setting(
        ("rgb", "audio"),
        "What they are called in the records, comma-separated.",
    )
    feature_sizes: tuple[int, ...] = settings.setting(
        (1024, 128), "Size of each feature, comma-separated."
    )
    num_classes: int = settings.setting(
        3862,
        "Number of classes, which labels must be below: 3862 for YouTube-8M of "
        "2018.",
        minimum=1,
    )
    fill_missing: bool = settings.setting(
        False,
        "Whether a feature that a video lacks (no sound) becomes zeros; if "
        "not, it is an error.",
    )
    keep_unlabelled: bool = settings.setting(
        False, "Whether videos without labels are written too."
    )
    packed: bool = settings.setting(
        False, "Whether records are written packed, as by `yt8m-data repack`."
    )
    num_shards: int = settings.setting(
        1, "Number of files to write.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )
        if len(self.source_features) != len(self.feature_names):
            raise ValueError(
                "expected as many source_features as feature_names. "
                f"Received: source_features={','.join(self.source_features)}, "
                f"feature_names={','.join(self.feature_names)}"
            )


@dataclasses.dataclass
class ConvertReport:
    """What became of videos.

    Attributes:
        files: The files written, with their numbers of videos.
        num_written: Videos written.
        without_labels: Ids of videos that the CSV has no labels for.
        without_features: Ids of the CSV that there are no features for.
        filled: Ids of videos that lacked a feature, now zeros.
        shortened: Ids of videos whose features had different numbers of frames;
            all have that of the shortest one now.
        num_values: Feature values written.
        num_clipped: How many of them were outside of the codes' range.
    """

    files: dict[str, int] = dataclasses.field(default_factory=dict)
    num_written: int = 0
    without_labels: list[str] = dataclasses.field(default_factory=list)
    without_features: list[str] = dataclasses.field(default_factory=list)
    filled: list[str] = dataclasses.field(default_factory=list)
    shortened: list[str] = dataclasses.field(default_factory=list)
    num_values: int = 0
    num_clipped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON has it."""
        return dataclasses.asdict(self)

    def to_text(self, config: ConvertConfig) -> str:
        """Returns the report as lines."""
        kept = "written without" if config.keep_unlabelled else "left out"
        lines = [
            f"{number:,} videos in {file}"
            for file, number in self.files.items()
        ]
        for ids, text in (
            (self.without_labels, f"videos without labels, {kept}"),
            (self.without_features, "labels without features, left out"),
            (self.filled, "videos lacked a feature, which is zeros now"),
            (self.shortened, "videos cut to their shortest feature"),
        ):
            if ids:
                more = ", ..." if len(ids) > 5 else ""
                lines.append(f"{len(ids):,} {text}: {', '.join(ids[:5])}{more}")
        share = self.num_clipped / max(1, self.num_values)
        lines.append(
            f"{share:.3%} of the values were outside of [-2, 2] and clipped"
        )
        return "\n".join(lines)


def read_vocabulary(path: str) -> dict[str, int | None]:
    """Reads the classes by their names.

    Args:
        path: CSV with a header: a column `Index`, `index` or `label_id`, and
            one or more of `Name`, `label_name`, `display_name` and `mid`, as in
            the vocabularies of YouTube-8M and AudioSet.

    Returns:
        The class by name in lower case, None for a name of several classes.

    Raises:
        ValueError: If the file is anything else.
    """
    classes: dict[str, int | None] = {}
    for index, names in _read_classes(path):
        for name in {name.lower() for name in names} - {""}:
            known = classes.get(name, index)
            classes[name] = index if known == index else None
    return classes


def read_class_names(path: str) -> dict[int, str]:
    """Reads a name for each class, to show.

    Args:
        path: As of `read_vocabulary`.

    Returns:
        The first name of each class that has one, in the order `Name`,
        `label_name`, `display_name`, `mid`.

    Raises:
        ValueError: If the file is anything else.
    """
    class_names: dict[int, str] = {}
    for index, names in _read_classes(path):
        for name in filter(None, names):
            class_names.setdefault(index, name)
    return class_names


def read_verticals(path: str) -> dict[str, list[int]]:
    """Reads which classes belong to which vertical, such as `Games`.

    Args:
        path: As of `read_vocabulary`; with columns `Vertical1`, `Vertical2` and
            `Vertical3`, as far as there are verticals.

    Returns:
        The classes of each vertical, rising, by its name; none where the file
        has no such column.

    Raises:
        ValueError: If the file is anything else.
    """
    verticals: dict[str, set[int]] = {}
    for index, names in _read_classes(path, _VERTICAL_COLUMNS):
        for name in filter(None, names):
            verticals.setdefault(name, set()).add(index)
    return {name: sorted(verticals[name]) for name in sorted(verticals)}


def _read_classes(
    path: str, wanted: Sequence[str] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Yields each line's class and its names, or what it has of columns."""
    rows = _read_csv(path)
    columns = [column.strip().lower() for column in rows[0][1]]
    indices = [columns.index(c) for c in _INDEX_COLUMNS if c in columns]
    names = [columns.index(c) for c in _NAME_COLUMNS if c in columns]
    shown = names
    if wanted:
        shown = [columns.index(c) for c in wanted if c in columns]
    if not indices or not names:
        raise ValueError(
            f"{path}: expected columns {' or '.join(_INDEX_COLUMNS)}, and "
            f"{' or '.join(_NAME_COLUMNS)}. Received: "
            f"{','.join(rows[0][1]):.80}"
        )
    for line, row in rows[1:]:
        if len(row) < len(columns):
            raise ValueError(
                f"{path}: line {line}: expected the {len(columns)} columns of "
                f"the first line. Received: {','.join(row):.80}"
            )
        index = _index(row[indices[0]])
        if index is None:
            raise ValueError(
                f"{path}: line {line}: expected the number of a class. "
                f"Received: {row[indices[0]]!r:.80}"
            )
        yield index, [row[column].strip() for column in shown]


def read_labels(
    path: str,
    num_classes: int,
    vocabulary: Mapping[str, int | None] | None = None,
) -> dict[str, tuple[int, ...]]:
    """Reads the labels of videos.

    Args:
        path: CSV, `id,labels` in every line: numbers of classes, separated by
            spaces, semicolons or commas; or names, separated by semicolons or
            commas. A first line that starts with `id` or `VideoId` is a header.
        num_classes: Labels must be below this number.
        vocabulary: From `read_vocabulary`.

    Returns:
        Labels by id, in increasing order.

    Raises:
        ValueError: If a line does not fit; the message names it.
    """
    labels: dict[str, tuple[int, ...]] = {}
    lines: dict[str, int] = {}
    for line, row in _read_csv(path):
        video_id = row[0].strip()
        if line == 1 and video_id.lower() in ("id", "video_id", "videoid"):
            continue
        if not video_id or len(row) < 2:
            raise ValueError(
                f"{path}: line {line}: expected an id and labels, such as "
                f"'abcd,3 17'. Received: {','.join(row)!r:.80}"
            )
        if video_id in labels:
            raise ValueError(
                f"{path}: line {line}: expected every id once. Received: "
                f"{video_id!r:.80}, which is in line {lines[video_id]} too"
            )
        classes = set()
        for cell in row[1:]:
            for text in filter(None, map(str.strip, cell.split(";"))):
                classes |= _classes(
                    text, vocabulary or {}, f"{path}: line {line}"
                )
        outside = [label for label in classes if not 0 <= label < num_classes]
        if outside or not classes:
            raise ValueError(
                f"{path}: line {line}: expected one or more labels from 0 to "
                f"{num_classes - 1}. Received: {','.join(row[1:])!r:.80}"
            )
        labels[video_id] = tuple(sorted(classes))
        lines[video_id] = line
    return labels


def convert_files(
    patterns: str | Sequence[str],
    output_dir: str,
    config: ConvertConfig | None = None,
    *,
    labels: Mapping[str, Sequence[int]] | None = None,
    overwrite: bool = False,
) -> ConvertReport:
    """Writes records in YouTube-8M's frame-level format.

    Args:
        patterns: Files as in `readers.expand_patterns`: one video each, named
            `*.pb`, or TFRecord files of them. The id of a video is in its
            context (`id`, `video_id` or `example/id`), or else the name of
            its `.pb` file or of the video's file (`clip/data_path`), without
            ending.
        output_dir: Folder to write `videos-00000-of-00001.tfrecord` to.
        config: What to do, the defaults if None.
        labels: Labels by id; None if there are none, as for prediction.
        overwrite: Whether to replace files that are there.

    Returns:
        What became of the videos.

    Raises:
        ValueError: If an id occurs twice, no video would be written, or a file
            would be replaced.
        DataError: If a record does not hold what it should.
        OSError: If a file can't be written.
    """
    config = config or ConvertConfig()
    output_dir = files_lib.expand_user(output_dir)
    files = readers.expand_patterns(patterns)
    paths = [
        os.path.join(
            output_dir, f"videos-{i:05d}-of-{config.num_shards:05d}.tfrecord"
        )
        for i in range(config.num_shards)
    ]
    for path in paths:
        if tf.io.gfile.exists(path) and not overwrite:
            raise ValueError(
                f"{path}: expected a file that does not exist yet. "
                "Received: a file that is there; choose another output_dir, "
                "or set overwrite to replace it"
            )
        if os.path.realpath(path) in map(os.path.realpath, files):
            raise ValueError(
                f"{path}: expected another folder than that of the input, "
                "which is never replaced. Received: a file of the input; "
                "choose another output_dir"
            )
    report = ConvertReport()
    seen: dict[str, str] = {}
    counts = [0] * len(paths)
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(
            progress.video_bar("convert", files, total=_total(files))
        )
        writers = stack.enter_context(record_writer.writing_all(paths))
        for where, name, data in _read_videos(files):
            bar.update()
            message = messages.parse(data)
            if message is None:
                raise readers.DataError(
                    f"{where}: expected a tf.train.SequenceExample. Received: "
                    f"{len(data)} bytes that are none"
                )
            video_id = _find_id(message, name, where)
            if video_id in seen:
                raise ValueError(
                    f"{where}: expected every id once. Received: {video_id!r}, "
                    f"which {seen[video_id]} has too"
                )
            seen[video_id] = where
            video_labels = None
            if labels is not None:
                video_labels = labels.get(video_id)
                if video_labels is None:
                    report.without_labels.append(video_id)
                    if not config.keep_unlabelled:
                        continue
            codes = _quantize_features(message, where, video_id, config, report)
            record = _serialize(video_id, video_labels, codes, config)
            shard = report.num_written % len(writers)
            writers[shard].write(record)
            counts[shard] += 1
            report.num_written += 1
        progress.finish(bar)
        if report.num_written < len(paths):
            raise ValueError(
                f"expected at least one video a file. Received: "
                f"{report.num_written} of {len(seen)} videos to be written to "
                f"{len(paths)} file(s), {len(report.without_labels)} without "
                "labels; check that the ids of the CSV are those of the videos,"
                f" such as {next(iter(seen), None)!r}"
            )
    report.files = dict(zip(paths, counts, strict=True))
    report.without_features = [
        name for name in labels or () if name not in seen
    ]
    return report


def _read_csv(path: str) -> list[tuple[int, list[str]]]:
    text = untrusted.read_text(path, "a CSV file", _MAX_CSV_BYTES)
    rows = untrusted.parse_csv(text, path, "CSV")
    if not rows:
        raise ValueError(f"{path}: expected a CSV file. Received: no line")
    return rows


def _index(text: str) -> int | None:
    text = text.strip()
    return int(text) if re.fullmatch(_DIGITS, text) else None


def _classes(
    text: str, vocabulary: Mapping[str, int | None], where: str
) -> set[int]:
    words = [text] if text.lower() in vocabulary else text.split()
    classes = set()
    for word in words:
        label = vocabulary.get(word.lower(), _index(word))
        if label is None:
            kind = (
                "a name of several classes"
                if word.lower() in vocabulary
                else ("neither")
            )
            raise ValueError(
                f"{where}: expected numbers of classes, or names of the "
                f"vocabulary ({len(vocabulary)} names). Received: {word!r:.80},"
                " "
                f"{kind}"
            )
        classes.add(label)
    return classes


def _total(files: Sequence[str]) -> int | None:
    if all(file.endswith(".pb") for file in files):
        return len(files)
    try:
        return readers.estimate_num_records(files)
    except readers.DataError:
        return None


def _read_videos(
    files: Sequence[str],
) -> Iterator[tuple[str, str | None, bytes]]:
    """Yields what to call each video in errors, its file's name, its data."""
    for file in files:
        if file.endswith(".pb"):
            with tf.io.gfile.GFile(file, "rb") as stream:
                yield (
                    file,
                    os.path.basename(file).removesuffix(".pb"),
                    stream.read(),
                )
            continue
        for number, data in scan.read_good(file):
            yield f"{file}: record {number}", None, data


def _find_id(
    message: tf.train.SequenceExample, name: str | None, where: str
) -> str:
    features = message.context.feature
    for key in _ID_KEYS:
        if key in features and len(features[key].bytes_list.value) == 1:
            return features[key].bytes_list.value[0].decode("utf-8", "replace")
    if not name and _PATH_KEY in features:
        values = features[_PATH_KEY].bytes_list.value
        path = values[0].decode("utf-8", "replace") if values else ""
        name = os.path.splitext(os.path.basename(path))[0]
    if not name:
        raise readers.DataError(
            f"{where}: expected an id under {', '.join(_ID_KEYS)} or the "
            f"video's file under {_PATH_KEY}. Received: "
            f"keys={','.join(sorted(features))}"
        )
    return name


def _quantize_features(
    message: tf.train.SequenceExample,
    where: str,
    video_id: str,
    config: ConvertConfig,
    report: ConvertReport,
) -> dict[str, np.ndarray]:
    """Returns uint8 `[num_frames, size]` by feature, all equally long."""
    lists = message.feature_lists.feature_list
    features: dict[str, np.ndarray | None] = {}
    for source, name, size in zip(
        config.source_features,
        config.feature_names,
        config.feature_sizes,
        strict=True,
    ):
        if source not in lists or not lists[source].feature:
            features[name] = None
            continue
        frames = [step.float_list.value for step in lists[source].feature]
        lengths = {len(frame) for frame in frames}
        if lengths != {size}:
            raise readers.DataError(
                f"{where}: expected {size} floats of '{source}' in every "
                f"frame. Received: {', '.join(map(str, sorted(lengths)))}"
            )
        values = np.array(frames, np.float32)
        if not np.isfinite(values).all():
            raise readers.DataError(
                f"{where}: expected finite values of '{source}'. Received: NaN "
                "or infinity"
            )
        features[name] = values
    missing = [name for name, values in features.items() if values is None]
    if missing:
        if not config.fill_missing or len(missing) == len(features):
            raise readers.DataError(
                f"{where}: expected frames of the features "
                f"{','.join(config.source_features)}. Received: "
                f"{','.join(sorted(lists)) or 'none'}; set fill_missing to "
                "fill what one of them lacks with zeros"
            )
        report.filled.append(video_id)
    present = [values for values in features.values() if values is not None]
    lengths = [len(values) for values in present]
    if min(lengths) < max(lengths):
        report.shortened.append(video_id)
    codes = {}
    for name, size in zip(
        config.feature_names, config.feature_sizes, strict=True
    ):
        values = features[name]
        if values is None:
            values = np.zeros((min(lengths), size), np.float32)
        values = values[: min(lengths)]
        half = quantization.STEP / 2
        low = quantization.OFFSET - half
        high = quantization.OFFSET + 255 * quantization.STEP + half
        report.num_values += values.size
        report.num_clipped += int(((values < low) | (values > high)).sum())
        codes[name] = quantization.quantize(values).numpy()
    return codes


def _serialize(
    video_id: str,
    labels: Sequence[int] | None,
    codes: Mapping[str, np.ndarray],
    config: ConvertConfig,
) -> bytes:
    message = tf.train.SequenceExample()
    features = message.context.feature
    features["id"].bytes_list.value.append(video_id.encode())
    if labels is not None:
        features["labels"].int64_list.value.extend(labels)
    for name, values in codes.items():
        frames = message.feature_lists.feature_list[name].feature
        for frame in values:
            frames.add().bytes_list.value.append(frame.tobytes())
    data = message.SerializeToString(deterministic=True)
    return repack.pack(data) if config.packed else data

"""Predictions for files of records, as the starter code's CSV."""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import re

import numpy as np
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import serving
from yt8m_compact import tensorflow_errors
from yt8m_compact import train_dir as train_dir_lib
from yt8m_compact.readers import windows

CSV_HEADER = "VideoId,LabelConfidencePairs"

# The model always gets this many videos, whatever the batch size: the last
# bits of a matrix product depend on the number of rows.
_BLOCK_SIZE = 64

# Where a record is, in the errors of a model that is served.
_REQUEST_RECORD = re.compile(r"the request: record (\d+)(: )?")


@dataclasses.dataclass(frozen=True)
class Predictor:
    """Predicts from records.

    Attributes:
      predict: gets serialized records, string `[batch]`, and returns `id`
        `[rows]` and `predictions` `[rows, num_classes]`; and `record`, int64
        `[rows]`, the record of each row, where there is not one for each.
      reader: what reads the records; None where that is not known.
      unit: what a row is: "videos" or "segments".
    """

    predict: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    reader: readers.Reader | None = None
    unit: str = "videos"


class _BadRecordError(Exception):
    """A record of a block can't be predicted.

    Attributes:
      row: its place in the block.
      reason: why, in a sentence.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def predictor_from_train_dir(
    train_dir: str, step: int | None = None
) -> Predictor:
    """Makes a predictor from a run's checkpoint.

    Args:
      train_dir: the folder of the run.
      step: step of the checkpoint; None is the newest one.

    Returns:
      The predictor.

    Raises:
      ValueError: if the run is missing or broken.
    """
    run = train_dir_lib.TrainDir(train_dir)
    config, model, _ = run.restore_model(step)
    return Predictor(
        serving.ServingModule(config, model, top_k=1).predict_serialized,
        config.reader(training=False, whole_videos=True),
    )


def segment_predictor_from_train_dir(
    train_dir: str, step: int | None = None
) -> Predictor:
    """Makes a predictor of the segments of videos, from a run's checkpoint.

    A video's segments are its seconds 0 to 4, 5 to 9 and so on, rated or not,
    the last one shorter, as with the starter code's `--segment_labels`. Their
    ids are `id:start`, and their frames those that an evaluation of rated
    segments looks at.

    Args:
      train_dir: the folder of the run, which may have been trained on segments
        or on whole videos.
      step: step of the checkpoint; None is the newest one.

    Returns:
      The predictor.

    Raises:
      ValueError: if the run is missing or broken, or one of video level.
    """
    run = train_dir_lib.TrainDir(train_dir)
    config, model, _ = run.restore_model(step)
    reader = config.reader(training=False, whole_videos=True)
    if not reader.frame_features:
        raise ValueError(
            f"{train_dir}: expected a run with --frame_features, since "
            "video-level records have no segments. Received: "
            "frame_features=False"
        )
    all_frames = dataclasses.replace(
        reader,
        frame_sampling=readers.FrameSampling.ALL,
        num_sampled_frames=None,
    )
    of_segments = dataclasses.replace(reader, parts=readers.VideoParts.SEGMENTS)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def cut(examples):
        batch = all_frames.parse(examples)
        frames, lengths, places = _cut_segments(
            batch["frames"], batch["num_frames"]
        )
        frames, lengths = of_segments.sample(frames, lengths)
        starts = tf.strings.as_string(places[:, 1] * windows.SEGMENT_FRAMES)
        record = places[:, 0]
        ids = tf.strings.join([tf.gather(batch["id"], record), ":", starts])
        return frames, lengths, ids, record

    @tf.function
    def predict_part(frames, num_frames):
        inputs = {"frames": frames, "num_frames": num_frames}
        return model(inputs, training=False)

    def predict(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        frames, lengths, ids, record = cut(examples)
        parts = []
        for start in range(0, len(ids), _BLOCK_SIZE):
            # The last one is filled up with its last segment.
            rows = tf.range(start, start + _BLOCK_SIZE)
            rows = tf.minimum(rows, len(ids) - 1)
            parts.append(
                predict_part(tf.gather(frames, rows), tf.gather(lengths, rows))
            )
        return {
            "id": ids,
            "record": record,
            "predictions": tf.concat(parts, axis=0)[: len(ids)],
        }

    return Predictor(predict, reader, "segments")


def _cut_segments(
    frames: tf.Tensor, num_frames: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts videos into segments, the last ones shorter.

    Args:
      frames: `[batch, time, feature_dim]`.
      num_frames: int32 `[batch]`.

    Returns:
      Frames of the segments `[segments, 5, feature_dim]`, their numbers int32
      `[segments]`, and int64 `[segments, 2]`: video, and number in the video.
    """
    size = windows.SEGMENT_FRAMES
    _, time, feature_dim = frames.shape
    count = -(-time // size)
    frames = tf.pad(frames, [[0, 0], [0, count * size - time], [0, 0]])
    frames = tf.reshape(frames, [-1, count, size, feature_dim])
    left = num_frames[:, tf.newaxis] - size * tf.range(count)
    places = tf.where(left > 0)
    lengths = tf.minimum(tf.gather_nd(left, places), size)
    return tf.gather_nd(frames, places), lengths, places


def predictor_from_saved_model(path: str) -> Predictor:
    """Makes a predictor from a SavedModel of yt8m-export.

    Args:
      path: the folder of the SavedModel.

    Returns:
      The predictor.

    Raises:
      ValueError: if there is none, or it has other signatures.
    """
    if not tf.saved_model.contains_saved_model(path):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote. Received: "
            "none there"
        )
    loaded = tf.saved_model.load(path)
    function = loaded.signatures.get(serving.SERIALIZED_SIGNATURE)
    outputs = function.structured_outputs if function else {}
    if not {"id", "predictions"} <= set(outputs):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote, whose "
            f"signature {serving.SERIALIZED_SIGNATURE} gives id and "
            f"predictions. Received: signatures={sorted(loaded.signatures)}, "
            f"outputs={sorted(outputs)}"
        )

    def predict(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        # Through `loaded`, which owns the weights and must stay alive.
        signature = loaded.signatures[serving.SERIALIZED_SIGNATURE]
        return signature(examples=examples)

    return Predictor(predict)


def write_csv(
    predictor: Predictor,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int = 20,
    batch_size: int = 256,
    num_readers: int = 8,
    num_shards: int = 1,
    shard_index: int = 0,
    skipped: readers.SkippedData | None = None,
) -> int:
    """Predicts every record and writes the starter code's CSV.

    The header `VideoId,LabelConfidencePairs`, then a line a video or segment:
    its id, a comma, and pairs of class and probability, best first, all
    separated by spaces. The file appears when it is complete.

    Args:
      predictor: from `predictor_from_train_dir`, `predictor_from_saved_model`
        or `segment_predictor_from_train_dir`.
      input_data_pattern: files to predict: glob patterns, comma-separated.
      output_file: the CSV file.
      top_k: number of pairs of a line; at most all classes.
      batch_size: number of records read at a time; the output does not
        depend on it.
      num_readers: number of files that are read at the same time.
      num_shards: how many workers share the files.
      shard_index: which of them this is; it predicts every `num_shards`-th
        file.
      skipped: where to count what is damaged or does not fit, which is then
        left out. None to stop with an error.

    Returns:
      The number of videos, or of segments.

    Raises:
      DataError: if the data is missing or broken.
      ValueError: if there is no such shard.
    """
    files = readers.shard_files(
        readers.expand_patterns(input_data_pattern), num_shards, shard_index
    )
    if skipped is not None and predictor.reader is not None:
        # Data of another kind is an error, not thousands of skipped records.
        readers.check_format(files, predictor.reader, skipped=skipped)
    records = readers.read_records(
        files, num_readers=num_readers, skipped=skipped
    )
    partial = f"{output_file}.partial"
    num_rows = 0
    try:
        with (
            tf.io.gfile.GFile(partial, "w") as csv,
            progress.video_bar("predict", files) as bar,
        ):
            csv.write(CSV_HEADER + "\n")
            for block in _blocks(records, batch_size):
                ids, predictions = _predict_good(predictor, *block, skipped)
                csv.write("".join(_format_lines(ids, predictions, top_k)))
                num_rows += len(ids)
                bar.update(len(block[0]))
            progress.finish(bar)
        if skipped and not num_rows:
            raise readers.DataError(
                f"{files[0]}: expected at least one record that can be "
                f"predicted. Received:\n{skipped.to_text()}"
            )
        tf.io.gfile.rename(partial, output_file, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.remove(partial)
        raise
    return num_rows


def _blocks(
    records: tf.data.Dataset, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields files, indices and records of up to `_BLOCK_SIZE` videos."""
    dataset = records.batch(batch_size).rebatch(_BLOCK_SIZE)
    with readers.readable_errors():
        yield from dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def _predict_good(
    predictor: Predictor,
    files: np.ndarray,
    indices: np.ndarray,
    serialized: np.ndarray,
    skipped: readers.SkippedData | None,
) -> tuple[list[str], np.ndarray]:
    """Predicts a block, without its bad records if they may be skipped."""
    while len(serialized):
        try:
            return _predict_block(predictor, serialized)
        except _BadRecordError as bad:
            file, index = files[bad.row].decode(), int(indices[bad.row])
            if skipped is None:
                raise readers.DataError(
                    f"{file}: record {index}: {bad.reason}"
                ) from None
            skipped.add_record(file, index, bad.reason)
            good = np.arange(len(serialized)) != bad.row
            files, indices = files[good], indices[good]
            serialized = serialized[good]
    return [], np.zeros([0, 0], np.float32)


def _predict_block(
    predictor: Predictor, serialized: np.ndarray
) -> tuple[list[str], np.ndarray]:
    size = len(serialized)
    # Filled up with its last record, and cut again.
    padded = np.pad(serialized, (0, _BLOCK_SIZE - size), mode="edge")
    try:
        with readers.readable_errors():
            outputs = predictor.predict(tf.constant(padded, tf.string))
    except readers.DataError as error:
        match = _REQUEST_RECORD.search(str(error))
        if match is None:
            raise
        row = min(int(match.group(1)), size - 1)
        reason = _REQUEST_RECORD.sub("", str(error), count=1)
        raise _BadRecordError(row, reason) from None
    except tf.errors.InvalidArgumentError as error:
        # TensorFlow's parser does not always say which record it was.
        row = _find_bad(predictor, serialized)
        if row is None:
            raise
        raise _BadRecordError(
            row,
            "expected a record of the data that the model was trained on. "
            "Write it again, or leave it out "
            f"({tensorflow_errors.first_line(error.message)})",
        ) from None
    record = outputs.get("record", tf.range(_BLOCK_SIZE)).numpy()
    num_rows = int(np.searchsorted(record, size))
    ids = [
        _decode_id(video_id, row)
        for video_id, row in zip(
            outputs["id"].numpy()[:num_rows], record[:num_rows], strict=True
        )
    ]
    return ids, outputs["predictions"].numpy()[:num_rows]


def _find_bad(predictor: Predictor, serialized: np.ndarray) -> int | None:
    """Returns the first record that can't be parsed, None if that is not it."""
    bad = [
        row
        for row, one in enumerate(serialized)
        if _fails(predictor, tf.constant(_BLOCK_SIZE * [one], tf.string))
    ]
    if predictor.reader is None and len(bad) == len(serialized) > 1:
        return None  # Nothing says that it is the data.
    return bad[0] if bad else None


def _fails(predictor: Predictor, examples: tf.Tensor) -> bool:
    try:
        if predictor.reader is not None:
            predictor.reader.parse(examples[:1])
        else:
            predictor.predict(examples)
    except tf.errors.InvalidArgumentError:
        return True
    return False


def _decode_id(video_id: bytes, row: int) -> str:
    """Makes text of an id, which must fit into a column of the CSV."""
    try:
        text = video_id.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text or set(text) & set(',"'):
        raise _BadRecordError(
            row,
            "expected an id of printable characters without commas and quotes, "
            f"for the CSV. Received: id={video_id!r}; write the record again",
        )
    return text


def _format_lines(
    ids: Sequence[str], predictions: np.ndarray, top_k: int
) -> Iterator[str]:
    top_k = min(top_k, predictions.shape[1])
    # A stable sort: the lower class first among equals, as tf.math.top_k.
    classes = np.argsort(-predictions, axis=1, kind="stable")[:, :top_k]
    scores = np.take_along_axis(predictions, classes, axis=1)
    for video_id, row_classes, row_scores in zip(
        ids, classes, scores, strict=True
    ):
        pairs = " ".join(
            f"{index:d} {score:g}"
            for index, score in zip(row_classes, row_scores, strict=True)
        )
        yield f"{video_id},{pairs}\n"

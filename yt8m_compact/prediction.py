"""Predictions for files of records, as the starter code's CSV."""

from collections.abc import Callable, Iterator, Sequence
import re

import numpy as np
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import serving
from yt8m_compact import train_dir as train_dir_lib

CSV_HEADER = "VideoId,LabelConfidencePairs"

# The model always gets this many videos, whatever the batch size: the last
# bits of a matrix product depend on the number of rows.
_BLOCK_SIZE = 64

# Where a record is, in the errors of a model that is served.
_REQUEST_RECORD = re.compile(r"the request: record (\d+)")

# Serialized records [batch] -> `id`, `predictions`, ...
Predictor = Callable[[tf.Tensor], dict[str, tf.Tensor]]


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
    return serving.ServingModule(config, model, top_k=1).predict_serialized


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

    return predict


def write_csv(
    predictor: Predictor,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int = 20,
    batch_size: int = 256,
    num_readers: int = 8,
) -> int:
    """Predicts every record and writes the starter code's CSV.

    The header `VideoId,LabelConfidencePairs`, then a line a video: its id, a
    comma, and pairs of class and probability, best first, all separated by
    spaces. The file appears when it is complete.

    Args:
      predictor: from `predictor_from_train_dir` or
        `predictor_from_saved_model`.
      input_data_pattern: files to predict: glob patterns, comma-separated.
      output_file: the CSV file.
      top_k: number of pairs of a video; at most all classes.
      batch_size: number of records read at a time; the output does not
        depend on it.
      num_readers: number of files that are read at the same time.

    Returns:
      The number of videos.

    Raises:
      DataError: if the data is missing or broken.
    """
    files = readers.expand_patterns(input_data_pattern)
    records = readers.read_records(files, num_readers=num_readers)
    partial = f"{output_file}.partial"
    num_videos = 0
    try:
        with (
            tf.io.gfile.GFile(partial, "w") as csv,
            progress.video_bar("predict", files) as bar,
        ):
            csv.write(CSV_HEADER + "\n")
            for block in _blocks(records, batch_size):
                ids, predictions = _predict_block(predictor, *block)
                csv.write("".join(_format_lines(ids, predictions, top_k)))
                num_videos += len(ids)
                bar.update(len(ids))
            progress.finish(bar)
        tf.io.gfile.rename(partial, output_file, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.remove(partial)
        raise
    return num_videos


def _blocks(
    records: tf.data.Dataset, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields files, indices and records of up to `_BLOCK_SIZE` videos."""
    dataset = records.batch(batch_size).rebatch(_BLOCK_SIZE)
    with readers.readable_errors():
        yield from dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def _predict_block(
    predictor: Predictor,
    files: np.ndarray,
    indices: np.ndarray,
    serialized: np.ndarray,
) -> tuple[list[str], np.ndarray]:
    missing = _BLOCK_SIZE - len(serialized)
    # Filled up with its last record, and cut again.
    padded = np.pad(serialized, (0, missing), mode="edge")
    try:
        with readers.readable_errors():
            outputs = predictor(tf.constant(padded, tf.string))
    except readers.DataError as error:
        match = _REQUEST_RECORD.search(str(error))
        if match is None:
            raise
        row = min(int(match.group(1)), len(files) - 1)
        file = files[row].decode()
        place = f"{file}: record {indices[row]}"
        raise readers.DataError(
            _REQUEST_RECORD.sub(lambda _: place, str(error), count=1)
        ) from None
    size = len(serialized)
    ids = [
        _decode_id(video_id, *place)
        for video_id, *place in zip(
            outputs["id"].numpy()[:size], files, indices, strict=True
        )
    ]
    return ids, outputs["predictions"].numpy()[:size]


def _decode_id(video_id: bytes, file: bytes, index: int) -> str:
    """Makes text of an id, which must fit into a column of the CSV."""
    try:
        text = video_id.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text or set(text) & set(',"'):
        raise readers.DataError(
            f"{file.decode()}: record {index}: expected an id of printable "
            "characters without commas and quotes, for the CSV. Received: "
            f"id={video_id!r}; write the record again"
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

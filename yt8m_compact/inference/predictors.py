"""Predictions for files of records, as the starter code's CSV."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses

import numpy as np
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

CSV_HEADER = "VideoId,LabelConfidencePairs"
CSV_TOP_K = 20
# 40 bytes a video of YouTube-8M: 0.25 GB for the 6.1 million of 2018.
TEACHER_TOP_K = 10

# The model always gets this many rows, whatever the batch size and whatever was
# skipped: the last bits of a matrix product depend on the number of rows.
_BLOCK_SIZE = 64
_PREFETCHED_BLOCKS = 2


@dataclasses.dataclass(frozen=True)
class Predictor:
    """Predicts from what a reader makes of records.

    Attributes:
        reader: what reads the records.
        predict: gets the model's inputs by name, as `serving.input_specs` lists
            them, and returns a dict with `predictions`, float32
            `[rows, num_classes]`.
        refresh: has `predict` take the weights of a model in memory as they
            are then; None where they do not change.
        model_name: the name of the model.
    """

    reader: readers.Reader
    predict: Callable[..., Mapping[str, tf.Tensor | np.ndarray]]
    refresh: Callable[[], None] | None = None
    model_name: str = "unknown"

    @property
    def unit(self) -> str:
        """What a row is: "videos" or "segments"."""
        return "segments" if self._predicts_segments else "videos"

    @property
    def _predicts_segments(self) -> bool:
        return (
            self.reader.frame_features
            and self.reader.parts is readers.VideoParts.ALL_SEGMENTS
        )

    def count_videos(self, ids: np.ndarray) -> int:
        """Counts the videos that begin among rows.

        Args:
            ids: bytes `[rows]`, their ids.
        """
        if not self._predicts_segments:
            return len(ids)
        return sum(row_id.endswith(b":0") for row_id in ids)


def predictor_from_train_dir(
    train_dir: str,
    step: train_dir_lib.Step = None,
    *,
    segments: bool = False,
    choice: weight_choice.WeightChoice = weight_choice.RAW,
) -> Predictor:
    """Makes a predictor from a run's checkpoint.

    Args:
        train_dir: the folder of the run.
        step: step of the checkpoint, or "best"; None is the newest one.
        segments: whether to predict all segments of videos, their seconds 0 to
            4, 5 to 9 and so on, rated or not, the last one shorter, as with the
            starter code's `--segment_labels`, instead of whole videos. Their
            ids are `id:start`.
        choice: which weights.

    Returns:
        The predictor.

    Raises:
        ValueError: if the run is missing or broken, or segments of video-level
            features are asked for.
    """
    run = train_dir_lib.TrainDir(train_dir)
    config, model, _ = run.restore_model(step, choice)
    return predictor_from_module(
        serving.ServingModule(config, model, top_k=1),
        segments=segments,
        where=train_dir,
    )


def predictor_from_module(
    module: serving.ServingModule,
    *,
    segments: bool = False,
    where: str = "the model",
) -> Predictor:
    """Makes a predictor from a model in memory.

    Its weights count as they are at the first prediction and, for `write_csv`
    and `write_scores`, when they begin: `refresh` takes them at another time.

    Args:
        module: the model, and the configuration of its run.
        segments: as in `predictor_from_train_dir`.
        where: what to call the model in errors, such as its folder.

    Returns:
        The predictor.

    Raises:
        ValueError: if segments of video-level features are asked for.
    """
    predict = module.make_predict()
    return dataclasses.replace(
        _make_predictor(where, module.config, predict, segments),
        refresh=predict.refresh,
    )


def predictor_from_artefact(path: str, *, segments: bool = False) -> Predictor:
    """Makes a predictor from what yt8m-export wrote.

    A SavedModel is a program, which may read and write files: load only what
    you would run.

    Args:
        path: as of `artefacts.load`.
        segments: as in `predictor_from_train_dir`.

    Returns:
        The predictor.

    Raises:
        ValueError: as of `artefacts.load`, or if segments of video-level
            features are asked for.
    """
    return predictor_from_model_file(*artefacts.load(path), segments=segments)


def predictor_from_model_file(
    config: config_lib.Config,
    model: artefacts.Artefact,
    *,
    segments: bool = False,
) -> Predictor:
    """Makes a predictor from an artefact that is open.

    Args:
        config: the configuration of its run.
        model: the artefact.
        segments: as in `predictor_from_train_dir`.

    Returns:
        The predictor.

    Raises:
        ValueError: if segments of video-level features are asked for.
    """

    def predict(**inputs: tf.Tensor) -> dict[str, np.ndarray]:
        arrays = {name: value.numpy() for name, value in inputs.items()}
        return {"predictions": model.predict_each(arrays)}

    return _make_predictor(model.path, config, predict, segments)


def _make_predictor(
    path: str,
    config: config_lib.Config,
    predict: Callable[..., Mapping[str, tf.Tensor | np.ndarray]],
    segments: bool,
) -> Predictor:
    try:
        reader = config.prediction_reader(segments=segments)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Predictor(
        dataclasses.replace(reader, column_ids=True),
        predict,
        model_name=models.model_name(config.model),
    )


def write_csv(
    predictor: Predictor,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int = CSV_TOP_K,
    batch_size: int = 256,
    num_readers: int = 8,
    num_shards: int = 1,
    shard_index: int = 0,
    skipped: readers.SkippedData | None = None,
) -> int:
    """Predicts every record and writes the starter code's CSV.

    The header `VideoId,LabelConfidencePairs`, then a line a video or segment:
    its id, a comma, and pairs of class and probability, best first, the lower
    class first among equals, all separated by spaces. The file appears when it
    is complete. Ids are written as they are, those too that start with `=`,
    `+`, `-` or `@`, which spreadsheets take for formulas.

    Args:
        predictor: from `predictor_from_train_dir` or
            `predictor_from_artefact`.
        input_data_pattern: files to predict: glob patterns, comma-separated.
        output_file: the CSV file.
        top_k: number of pairs of a line; at most all classes.
        batch_size: number of records read at a time; the output does not
            depend on it.
        num_readers: number of files that are read at the same time; only the
            order of the lines depends on it.
        num_shards: how many workers share the files.
        shard_index: which of them this is; it predicts every `num_shards`-th
            file.
        skipped: where to count what is damaged or does not fit, which is then
            left out. None to stop with an error.

    Returns:
        The number of videos, or of segments.

    Raises:
        DataError: if the data is missing or broken, of another kind than the
            model's, or all of it was left out.
        ValueError: if there is no such shard, or a prediction is not finite.
    """
    rows = _Rows(
        predictor,
        input_data_pattern,
        batch_size,
        num_readers,
        num_shards,
        shard_index,
        skipped,
    )
    with files_lib.writing(output_file) as csv:
        csv.write(CSV_HEADER + "\n")
        for ids, predictions in rows:
            csv.write("".join(_format_lines(ids, predictions, top_k)))
    return rows.number


def write_scores(
    predictor: Predictor,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int = TEACHER_TOP_K,
    batch_size: int = 256,
    num_readers: int = 8,
    num_shards: int = 1,
    shard_index: int = 0,
    skipped: readers.SkippedData | None = None,
) -> int:
    """Predicts every record and writes scores to learn from.

    The form is that of `readers.score_files`. The file appears when it is
    complete and was read again.

    Args:
        predictor: as of `write_csv`.
        input_data_pattern: likewise.
        output_file: the file.
        top_k: number of classes of a video; at most all.
        batch_size: as of `write_csv`.
        num_readers: likewise.
        num_shards: likewise.
        shard_index: likewise.
        skipped: likewise.

    Returns:
        The number of videos, or of segments.

    Raises:
        DataError: as of `write_csv`.
        ValueError: likewise, and if a prediction is not in [0, 1].
        OSError: if the file can't be written, or read again.
    """
    rows = _Rows(
        predictor,
        input_data_pattern,
        batch_size,
        num_readers,
        num_shards,
        shard_index,
        skipped,
    )
    num_classes = predictor.reader.num_classes
    top_k = min(top_k, num_classes)
    header = readers.ScoreHeader(predictor.model_name, num_classes, top_k)
    with readers.writing_scores(output_file, header) as writer:
        for ids, predictions in rows:
            classes = ops.top_k_classes(predictions, top_k)
            scores = np.take_along_axis(predictions, classes, axis=1)
            writer.write(ids, classes, scores)
    return rows.number


def predict_files(
    predictor: Predictor,
    input_data_pattern: str | Sequence[str],
    *,
    batch_size: int = 256,
    num_readers: int = 8,
    skipped: readers.SkippedData | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicts every record, the same as `write_csv` writes.

    Args:
        predictor: as of `write_csv`.
        input_data_pattern: files to predict, as of `readers.expand_patterns`.
        batch_size: as of `write_csv`.
        num_readers: likewise.
        skipped: likewise.

    Yields:
        Ids, bytes `[rows]`, and predictions, float32 `[rows, num_classes]`.

    Raises:
        DataError: as of `write_csv`.
        ValueError: likewise.
    """
    yield from _Rows(
        predictor, input_data_pattern, batch_size, num_readers, 1, 0, skipped
    )


def predict_records(
    predictor: Predictor, records: Sequence[bytes], *, batch_size: int = 256
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicts records in memory.

    Args:
        predictor: as of `write_csv`.
        records: serialized, as in files.
        batch_size: number of records parsed at a time.

    Yields:
        As `predict_files`.

    Raises:
        DataError: if a record does not fit.
        ValueError: if a prediction is not finite.
    """
    if predictor.refresh is not None:
        predictor.refresh()
    reader = predictor.reader
    dataset = tf.data.Dataset.from_tensor_slices(list(records))
    dataset = dataset.batch(batch_size).map(lambda batch: reader.parse(batch))
    yield from _predict_blocks(predictor, dataset)


class _Rows:
    """Ids and predictions of all rows of files, read and predicted in blocks.

    Attributes:
        number: how many rows there were so far.
    """

    def __init__(
        self,
        predictor: Predictor,
        input_data_pattern: str | Sequence[str],
        batch_size: int,
        num_readers: int,
        num_shards: int,
        shard_index: int,
        skipped: readers.SkippedData | None,
    ) -> None:
        self.number = 0
        self._predictor = predictor
        self._skipped = skipped
        self._files = readers.shard_files(
            readers.expand_patterns(input_data_pattern), num_shards, shard_index
        )
        # Data of another kind is an error, not thousands of skipped records.
        readers.check_format(self._files, predictor.reader, skipped=skipped)
        self._dataset = readers.make_dataset(
            predictor.reader,
            self._files,
            batch_size=batch_size,
            num_readers=num_readers,
            skipped=skipped,
        )

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        predictor, skipped = self._predictor, self._skipped
        if predictor.refresh is not None:
            predictor.refresh()
        with progress.video_bar("predict", self._files) as bar:
            try:
                for ids, predictions in _predict_blocks(
                    predictor, self._dataset
                ):
                    yield ids, predictions
                    self.number += len(ids)
                    bar.update(predictor.count_videos(ids))
            except readers.DataError as error:
                if skipped is not None:
                    raise
                raise readers.DataError(
                    f"{error} The {self.number:,} {predictor.unit} predicted "
                    "before are not kept; to go on, leave out such records "
                    "with on_data_error=skip, or mend the file and start again."
                ) from None
            progress.finish(bar)
            if skipped and not self.number:
                raise readers.DataError(
                    f"{self._files[0]}: expected at least one record that can "
                    f"be predicted. Received:\n{skipped.to_text()}"
                )


def _predict_blocks(
    predictor: Predictor, dataset: tf.data.Dataset
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields ids and predictions of up to `_BLOCK_SIZE` rows."""
    names = ("features",)
    if predictor.reader.frame_features:
        names = ("frames", "num_frames")
    blocks = dataset.rebatch(_BLOCK_SIZE).prefetch(_PREFETCHED_BLOCKS)
    with readers.readable_errors():
        for block in blocks:
            size = len(block["id"])
            # The last block is filled up with its last row.
            rows = tf.minimum(tf.range(_BLOCK_SIZE), size - 1)
            if size < _BLOCK_SIZE:
                inputs = {name: tf.gather(block[name], rows) for name in names}
            else:
                inputs = {name: block[name] for name in names}
            outputs = predictor.predict(**inputs)
            ids = block["id"].numpy()
            predictions = np.asarray(outputs["predictions"])[:size]
            _check_finite(ids, predictions)
            yield ids, predictions


def _check_finite(ids: np.ndarray, predictions: np.ndarray) -> None:
    bad = ~np.isfinite(predictions).all(axis=1)
    if bad.any():
        raise ValueError(
            "expected finite predictions: has the training diverged? Received: "
            f"NaN or infinity for {ids[np.argmax(bad)].decode()}"
        )


def _format_lines(
    ids: np.ndarray, predictions: np.ndarray, top_k: int
) -> Iterator[str]:
    top_k = min(top_k, predictions.shape[1])
    classes = ops.top_k_classes(predictions, top_k)
    scores = np.take_along_axis(predictions, classes, axis=1)
    # One format for a line: a third of the time of one for each pair.
    pairs = np.empty((len(ids), 2 * top_k), object)
    pairs[:, 0::2], pairs[:, 1::2] = classes, scores
    line = "%s," + " ".join(["%d %g"] * top_k) + "\n"
    for row_id, row in zip(ids, pairs.tolist(), strict=True):
        yield line % (row_id.decode(), *row)

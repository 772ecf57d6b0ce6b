"""Predictions for files of records: what predicts, and the files written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import functools
import logging
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import identities
from yt8m_compact.inference import outputs as outputs_lib
from yt8m_compact.inference import parts as parts_lib
from yt8m_compact.inference import prediction_rows
from yt8m_compact.inference import serving
from yt8m_compact.inference import spreading
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

_EMBEDDINGS = "embeddings"
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Predictor:
    """Predicts from what a reader makes of records.

    Attributes:
        reader: what reads the records.
        predict: gets the model's inputs by name, tensors as
            `serving.input_specs` lists them, and returns a dict with
            `predictions`, float32 `[rows, num_classes]`.
        refresh: has `predict` take the weights of a model in memory as they
            are then; None where they do not change.
        model_name: the name of the model.
        identity: says what the model is, the same of the same weights, to go
            on with what it predicted before; None where that is not known.
        output: what of the outputs of `predict` is wanted: `predictions`, or
            `embeddings`, float32 `[rows, size]`.
        path: the run, or what was exported of it, which may say what its codes
            stand for; None where that is not known.

    Example:
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> predictor.model_name, predictor.num_classes, predictor.unit
        ('MlpModel', 3862, 'videos')
    """

    reader: readers.Reader
    predict: Callable[..., Mapping[str, tf.Tensor | np.ndarray]]
    refresh: Callable[[], None] | None = None
    model_name: str = "unknown"
    identity: Callable[[], str] | None = None
    output: str = "predictions"
    path: str | None = None

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.reader.num_classes

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

    def prepare(
        self, files: Sequence[str], skipped: readers.SkippedData | None
    ) -> None:
        """Checks that the model fits the files, and takes its weights.

        Args:
            files: names of files.
            skipped: where damaged data is left out, what counts it.

        Raises:
            DataError: if the data is of another kind than the model's.
        """
        readers.check_format(files, self.reader, skipped=skipped)
        if self.path is not None:
            readers.expect_same_ranges(self.path, files)
        if self.refresh is not None:
            self.refresh()

    def blocks(
        self, files: Sequence[str], reading: prediction_rows.Reading
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and predictions or embeddings, of some rows each.

        Args:
            files: names of files.
            reading: how they are read.
        """
        yield from self._predict(
            prediction_rows.read_blocks(self.reader, files, reading)
        )

    def predict_records(
        self, records: Sequence[bytes], batch_size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and predictions or embeddings, of records in memory.

        Args:
            records: serialized, as in files.
            batch_size: number of records parsed at a time.

        Raises:
            DataError: if a record does not fit.
            ValueError: if a prediction is not finite.
        """
        if self.refresh is not None:
            self.refresh()
        dataset = tf.data.Dataset.from_tensor_slices(list(records))
        dataset = dataset.batch(batch_size).map(
            lambda batch: self.reader.parse(batch)
        )
        yield from self._predict(
            prediction_rows.blocks_of(self.reader, dataset)
        )

    def _predict(
        self, blocks: Iterable[tuple[np.ndarray, dict[str, tf.Tensor]]]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for ids, inputs in blocks:
            outputs = self.predict(**inputs)
            yield ids, prediction_rows.values_of(outputs, self.output, ids)

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
    embeddings: bool = False,
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
        embeddings: whether to compute embeddings, what the classifier is given,
            instead of predictions.
        choice: which weights.

    Returns:
        The predictor.

    Raises:
        ValueError: if the run is missing or broken, segments of video-level
            features are asked for, or embeddings of a model without a layer
            before the classifier.

    Example:
        >>> training = yt8m.run.TrainingConfig(num_epochs=1)
        >>> _ = yt8m.fit(
        ...     yt8m.models.LogisticConfig(),
        ...     np.eye(2, 4),
        ...     [[7], [3]],
        ...     num_classes=10,
        ...     training=training,
        ...     train_dir="run",
        ... )
        >>> predictors = yt8m.inference.predictors
        >>> predictor = predictors.predictor_from_train_dir("run")
        >>> predictor.model_name, predictor.num_classes
        ('LogisticModel', 10)
    """
    run = train_dir_lib.TrainDir(train_dir)
    config, model, _ = run.restore_model(step, choice)
    predictor = predictor_from_module(
        serving.ServingModule(config, model, top_k=1),
        segments=segments,
        embeddings=embeddings,
        where=train_dir,
    )
    return dataclasses.replace(
        predictor,
        identity=functools.partial(identities.identity_of_run, config, model),
    )


def predictor_from_module(
    module: serving.ServingModule,
    *,
    segments: bool = False,
    embeddings: bool = False,
    where: str = "the model",
) -> Predictor:
    """Makes a predictor from a model in memory.

    Its weights count as they are at the first prediction and, for `write_csv`
    and `write_scores`, when they begin: `refresh` takes them at another time.

    Args:
        module: the model, and the configuration of its run.
        segments: as in `predictor_from_train_dir`.
        embeddings: likewise.
        where: what to call the model in errors, such as its folder.

    Returns:
        The predictor.

    Raises:
        ValueError: if segments of video-level features are asked for, or
            embeddings of a model without a layer before the classifier.

    Example:
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=1
        ... )
        >>> predictor = yt8m.inference.predictors.predictor_from_module(module)
        >>> predictor.predict(features=tf.ones([2, 1152]))["predictions"].shape
        TensorShape([2, 3862])
    """
    if embeddings:
        function = module.functions.get(serving.EMBEDDINGS_SIGNATURE)
        if function is None:
            raise _without_embeddings(where)
        names = tuple(serving.input_specs(module.config.data))

        def embed(**inputs: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return function(*(inputs[name] for name in names))

        predictor = _make_predictor(where, module.config, embed, segments)
        return dataclasses.replace(
            predictor, refresh=module.refresh, output=_EMBEDDINGS
        )
    predict = module.make_predict()
    return dataclasses.replace(
        _make_predictor(where, module.config, predict, segments),
        refresh=predict.refresh,
    )


def _without_embeddings(where: str) -> ValueError:
    return ValueError(
        f"{where}: expected a model with a layer before its classifier, for "
        "embeddings. Received: one that looks at the features themselves, or "
        "classifies frames one by one"
    )


def predictor_from_artefact(
    path: str, *, segments: bool = False, embeddings: bool = False
) -> Predictor:
    """Makes a predictor from what yt8m-export wrote.

    A SavedModel is a program, which may read and write files: load only what
    you would run.

    Args:
        path: as of `artefacts.load`.
        segments: as in `predictor_from_train_dir`.
        embeddings: likewise; SavedModels and packed models have them.

    Returns:
        The predictor.

    Raises:
        ValueError: as of `artefacts.load`, if segments of video-level features
            are asked for, or embeddings of what has none.

    Example:
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k"), embeddings=True
        ... )
        >>> predictor.output
        'embeddings'
    """
    identity = functools.partial(identities.identity_of_files, path)
    if embeddings:
        kind = artefacts.kind_of(path)
        if kind is artefacts.PackedModel:
            packed = predictor_from_train_dir(
                path, segments=segments, embeddings=True
            )
            return dataclasses.replace(packed, identity=identity)
        if kind is not artefacts.SavedModel:
            raise ValueError(
                f"{path}: expected a run, a SavedModel or a packed model, "
                f"which have embeddings. Received: {kind.KIND}"
            )
        config, embed = serving.load_embeddings(path)
        if embed is None:
            raise _without_embeddings(path)
        return dataclasses.replace(
            _make_predictor(path, config, embed, segments),
            identity=identity,
            output=_EMBEDDINGS,
        )
    return dataclasses.replace(
        predictor_from_model_file(*artefacts.load(path), segments=segments),
        identity=identity,
    )


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

    Example:
        >>> config, model = yt8m.inference.artefacts.load(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> predictor = yt8m.inference.predictors.predictor_from_model_file(
        ...     config, model
        ... )
        >>> predictor.predict(features=tf.ones([2, 1152]))["predictions"].shape
        (2, 3862)
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
        path=path,
    )


def write_csv(
    source: prediction_rows.Source,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int | None = None,
    **kwargs: Any,
) -> int:
    """Predicts every record and writes the starter code's CSV.

    The header `VideoId,LabelConfidencePairs`, then a line a video or segment:
    its id, a comma, and pairs of class and probability, best first, the lower
    class first among equals, all separated by spaces. The file appears when it
    is complete. Ids are written as they are, those too that start with `=`,
    `+`, `-` or `@`, which spreadsheets take for formulas.

    Args:
        source: as of `write_predictions`.
        input_data_pattern: likewise.
        output_file: the CSV file.
        top_k: number of pairs of a line; at most all classes. None is 20.
        **kwargs: other arguments of `write_predictions`.

    Returns:
        The number of videos, or of segments.

    Raises:
        DataError: as of `write_predictions`.
        ValueError: likewise.
        OSError: likewise.

    Example:
        >>> import pathlib
        >>> np.savez(
        ...     "b.npz",
        ...     ids=["abcd", "efgh"],
        ...     mean_rgb=np.eye(2, 1024),
        ...     mean_audio=np.eye(2, 128),
        ... )
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video",
        ...     feature_names=("mean_rgb", "mean_audio"),
        ...     keep_unlabelled=True,
        ... )
        >>> _ = yt8m.datasets.convert_files("b.npz", "b", config)
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> yt8m.inference.predictors.write_csv(
        ...     predictor, "b/*.tfrecord", "predictions.csv", top_k=2
        ... )
        2
        >>> pathlib.Path("predictions.csv").read_text().splitlines()[0]
        'VideoId,LabelConfidencePairs'
    """
    output = outputs_lib.Output(top_k=top_k)
    return write_predictions(
        source, input_data_pattern, output_file, output, **kwargs
    )


def write_scores(
    source: prediction_rows.Source,
    input_data_pattern: str,
    output_file: str,
    *,
    top_k: int | None = None,
    **kwargs: Any,
) -> int:
    """Predicts every record and writes scores to learn from.

    The form is that of `readers.score_files`. The file appears when it is
    complete and was read again.

    Args:
        source: as of `write_predictions`.
        input_data_pattern: likewise.
        output_file: the file.
        top_k: number of classes of a video; at most all. None is 10.
        **kwargs: other arguments of `write_predictions`.

    Returns:
        The number of videos, or of segments.

    Raises:
        DataError: as of `write_predictions`.
        ValueError: likewise, and if a prediction is not in [0, 1].
        OSError: likewise.

    Example:
        >>> np.savez(
        ...     "d.npz",
        ...     ids=["abcd", "efgh"],
        ...     mean_rgb=np.eye(2, 1024),
        ...     mean_audio=np.eye(2, 128),
        ... )
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video",
        ...     feature_names=("mean_rgb", "mean_audio"),
        ...     keep_unlabelled=True,
        ... )
        >>> _ = yt8m.datasets.convert_files("d.npz", "d", config)
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> yt8m.inference.predictors.write_scores(
        ...     predictor, "d/*.tfrecord", "scores.tfrecord", top_k=2
        ... )
        2
        >>> header, table = yt8m.readers.read_scores(["scores.tfrecord"])
        >>> header.num_classes, header.top_k
        (3862, 2)
    """
    output = outputs_lib.Output(predictions_lib.Format.TEACHER, top_k=top_k)
    return write_predictions(
        source, input_data_pattern, output_file, output, **kwargs
    )


def write_predictions(
    source: prediction_rows.Source,
    input_data_pattern: str,
    output_file: str,
    output: outputs_lib.Output | None = None,
    *,
    batch_size: int = 256,
    num_readers: int = 8,
    num_shards: int = 1,
    shard_index: int = 0,
    skipped: readers.SkippedData | None = None,
    resume: bool = False,
    spread: spreading.Spread | None = None,
) -> int:
    """Predicts every record and writes what was predicted.

    Args:
        source: a `Predictor`, or an `Ensemble` of several.
        input_data_pattern: files to predict: glob patterns, comma-separated.
        output_file: the file; it appears when it is complete and was read
            again.
        output: what is written; None is what the file's name ends with.
        batch_size: number of records read at a time; the output does not
            depend on it.
        num_readers: number of files that are read at the same time; only the
            order of the rows depends on it.
        num_shards: how many workers share the files.
        shard_index: which of them this is; it predicts every `num_shards`-th
            file.
        skipped: where to count what is damaged or does not fit, which is then
            left out. None to stop with an error.
        resume: whether to keep what is predicted of every `num_readers` files
            in the folder `OUTPUT_FILE.parts` until the file is there, and to go
            on with what is in it.
        spread: has other processes predict, a file each, in the place of this
            one; the file that is written is the same, for one reader.

    Returns:
        The number of videos, or of segments.

    Raises:
        DataError: if the data is missing or broken, of another kind than the
            model's, or all of it was left out.
        ValueError: if there is no such shard, a prediction is not finite or not
            in [0, 1], the file's format can't hold what is asked for, or
            another prediction was begun in the folder to go on with.
        OSError: if the file can't be written, or read again.

    Example:
        >>> np.savez(
        ...     "c.npz",
        ...     ids=["abcd", "efgh"],
        ...     mean_rgb=np.eye(2, 1024),
        ...     mean_audio=np.eye(2, 128),
        ... )
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video",
        ...     feature_names=("mean_rgb", "mean_audio"),
        ...     keep_unlabelled=True,
        ... )
        >>> _ = yt8m.datasets.convert_files("c.npz", "c", config)
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> yt8m.inference.predictors.write_predictions(
        ...     predictor, "c/*.tfrecord", "predictions.jsonl"
        ... )
        2
        >>> for rows in yt8m.predictions.read_rows("predictions.jsonl"):
        ...     print(rows.ids, rows.counts.tolist())
        [b'abcd', b'efgh'] [20, 20]
    """
    if output is None:
        kind = predictions_lib.format_of_suffix(output_file)
        output = outputs_lib.Output(kind)
    if output.format is predictions_lib.Format.SEGMENTS and (
        source.unit != "segments"
    ):
        raise ValueError(
            "expected segments to be predicted, which the format segments "
            f"ranks. Received: {source.unit}; ask for segments of a run of "
            "frames"
        )
    files = readers.shard_files(
        readers.expand_patterns(input_data_pattern), num_shards, shard_index
    )
    reading = prediction_rows.Reading(batch_size, num_readers, skipped)
    rows = prediction_rows.Rows(source, files, reading)
    writing = output.writing(output_file, source.model_name, source.num_classes)

    # Processes that predict together are given a file each.
    part_size = num_readers if spread is None else 1

    def make_task() -> dict[str, Any]:
        return {
            "model": source.identity(),
            "output": output.describe(),
            "files": [*zip(files, readers.file_sizes(files), strict=True)],
            "unit": source.unit,
            "num_readers": part_size,
            "skips": skipped is not None,
        }

    if not resume and spread is None:
        with writing as sink:
            for ids, values in rows:
                sink.add(ids, *output.choose(values))
        if source.identity is not None:
            parts_lib.remove_needless(output_file, make_task)
        return rows.number
    if source.identity is None:
        raise ValueError(
            "expected a run or an artefact to resume with, or to predict with "
            "in several processes. Received: a model in memory"
        )
    if resume:
        keeping = parts_lib.keeping(output_file, make_task())
    else:
        keeping = _passing_parts(spread.mapper)
    with keeping as parts:
        if spread is None:
            groups = [
                files[start : start + num_readers]
                for start in range(0, len(files), num_readers)
            ]
            _predict_missing(rows, groups, reading, output, parts)
            numbers = range(len(groups))
        else:
            numbers = _spread_missing(rows, reading, output, parts, spread)
        number = 0
        with writing as sink:
            # In blocks as those that are written at once.
            for block in prediction_rows.in_blocks(parts.iterate(numbers)):
                sink.add(*block)
                number += len(block[0])
            rows.expect_rows(number)
    if not resume:
        parts_lib.remove_needless(output_file, make_task)
    return number


@contextlib.contextmanager
def _passing_parts(
    mapper: task_mapping.Mapper,
) -> Iterator[parts_lib.PartFiles]:
    """Makes a place for parts that no later call goes on with."""
    with mapper.shared_folder() as folder:
        yield parts_lib.PartFiles(folder)


def predict_files(
    source: prediction_rows.Source,
    input_data_pattern: str | Sequence[str],
    *,
    batch_size: int = 256,
    num_readers: int = 8,
    skipped: readers.SkippedData | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicts every record, the same as `write_predictions` writes.

    Args:
        source: as of `write_predictions`.
        input_data_pattern: files to predict, as of `readers.expand_patterns`.
        batch_size: as of `write_predictions`.
        num_readers: likewise.
        skipped: likewise.

    Yields:
        Ids, bytes `[rows]`, and predictions, float32 `[rows, num_classes]`.

    Raises:
        DataError: as of `write_predictions`.
        ValueError: likewise.

    Example:
        >>> np.savez(
        ...     "a.npz",
        ...     ids=["abcd", "efgh"],
        ...     mean_rgb=np.eye(2, 1024),
        ...     mean_audio=np.eye(2, 128),
        ... )
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video",
        ...     feature_names=("mean_rgb", "mean_audio"),
        ...     keep_unlabelled=True,
        ... )
        >>> _ = yt8m.datasets.convert_files("a.npz", "a", config)
        >>> predictor = yt8m.inference.predictors.predictor_from_artefact(
        ...     yt8m.presets.folder("yt8m_2018_video_100k")
        ... )
        >>> for ids, scores in yt8m.inference.predictors.predict_files(
        ...     predictor, "a/*.tfrecord"
        ... ):
        ...     print(ids.tolist(), scores.shape)
        [b'abcd', b'efgh'] (2, 3862)
    """
    yield from prediction_rows.Rows(
        source,
        readers.expand_patterns(input_data_pattern),
        prediction_rows.Reading(batch_size, num_readers, skipped),
    )


def _spread_missing(
    rows: prediction_rows.Rows,
    reading: prediction_rows.Reading,
    output: outputs_lib.Output,
    parts: parts_lib.PartFiles,
    spread: spreading.Spread,
) -> Sequence[int]:
    """Has others predict the parts that are not there yet, of a file each.

    Returns:
        The numbers of the parts, in the order of the files.
    """
    kept = isinstance(parts, parts_lib.Parts)
    with progress.video_bar("predict", rows.files) as bar:
        with rows.explaining(kept=kept, together=True):
            files, _ = readers.filled_files(rows.files, reading.skipped)
            tasks = []
            for number, file in enumerate(files):
                block = parts.load(number) if kept else None
                if block is None:
                    tasks.append((number, file))
                elif block:
                    bar.update(rows.source.count_videos(block[0]))
            _tell_found(len(files) - len(tasks), len(files))
            spreading.predict_parts(
                rows.source.identity(),
                spread,
                tasks,
                output,
                parts,
                reading,
                bar,
            )
        progress.finish(bar)
    if reading.skipped is not None:
        for number in range(len(files)):
            reading.skipped.add_dict(parts.load_skipped(number))
    return range(len(files))


def _tell_found(found: int, number: int) -> None:
    if found:
        _LOGGER.info(
            "going on: %d of %d parts were predicted before", found, number
        )


def _predict_missing(
    rows: prediction_rows.Rows,
    groups: Sequence[Sequence[str]],
    reading: prediction_rows.Reading,
    output: outputs_lib.Output,
    parts: parts_lib.Parts,
) -> None:
    """Predicts the parts that are not there yet, of a group of files each."""
    found = sum(parts.load(number) is not None for number in range(len(groups)))
    _tell_found(found, len(groups))
    if reading.skipped is not None:
        # A group of which all are empty has no row, and is no error.
        filled = {*readers.filled_files(rows.files, reading.skipped)[0]}
        groups = [[one for one in group if one in filled] for group in groups]
    with progress.video_bar("predict", rows.files) as bar:
        for number, group in enumerate(groups):
            block = parts.load(number)
            if block is None:
                skipped = None
                if reading.skipped is not None:
                    skipped = readers.SkippedData(tells=False)  # Below.
                part = dataclasses.replace(reading, skipped=skipped)
                read = rows.read(group, part, bar, kept=True) if group else ()
                blocks = [(ids, *output.choose(values)) for ids, values in read]
                parts.save(number, blocks, skipped)
            elif block:
                bar.update(rows.source.count_videos(block[0]))
            if reading.skipped is not None:
                reading.skipped.add_dict(parts.load_skipped(number))
        progress.finish(bar)

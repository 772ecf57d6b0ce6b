"""Batches of records, with what a model predicts of them and its losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import frozen_model
from yt8m_compact.inference import identities
from yt8m_compact.run import chosen_weights
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

# Models get a multiple of so many rows: the last bits of the rows of a product
# depend on their number, and where that is odd on their place, too.
_ROWS = 64

# From a batch to predictions and losses.
Step = Callable[[Mapping[str, tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class ScoredBatch:
    """Videos, with what a model predicts of them and its losses.

    Attributes:
        ids: bytes `[videos]`.
        predictions: float `[videos, num_classes]`.
        labels: `[videos, num_classes]`, 0 or 1, of any type.
        losses: float32 `[videos]`.
    """

    ids: np.ndarray
    predictions: np.ndarray
    labels: np.ndarray
    losses: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Reads records and scores them.

    The model always gets as many rows, whatever was left out and where files
    end: the last bits of a product depend on the number of rows. So a video
    has the same scores in whatever files and order it is read.

    Attributes:
        config: of the model's run.
        step: from a batch to predictions and losses.
        batch_size: number of videos that are read at a time.
        frame_seed: None samples frames evenly; a number at random by it.
        identity: says what the model is; None where that is not known.
        refresh: has `step` take the weights of a model in memory as they are
            then; None where they do not change.
    """

    config: config_lib.Config
    step: Step
    batch_size: int
    frame_seed: int | None = None
    identity: Callable[[], str] | None = None
    refresh: Callable[[], None] | None = None

    @property
    def reader(self) -> readers.Reader:
        """What reads the records."""
        return self.config.reader(
            training=False, random_frames=self.frame_seed is not None
        )

    @property
    def rows(self) -> int:
        """How many rows the model gets, the number of videos of a batch."""
        return full_rows(self.batch_size)

    def score(
        self,
        files: Sequence[str],
        num_readers: int,
        skipped: readers.SkippedData | None,
    ) -> Iterator[ScoredBatch]:
        """Yields what is scored, a batch at a time.

        Args:
            files: names of files.
            num_readers: number of files that are read at the same time.
            skipped: where to count what is left out, None to stop at it.

        Raises:
            DataError: if the data is missing or broken.
        """
        dataset = readers.make_dataset(
            self.reader,
            files,
            batch_size=self.batch_size,
            seed=self.frame_seed or 0,
            num_readers=num_readers,
            skipped=skipped,
        )
        if (
            self.rows != self.batch_size
            or skipped is not None
            or self.config.data.segment_labels
        ):
            dataset = dataset.rebatch(self.rows)
        with readers.readable_errors():
            for batch in dataset:
                predictions, losses = self.step(batch)
                yield ScoredBatch(
                    batch["id"].numpy(),
                    predictions.numpy(),
                    batch["labels"].numpy(),
                    losses.numpy(),
                )


def scorer_of_run(
    train_dir: str,
    step: int | None,
    choice: weight_choice.WeightChoice,
    *,
    batch_size: int,
    frame_seed: int | None,
) -> Scorer:
    """Makes a scorer of a checkpoint, in a process that only scores.

    Args:
        train_dir: the folder of the run.
        step: of the checkpoint, None of a packed model.
        choice: which weights.
        batch_size: as of `Scorer`.
        frame_seed: likewise.

    Returns:
        The scorer.

    Raises:
        ValueError: if there is no such run or checkpoint.
    """

    def build(config: config_lib.Config, paths: list[str]) -> Scorer:
        model = train_dir_lib.build_model(config)
        chosen_weights.restore(model, config, paths, choice)
        return scorer_of_model(
            config, model, batch_size=batch_size, frame_seed=frame_seed
        )

    run = train_dir_lib.TrainDir(train_dir)
    return run.read_checkpoints(build, step, choice)


def scorer_of_model(
    config: config_lib.Config,
    model: keras.Model,
    *,
    batch_size: int,
    frame_seed: int | None,
) -> Scorer:
    """Makes a scorer of a model in memory, of the weights that it has now.

    Args:
        config: the configuration that the model was built of.
        model: the model.
        batch_size: as of `Scorer`.
        frame_seed: likewise.

    Returns:
        The scorer.
    """
    frozen = frozen_model.FrozenModel(model)
    frozen.prepare(None)
    return Scorer(
        config,
        TracedStep(frozen, config, full_rows(batch_size)),
        batch_size,
        frame_seed,
        lambda: identities.identity_of_run(config, model),
        frozen.refresh,
    )


def scorer_of_artefact(
    path: str, *, batch_size: int, frame_seed: int | None
) -> Scorer:
    """Makes a scorer of what yt8m-export wrote.

    Args:
        path: as of `artefacts.load`.
        batch_size: as of `Scorer`.
        frame_seed: likewise.

    Returns:
        The scorer.

    Raises:
        ValueError: as of `artefacts.load`.
    """
    return scorer_of_open_artefact(
        *artefacts.load(path), batch_size=batch_size, frame_seed=frame_seed
    )


def scorer_of_open_artefact(
    config: config_lib.Config,
    model: artefacts.Artefact,
    *,
    batch_size: int,
    frame_seed: int | None,
) -> Scorer:
    """Makes a scorer of an artefact that is open.

    Args:
        config: of the artefact's run.
        model: the artefact.
        batch_size: as of `Scorer`.
        frame_seed: likewise.

    Returns:
        The scorer.
    """

    def predict(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        inputs = {name: batch[name].numpy() for name in model.input_shapes}
        return tf.constant(model.predict_each(inputs))

    step = _make_step(predict, config)
    if next(iter(model.input_shapes.values()))[0] is None:
        # Files that take any number of videos; others always get theirs.
        step = _with_all_rows(step, full_rows(batch_size))
    return Scorer(
        config,
        step,
        batch_size,
        frame_seed,
        lambda: identities.identity_of_files(model.path),
    )


class TracedStep:
    """The compiled step from a batch to predictions and losses.

    Traced once for all batches.

    Args:
        model: predicts.
        config: of its run.
        rows: how many rows it gets; missing ones are the last one again.

    Attributes:
        num_traces: how often it was traced.
    """

    def __init__(
        self,
        model: frozen_model.FrozenModel,
        config: config_lib.Config,
        rows: int,
    ) -> None:
        self._step = _make_step(model.predict_many, config)
        self._with_all_rows = _with_all_rows(self._call, rows)
        self._functions: dict[tuple[str, ...], Step] = {}
        self.num_traces = 0

    def __call__(
        self, batch: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes predictions and losses of a batch."""
        return self._with_all_rows(batch)

    def _call(
        self, batch: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        names = tuple(batch)
        if names not in self._functions:
            spec = {
                name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
                for name, value in batch.items()
            }
            self._functions[names] = tf.function(
                self._trace, input_signature=[spec], autograph=False
            )
        return self._functions[names](batch)

    def _trace(
        self, batch: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self.num_traces += 1
        return self._step(batch)


def full_rows(batch_size: int) -> int:
    """Says how many rows a model gets where so many records are read at once.

    Args:
        batch_size: number of records.
    """
    return -(-batch_size // _ROWS) * _ROWS


def _with_all_rows(step: Step, rows: int) -> Step:
    """Fills batches up, so that a step always gets as many rows."""

    def run(batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        size = len(batch["id"])
        if size < rows:
            places = tf.minimum(tf.range(rows), size - 1)
            batch = {
                name: tf.gather(value, places) for name, value in batch.items()
            }
        predictions, losses = step(batch)
        return predictions[:size], losses[:size]

    return run


def _make_step(
    predict: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
    config: config_lib.Config,
) -> Step:
    """Makes the step from a batch to predictions and losses."""
    loss = config.training.make_label_loss()

    def step(
        batch: Mapping[str, tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        predictions = predict(batch)
        weights = batch.get("label_weights")
        losses = loss(batch["labels"], predictions, weights)
        return ops.rated_predictions(predictions, weights), losses

    return step

"""A sample of a run's data: what is held out of it, and scores on it."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import math

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib

# At most this share of the files is not trained on.
_MOST_HELD_OUT = 5
_BATCH_SIZE = 256
_KEPT = ("features", "frames", "num_frames", "labels", "label_weights")


@dataclasses.dataclass(frozen=True)
class Split:
    """Files to train on, and files that are held out.

    Attributes:
        train: Those to train on.
        held_out: The others; none where there are too few files.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def sampled(self) -> tuple[str, ...]:
        """The files that the sample is read from."""
        return self.held_out or self.train


def split_files(files: Sequence[str], num_videos: int) -> Split:
    """Holds out as many whole files as a sample needs, a fifth at most.

    Args:
        files: All files.
        num_videos: How many videos the sample has.

    Returns:
        The files, those held out evenly spread among all.
    """
    most = len(files) // _MOST_HELD_OUT
    if not most:
        return Split(tuple(files), ())
    videos = readers.estimate_num_records(files) or 0
    needed = math.ceil(num_videos * len(files) / videos) if videos else most
    number = min(most, max(1, needed))
    places = {
        (2 * index + 1) * len(files) // (2 * number) for index in range(number)
    }
    return Split(
        tuple(f for index, f in enumerate(files) if index not in places),
        tuple(f for index, f in enumerate(files) if index in places),
    )


@dataclasses.dataclass(frozen=True)
class Scores:
    """How well a model predicts the videos of a sample.

    Attributes:
        loss: The mean loss.
        gap: GAP, None where there are no labels.
    """

    loss: float
    gap: float | None


def read(
    config: config_lib.Config, files: Sequence[str], num_videos: int
) -> list[dict[str, tf.Tensor]]:
    """Reads the first videos of files, as an evaluation does.

    Args:
        config: The configuration of the run.
        files: The files.
        num_videos: How many videos.

    Returns:
        Batches.

    Raises:
        DataError: If the data is missing, broken, has no labels, or is of
            another kind or size than that of the run.
    """
    skipped = None
    if config.training.on_data_error == "skip":
        skipped = readers.SkippedData()
    reader = config.reader(training=False)
    dataset = readers.make_dataset(
        reader,
        files,
        batch_size=_BATCH_SIZE,
        num_readers=config.training.num_readers,
        skipped=skipped,
    )
    batches, number = [], 0
    with readers.readable_errors():
        for batch in dataset:
            rest = num_videos - number
            batches.append({k: batch[k][:rest] for k in _KEPT if k in batch})
            number += len(batches[-1]["labels"])
            if number >= num_videos:
                break
    return batches


class Scorer:
    """Scores a model, by the weights that it has then, on batches.

    Args:
        model: The model, whose inputs are a dict.
        batches: What `read` returns.
        loss: Of labels, predictions and weights of labels or None.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Sequence[Mapping[str, tf.Tensor]],
        loss: Callable[..., tf.Tensor],
    ) -> None:
        self._batches = batches
        names = list(model.input)

        def predict(batch):
            predictions = model({k: batch[k] for k in names}, training=False)
            weights = batch.get("label_weights")
            losses = loss(batch["labels"], predictions, weights)
            return ops.rated_predictions(predictions, weights), losses

        # Traced once, whatever the sizes of batches.
        specs = {
            name: tf.TensorSpec(
                [None, *model.input[name].shape[1:]]
                if name in names
                else [None, *value.shape[1:]],
                value.dtype,
            )
            for name, value in batches[0].items()
        }
        self._predict = tf.function(
            predict, input_signature=[specs], autograph=False
        )

    def __call__(self) -> Scores:
        """Scores it."""
        pairs = [self._predict(batch) for batch in self._batches]
        predictions = tf.concat([pair[0] for pair in pairs], 0)
        labels = tf.concat([batch["labels"] for batch in self._batches], 0)
        return Scores(
            loss=float(tf.reduce_mean(tf.concat([p[1] for p in pairs], 0))),
            gap=float(ops.batch_gap(labels, predictions)),
        )

"""Teachers: what a model learns from beside the labels."""

from collections.abc import Callable, Mapping, Sequence
import logging
import os
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.inference import serving
from yt8m_compact.readers import errors
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

# What batches hold that models are given, at either level.
MODEL_INPUTS = ("features", "frames", "num_frames")
# And what they hold of files of scores.
SCORES = ("teacher_classes", "teacher_scores")

_LOGGER = logging.getLogger(__name__)

# Gets the inputs of a model by name, and returns its `predictions`.
Predict = Callable[..., Mapping[str, tf.Tensor]]


class Teachers:
    """Mixes labels with what teachers say, the mean of all.

    Teachers are models, which see the batch that is trained on: at frame level
    the frames that were sampled for it. Or they are tables of scores, which are
    looked up by the ids of the videos; the classes that a table does not hold
    count as 0.

    Args:
        num_classes: how many classes all of them have.
        tables: of scores, one of each teacher.
        predictors: of models.
        weight: share of the teachers in the labels, in (0, 1].
        temperature: what their log-odds are divided by.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        tables: Sequence[readers.ScoreTable] = (),
        predictors: Sequence[Predict] = (),
        weight: float = 0.5,
        temperature: float = 1.0,
    ) -> None:
        self.weight = weight
        self._num_classes = num_classes
        self._tables = tuple(tables)
        self._predictors = tuple(predictors)
        self._temperature = temperature

    @property
    def need_inputs(self) -> bool:
        """Whether any of them looks at features or frames."""
        return bool(self._predictors)

    def add_scores(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Looks up the scores of a batch, in a graph of a data set.

        Args:
            batch: with `id`, string `[batch]`.

        Returns:
            The batch; if there are tables also with `teacher_classes`, int32
            `[batch, k]`, and `teacher_scores`, float32, of all tables.

        Raises:
            tf.errors.InvalidArgumentError: if a video has none; see
                `readers.readable_errors`.
        """
        if not self._tables:
            return dict(batch)
        message, classes, scores = tf.numpy_function(
            self._look_up,
            [batch["id"]],
            [tf.string, tf.int32, tf.float32],
            stateful=False,
        )
        good = errors.raise_in_graph(message, tf.equal(message, ""))
        width = sum(table.top_k for table in self._tables)
        with tf.control_dependencies([good]):
            classes = tf.ensure_shape(classes, [None, width])
            scores = tf.ensure_shape(scores, [None, width])
        return {**batch, **dict(zip(SCORES, (classes, scores), strict=True))}

    def _look_up(
        self, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        names = ids.tolist()
        classes, scores = [], []
        message = ""
        for table in self._tables:
            its_classes, its_scores, found = table.look_up(names)
            message = message or table.describe_misses(names, found)
            classes.append(its_classes)
            scores.append(its_scores)
        return (
            np.array(message.encode(), object),
            np.concatenate(classes, axis=1),
            np.concatenate(scores, axis=1),
        )

    def targets(
        self, inputs: Mapping[str, tf.Tensor], labels: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Makes what is learned from a batch.

        Args:
            inputs: what the model is given and what `add_scores` added; other
                parts of a batch are left out.
            labels: `[batch, num_classes]`, multi-hot.

        Returns:
            What the model is given, and the labels mixed with the softened mean
            of the teachers, float32 `[batch, num_classes]`.
        """
        given = {k: v for k, v in inputs.items() if k in MODEL_INPUTS}
        soft = tf.zeros([tf.shape(labels)[0], self._num_classes])
        if self._tables:
            soft = _add_scores_to(soft, *(inputs[name] for name in SCORES))
        for predict in self._predictors:
            soft += tf.stop_gradient(predict(**given)["predictions"])
        soft /= len(self._tables) + len(self._predictors)
        soft = ops.soften(soft, self._temperature)
        return given, ops.mix_labels(labels, soft, self.weight)


def _add_scores_to(
    soft: tf.Tensor, classes: tf.Tensor, scores: tf.Tensor
) -> tf.Tensor:
    """Adds scores to `[batch, num_classes]` at their classes."""
    rows = tf.broadcast_to(
        tf.range(tf.shape(classes)[0])[:, tf.newaxis], tf.shape(classes)
    )
    places = tf.stack([rows, classes], axis=-1)
    return tf.tensor_scatter_nd_add(soft, places, scores)


def load_teachers(
    config: config_lib.Config,
    train_dir: str,
    strategy: tf.distribute.Strategy,
    run_weights: Mapping[str, weight_choice.RunWeights] | None = None,
) -> Teachers | None:
    """Loads the teachers of a run.

    Args:
        config: of the run.
        train_dir: its folder.
        strategy: what trains; models are loaded on its devices.
        run_weights: which weights of runs count, by their folders; of others
            those of the newest checkpoint.

    Returns:
        The teachers, None if there are none.

    Raises:
        ValueError: if one does not exist, has another number of classes, looks
            at other features than the run, or is the run itself.
        DataError: if a file of scores is damaged.
    """
    training = config.training
    tables, predictors = [], []
    for path in training.teachers:
        if not files_lib.is_folder(path):
            tables.append(_load_scores(config, path))
            continue
        if os.path.realpath(path) == os.path.realpath(train_dir):
            raise ValueError(
                "expected a teacher other than the run that is trained. "
                f"Received: teacher={path}, train_dir={train_dir}"
            )
        with strategy.scope():
            weights = (run_weights or {}).get(path)
            predictors.append(_load_model(config, path, weights))
    if not tables and not predictors:
        return None
    return Teachers(
        num_classes=config.data.num_classes,
        tables=tables,
        predictors=predictors,
        weight=training.teacher_weight,
        temperature=training.teacher_temperature,
    )


def _load_scores(config: config_lib.Config, pattern: str) -> readers.ScoreTable:
    header, table = readers.read_scores(
        readers.expand_patterns(pattern, readers.SCORES)
    )
    _check_classes(config, header.num_classes, header.model, pattern)
    _LOGGER.info(
        "teacher %s: %s, of %s videos", pattern, header, f"{len(table):,}"
    )
    return table


def _load_model(
    config: config_lib.Config,
    path: str,
    weights: weight_choice.RunWeights | None,
) -> Predict:
    weights = weights or weight_choice.NEWEST
    run = train_dir_lib.TrainDir(path)
    if run.exists():
        # Told before the weights are read.
        _check_data(config, run.load_config(), path)
        teacher, model, step = run.restore_model(weights.step, weights.choice)
        _LOGGER.info("teacher %s: the checkpoint of step %d", path, step)
        module = serving.ServingModule(teacher, model, top_k=1)
        names = tuple(serving.input_specs(teacher.data))
        function = module.functions[serving.TENSORS_SIGNATURE]
        return lambda **inputs: function(*(inputs[name] for name in names))
    if not tf.saved_model.contains_saved_model(path):
        raise ValueError(
            f"{path}: expected a teacher: the folder of a run or of a "
            "SavedModel of yt8m-export, or a file of scores of yt8m-predict "
            "--format=teacher. Received: a folder without config.json and "
            "saved_model.pb"
        )
    teacher, predict = serving.load(path)
    _check_data(config, teacher, path)
    _LOGGER.info("teacher %s: a SavedModel", path)
    return predict


def _check_data(
    config: config_lib.Config, teacher: config_lib.Config, path: str
) -> None:
    """Checks that a model can look at what this one is given."""
    name = models.model_name(teacher.model)
    _check_classes(config, teacher.data.num_classes, name, path)
    own, its = _describe(config.data), _describe(teacher.data)
    if own != its:
        raise ValueError(
            f"{path}: expected a teacher that looks at what is trained on, "
            f"{own}. Received: {name}, which looks at {its}; write its scores "
            "with yt8m-predict --format=teacher, and give that file"
        )


def _check_classes(
    config: config_lib.Config, number: int, name: str, path: str
) -> None:
    if number != config.data.num_classes:
        raise ValueError(
            f"{path}: expected a teacher of the {config.data.num_classes:,} "
            f"classes to learn (num_classes). Received: {name}, of {number:,}"
        )


def _describe(data: config_lib.DataConfig) -> str:
    level = "frames" if data.frame_features else "features of videos"
    sizes = zip(data.feature_names, data.feature_sizes, strict=True)
    return f"{level} {', '.join(f'{name} ({size})' for name, size in sizes)}"

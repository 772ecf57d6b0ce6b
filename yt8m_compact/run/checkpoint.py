"""What a checkpoint of a run holds, each under a name of its own."""

from collections.abc import Iterable, Mapping, Sequence
import logging
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import tensorflow_errors

# TensorFlow's reader raises IndexError where the file is too short.
READ_ERRORS = (tf.errors.OpError, IndexError)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_WEIGHTS = "weights/"
_OPTIMIZER = "optimizer/"
# Before the names of an optimiser that another one wraps, to scale the loss.
_INNER = "inner/"
_STATES = "states/"
# How the names of states end that older checkpoints do not have: of how many
# steps a layer's statistics are an average. They were of all of the run.
_STEPS_OF_STATISTICS = "/statistics_steps"
# What optimisers did not keep of a layer's statistics: their average.
_AVERAGE = "average"
_SHOWN = 5


class RunCheckpoint:
    """The variables of a run, for `tf.train.CheckpointManager` and back.

    Weights are saved by their Keras paths, `weights/classifier/kernel`, not by
    the attributes that TensorFlow would follow from the model: it does not
    follow all (lists of layers in Keras 3), and says nothing of those that it
    leaves out. So no layer can be forgotten whatever it keeps its sublayers
    in, names do not change with the layers around or with Keras, and what the
    file holds can be compared with what the model needs, name by name.

    Args:
        model: the model that was built.
        progress: other variables, by name: where the run is, `step` for one.
        optimizer: the optimiser that was built; None to read a model alone.

    Attributes:
        checkpoint: what TensorFlow saves.

    Raises:
        ValueError: if two variables have one name, or one of the model's or the
            optimiser's would not be saved.
    """

    def __init__(
        self,
        model: keras.Model,
        progress: Mapping[str, tf.Variable],
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        self._weights = by_path(model.weights)
        groups = {"weights": self._weights}
        if optimizer is not None:
            groups["states"] = _states(model)
            groups["optimizer"] = _of_optimizer(optimizer)
        saved = {
            id(variable)
            for group in (*groups.values(), progress)
            for variable in group.values()
        }
        if optimizer is not None:
            _check_saved(model, optimizer, saved)
        self._groups = {**groups, **progress}
        # By their keys, what may be missing in a checkpoint that is older, and
        # what it starts as then.
        self._newer: dict[str, tuple[tf.Variable, tf.Variable]] = {}
        if optimizer is not None:
            self._newer = _newer(model, self._groups)
        self.checkpoint = tf.train.Checkpoint(**self._groups)

    def restore(self, path: str) -> None:
        """Reads a checkpoint, or says what is wrong with it.

        Args:
            path: the checkpoint; all that is here must be in it.

        Raises:
            ValueError: if the file is broken or holds something else.
        """
        # Else TensorFlow warns of each value that an error leaves in the file,
        # when it drops what it had read: 30 lines around the one of the error.
        tf.get_logger().addFilter(_is_no_restore_warning)
        try:
            names = tf.train.load_checkpoint(path).get_variable_to_shape_map()
            self._compare_weights(names)
            missing = [key for key in self._newer if key not in names]
            checkpoint = self._without(missing)
            status = checkpoint.restore(path).expect_partial()
            status.assert_existing_objects_matched()
            for key in missing:
                variable, start = self._newer[key]
                variable.assign(start)
        except (AssertionError, ValueError) as error:
            raise ValueError(
                f"{path}: expected the weights of the model that config.json "
                "describes. Received: other weights; restore the config.json "
                "that the run was started with. "
                f"({tensorflow_errors.first_line(str(error))})"
            ) from error
        except READ_ERRORS as error:
            raise unreadable(path, error) from error

    def _without(self, keys: Sequence[str]) -> tf.train.Checkpoint:
        """Leaves out what an older checkpoint does not have."""
        if not keys:
            return self.checkpoint
        left_out = {id(self._newer[key][0]) for key in keys}
        groups = dict(self._groups)
        for name in ("states", "optimizer"):
            groups[name] = {
                key: variable
                for key, variable in groups[name].items()
                if id(variable) not in left_out
            }
        return tf.train.Checkpoint(**groups)

    def _compare_weights(self, names: Iterable[str]) -> None:
        """Compares the names of weights in a file with the model's.

        `assert_existing_objects_matched` knows of no variable that TensorFlow
        did not follow.
        """
        saved = {
            _unescape(name.removeprefix(_WEIGHTS).removesuffix(_VALUE))
            for name in names
            if name.startswith(_WEIGHTS) and name.endswith(_VALUE)
        }
        if saved != set(self._weights):
            raise ValueError(
                f"missing: {_some(set(self._weights) - saved)}; unknown: "
                f"{_some(saved - set(self._weights))}"
            )


def by_path(variables: Iterable[keras.Variable]) -> dict[str, tf.Variable]:
    """Names variables by their Keras paths, such as `classifier/kernel`.

    Args:
        variables: those of a model, say.

    Returns:
        What TensorFlow keeps of each, by its name.

    Raises:
        ValueError: if two have one name.
    """
    found = {}
    for variable in variables:
        if variable.path in found:
            raise ValueError(
                "expected variables of different names, to tell them apart in "
                f"checkpoints. Received: {variable.path} twice"
            )
        found[variable.path] = variable.value
    return found


def _of_optimizer(
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, tf.Variable]:
    """Names the variables of an optimiser, and of one within it."""
    inner = getattr(optimizer, "inner_optimizer", None)
    of_inner = [] if inner is None else inner.variables
    ids = set(map(id, of_inner))
    own = [v for v in optimizer.variables if id(v) not in ids]
    # Without the optimiser's name, which is counted in a process.
    names = {
        path.partition("/")[2]: variable
        for path, variable in by_path(own).items()
    }
    if inner is not None:
        for name, variable in _of_optimizer(inner).items():
            names[f"{_INNER}{name}"] = variable
    return names


def has_slots(
    path: str, variables: Sequence[keras.Variable], slot: str
) -> bool:
    """Says whether an optimiser has kept something for variables.

    Args:
        path: see `read_slots`.
        variables: see there.
        slot: see there.

    Returns:
        Whether it has for all of them.

    Raises:
        ValueError: if the file is broken.
    """
    try:
        reader = tf.train.load_checkpoint(path)
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return all(_slot_key(reader, one, slot) is not None for one in variables)


def _slot_key(reader, variable: keras.Variable, slot: str) -> str | None:
    """Returns where a checkpoint has a slot, if it has."""
    name = _slot_name(variable.path, slot)
    keys = [_key(_OPTIMIZER, prefix + name) for prefix in ("", _INNER)]
    return next(filter(reader.has_tensor, keys), None)


def _slot_name(path: str, slot: str) -> str:
    """Names the slot of a variable as Keras does."""
    return f"{path.replace('/', '_')}_{slot}"


def _key(group: str, name: str) -> str:
    """Returns where a checkpoint has a variable of a group."""
    return f"{group}{_escape(name)}{_VALUE}"


def read_slots(
    path: str, variables: Sequence[keras.Variable], slot: str
) -> list[np.ndarray]:
    """Reads what an optimiser keeps for each variable.

    Args:
        path: a checkpoint that was saved with the optimiser.
        variables: variables of the model.
        slot: what Keras calls it, such as `momentum`.

    Returns:
        An array for each variable.

    Raises:
        ValueError: if the file is broken, or has no such values.
    """
    found = []
    try:
        reader = tf.train.load_checkpoint(path)
        for variable in variables:
            key = _slot_key(reader, variable, slot)
            if key is None:
                raise ValueError(
                    f"{path}: expected the {slot} of {variable.path}, which "
                    "the run's optimiser keeps. Received: a checkpoint without "
                    "it; restore the config.json that the run was started with"
                )
            found.append(reader.get_tensor(key))
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return found


def _states(model: keras.Model) -> dict[str, tf.Variable]:
    """Lists what changes in training and is no weight: where dropout is."""
    left_out = {*map(id, model.weights), *map(id, model.metrics_variables)}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        left_out |= set(map(id, optimizer.variables))
    others = [v for v in model.variables if id(v) not in left_out]
    # Keras counts the generators of all models, so that they have no paths to
    # be found again by.
    states = {f"{i}/{v.name}": v.value for i, v in enumerate(others)}
    for layer in model.layers:
        for name, value in vars(layer).items():
            if isinstance(value, tf.Variable):
                states[f"{layer.name}/{name.lstrip('_')}"] = value
    return states


def _newer(
    model: keras.Model, groups: Mapping[str, Any]
) -> dict[str, tuple[tf.Variable, tf.Variable]]:
    """Lists what older checkpoints lack, by its key, with where it starts."""
    found = {
        _key(_STATES, name): (state, groups["step"])
        for name, state in groups["states"].items()
        if name.endswith(_STEPS_OF_STATISTICS)
    }
    for statistic in layers.moving_statistics(model):
        name = _slot_name(statistic.path, _AVERAGE)
        for slot in (name, f"{_INNER}{name}"):
            if slot in groups["optimizer"]:
                average = groups["optimizer"][slot]
                found[_key(_OPTIMIZER, slot)] = average, statistic.value
    return found


def _followed(root: tf.train.Checkpoint | keras.Model) -> list[tf.Variable]:
    """Lists the variables that TensorFlow and Keras find from an object."""
    variables = []
    for tracked in tf.train.TrackableView(root).descendants():
        if isinstance(tracked, keras.Variable):
            variables.append(tracked.value)
        elif isinstance(tracked, tf.Variable):
            variables.append(tracked)
    return variables


def _check_saved(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    saved: set[int],
) -> None:
    """Checks that nothing that anybody knows of would be left out."""
    needed = [v.value for v in (*model.variables, *optimizer.variables)]
    needed += _followed(model)
    metrics = {id(v.value) for v in model.metrics_variables}
    lost = [v.name for v in needed if id(v) not in saved | metrics]
    if lost:
        raise ValueError(
            "expected a checkpoint of all variables of the model and the "
            f"optimiser. Received: one without {_some(lost)}"
        )


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    shown = ", ".join(names[:_SHOWN]) or "none"
    return f"{shown}, ... ({len(names)})" if len(names) > _SHOWN else shown


def _escape(name: str) -> str:
    """Does what TensorFlow does to the keys of a dict."""
    return name.replace(".", "..").replace("/", ".S")


def _unescape(name: str) -> str:
    """Undoes what TensorFlow does to the keys of a dict."""
    return re.sub(r"\.(.)", lambda m: "/" if m[1] == "S" else m[1], name)


def _is_no_restore_warning(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not (
        "deleted with unrestored values" in message
        or message.startswith("Value in checkpoint could not be found")
    )


def unreadable(path: str, error: Exception) -> ValueError:
    """Makes the error of a checkpoint that can't be read.

    Args:
        path: the checkpoint.
        error: what TensorFlow says.

    Returns:
        The error.
    """
    return ValueError(
        f"{path}: expected a checkpoint that can be read. Received: "
        f"{tensorflow_errors.first_line(str(error))}. Use that of "
        "another step; to train on from the one before it, delete the "
        f"files {path}.*"
    )

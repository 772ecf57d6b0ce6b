"""The folder of a run: `config.json`, `checkpoints/`, TensorBoard's events."""

import logging
import os
import time

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import keras
import tensorflow as tf

from yt8m_compact import config as config_lib
from yt8m_compact import files
from yt8m_compact import tensorflow_errors

CONFIG_FILE = "config.json"
_CHECKPOINT_PREFIX = "model.ckpt"
_PATTERN_CHARACTERS = "*?["
# TensorFlow's reader raises IndexError where the file is too short.
_READ_ERRORS = (tf.errors.OpError, IndexError)
# Where a checkpoint has the configuration, a string variable named `config`.
_CONFIG_KEY = "config/.ATTRIBUTES/VARIABLE_VALUE"


class TrainDir:
    """Names and reads what a run keeps in its `--train_dir`.

    Args:
      path: the folder; local, or any that `tf.io.gfile` reaches.
    """

    def __init__(self, path: str) -> None:
        if not path:
            raise ValueError(
                "expected --train_dir, the folder of a run. Received: "
                f"train_dir={path!r}"
            )
        self.path = files.expand_user(path)
        check_readable_name("train_dir", self.path)

    @property
    def config_path(self) -> str:
        """The file that holds the run's configuration."""
        return os.path.join(self.path, CONFIG_FILE)

    @property
    def checkpoints_path(self) -> str:
        """The folder of the checkpoints."""
        return os.path.join(self.path, "checkpoints")

    def events_path(self, name: str) -> str:
        """The folder of TensorBoard's events of `train` or `eval`."""
        return os.path.join(self.path, name)

    def exists(self) -> bool:
        """Whether a run was started here."""
        return tf.io.gfile.exists(self.config_path)

    def load_config(self) -> config_lib.Config:
        """Reads `config.json`.

        Returns:
          The run's configuration.

        Raises:
          ValueError: if there is none, or it does not fit.
        """
        return config_lib.load(self.config_path)

    def save_config(self, config: config_lib.Config) -> None:
        """Writes `config.json`, and the folder if need be."""
        tf.io.gfile.makedirs(self.path)
        config_lib.save(config, self.config_path)

    def move_away(self) -> str:
        """Renames the folder, so that a new run can take its place.

        Returns:
          The new name.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = moved = f"{self.path.rstrip('/')}.before-{stamp}"
        number = 1
        while tf.io.gfile.exists(moved):
            number += 1
            moved = f"{name}-{number}"
        tf.io.gfile.rename(self.path, moved)
        return moved

    def checkpoint_manager(
        self, checkpoint: tf.train.Checkpoint, keep: int
    ) -> tf.train.CheckpointManager:
        """Makes the manager that writes checkpoints and removes old ones."""
        return tf.train.CheckpointManager(
            checkpoint,
            self.checkpoints_path,
            max_to_keep=keep,
            checkpoint_name=_CHECKPOINT_PREFIX,
        )

    def checkpoints(self) -> dict[int, str]:
        """Lists the checkpoints: path by step, oldest first.

        One whose files were all deleted is left out, so that a run can go on
        from the one before a broken one.

        Returns:
          The paths.

        Raises:
          ValueError: if TensorFlow's list of them is there but broken.
        """
        list_path = os.path.join(self.checkpoints_path, "checkpoint")
        if not tf.io.gfile.exists(list_path):
            return {}
        names = tf.io.gfile.listdir(self.checkpoints_path)
        steps = {
            checkpoint_step(path): path
            for path in self._listed_checkpoints(list_path)
            if any(
                name.startswith(f"{os.path.basename(path)}.") for name in names
            )
        }
        return dict(sorted(steps.items()))

    def _listed_checkpoints(self, list_path: str) -> list[str]:
        try:
            state = tf.train.get_checkpoint_state(self.checkpoints_path)
        except ValueError:
            state = None
        if state is None:
            raise ValueError(
                f"{list_path}: expected the list of checkpoints that "
                "yt8m-train wrote. Received: a file that can't be read; "
                "restore it, or start again with another --train_dir"
            )
        return list(state.all_model_checkpoint_paths)

    def find_checkpoint(self, step: int | None = None) -> str:
        """Finds a checkpoint.

        Args:
          step: the step it was saved at; None is the newest one.

        Returns:
          Its path.

        Raises:
          ValueError: if there is none; it lists those there are.
        """
        found = self.checkpoints()
        if not found:
            raise ValueError(
                f"{self.checkpoints_path}: expected a checkpoint. Received: "
                "none. The run has not saved one yet; start it or wait for it"
                " with yt8m-train"
            )
        if step is None:
            return found[max(found)]
        if step not in found:
            raise ValueError(
                f"{self.checkpoints_path}: expected one of the steps "
                f"{', '.join(map(str, found))}. Received: step={step}"
            )
        return found[step]

    def restore_model(
        self, step: int | None = None
    ) -> tuple[config_lib.Config, keras.Model, int]:
        """Builds the run's model with the weights of a checkpoint.

        Args:
          step: the step the checkpoint was saved at; None is the newest one.

        Returns:
          The run's configuration, the model, and the checkpoint's step.

        Raises:
          ValueError: if `config.json` or the checkpoint is missing or broken,
            or they do not fit each other.
        """
        config = self.load_config()
        path = self.find_checkpoint(step)
        self.check_fits(config, path)
        model = config.model.without_unused().build(
            feature_sizes=config.data.feature_sizes,
            num_classes=config.data.num_classes,
        )
        saved_step = tf.Variable(0, dtype=tf.int64)
        restore(tf.train.Checkpoint(model=model, step=saved_step), path)
        return config, model, int(saved_step)

    def check_fits(self, config: config_lib.Config, path: str) -> None:
        """Checks that `config.json` describes the model of a checkpoint.

        Weights alone do not tell: a circulant projection would take those of
        a diagonal-circulant one and leave out the diagonal.

        Args:
          config: what `config.json` holds.
          path: the checkpoint.

        Raises:
          ValueError: if data or model differ from those that the checkpoint
            was saved with.
        """
        changed = config_lib.differences(saved_config(path), config)
        texts = [
            f"{name}: {saved!r} -> {found!r}"
            for name, (saved, found) in changed.items()
            if not name.startswith("training.")
        ]
        if texts:
            raise ValueError(
                f"{self.config_path}: expected the data and the model that "
                f"{path} was saved with. Received: {'; '.join(texts)}. Restore"
                f" the {CONFIG_FILE} that yt8m-train wrote"
            )


def check_readable_name(flag: str, path: str) -> None:
    """Checks that TensorFlow can read the variables that it saves in a folder.

    Args:
      flag: the flag that names the folder.
      path: the folder.

    Raises:
      ValueError: if it has the characters of a pattern.
    """
    if set(path) & set(_PATTERN_CHARACTERS):
        raise ValueError(
            f"expected a --{flag} without the characters "
            f"{' '.join(_PATTERN_CHARACTERS)}: TensorFlow could save weights "
            "there, but takes their names for patterns when it reads them. "
            f"Received: {flag}={path!r}"
        )


def saved_config(path: str) -> config_lib.Config:
    """Reads the configuration that a checkpoint was saved with.

    Args:
      path: the checkpoint.

    Returns:
      The configuration.

    Raises:
      ValueError: if the checkpoint can't be read.
    """
    try:
        text = tf.train.load_checkpoint(path).get_tensor(_CONFIG_KEY)
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    return config_lib.Config.from_json(text, path)


def checkpoint_step(path: str) -> int:
    """Reads the step from the path of a checkpoint."""
    return int(path.rsplit("-", 1)[1])


def restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    """Reads a checkpoint, or says what is wrong with it.

    Args:
      checkpoint: what to fill; all of it must be in the file.
      path: the checkpoint.

    Raises:
      ValueError: if the file is broken or holds something else.
    """
    # Else TensorFlow warns of each value that an error leaves in the file,
    # when it drops what it had read: 30 lines around the one of the error.
    tf.get_logger().addFilter(_is_no_restore_warning)
    try:
        status = checkpoint.restore(path).expect_partial()
        status.assert_existing_objects_matched()
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{path}: expected the weights of the model that {CONFIG_FILE} "
            "describes. Received: other weights; restore the config.json that"
            f" the run was started with. ({describe_error(error)})"
        ) from error
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error


def _is_no_restore_warning(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not (
        "deleted with unrestored values" in message
        or message.startswith("Value in checkpoint could not be found")
    )


def _unreadable(path: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: expected a checkpoint that can be read. Received: "
        f"{describe_error(error)}. Use another one with --checkpoint_step; to "
        f"train on from the one before it, delete the files {path}.*"
    )


def describe_error(error: Exception) -> str:
    """Says in a line what an error of TensorFlow says.

    Args:
      error: the error.

    Returns:
      Its first line, without the names of operations.
    """
    return tensorflow_errors.first_line(str(error))

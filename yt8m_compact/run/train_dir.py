"""The folder of a run: `config.json`, `checkpoints/`, TensorBoard's events."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import errno
import os
import re
import time
from typing import Literal, TypeVar

from yt8m_compact import files
from yt8m_compact import keras_backend
from yt8m_compact import lazy
from yt8m_compact import presets
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest
from yt8m_compact.run import weight_choice

keras_backend.expect_tensorflow()

with lazy.imports():
    import keras
    import tensorflow as tf

    from yt8m_compact.run import checkpoint as run_checkpoint
    from yt8m_compact.run import chosen_weights

CONFIG_FILE = "config.json"
# In the place of a step: the checkpoint that was best when it was evaluated.
BEST = "best"
# How the names of the events of a run as a whole end.
HPARAMS_SUFFIX = ".hparams"
# What yt8m-compress makes in a run's folder beside the run: the plan, the
# table, and the run that trains gates of hidden units.
_OF_COMPRESSION = ("compression.json", "compression.txt", "gates")
_CHECKPOINT_PREFIX = "model.ckpt"
_PATTERN_CHARACTERS = "*?["
# Where yt8m-export writes each format to, if not told.
EXPORT_FOLDERS = {
    "saved_model": "export",
    "packed": "packed",
    "litert": "litert",
    "onnx": "onnx",
    "openvino": "openvino",
    "keras": "keras",
}
# What a folder that is a mount point, or whose parent can't be written, says,
# and one whose new name would be too long.
_NOT_RENAMED = (
    errno.EACCES,
    errno.EBUSY,
    errno.EINVAL,
    errno.ENAMETOOLONG,
    errno.EPERM,
    errno.EROFS,
    errno.EXDEV,
)
# What a process leaves that is killed while TensorFlow writes a checkpoint.
_LEFTOVER = re.compile(
    rf"{re.escape(_CHECKPOINT_PREFIX)}-\d+(_temp/?|\..*\.tempstate\d+)"
    r"|checkpoint\.tmp.*"
)
# Where a checkpoint has the configuration, a string variable named `config`.
_CONFIG_KEY = "config/.ATTRIBUTES/VARIABLE_VALUE"


_T = TypeVar("_T")
# A step, the newest one, or the best one.
Step = int | Literal["best"] | None


def is_run(name: str) -> bool:
    """Whether a name is that of a run or a preset, not of what was exported.

    Args:
        name: a folder, a file, or `preset:NAME`.
    """
    if name.startswith(presets.PREFIX):
        return True
    return files.is_folder(os.path.join(name, "checkpoints"))


class TrainDir:
    """Names and reads what a run keeps in its folder.

    Example:
        >>> run = yt8m.run.TrainDir("preset:yt8m_2018_video_100k")
        >>> run.exists(), run.is_packed()
        (True, True)
        >>> config = run.load_config()
        >>> yt8m.models.model_name(config.model), config.data.feature_sizes
        ('MlpModel', (1024, 128))

    Args:
        path: the folder; local, or any that `tf.io.gfile` reaches. Also that
            of a packed model, and `preset:` before the name of a preset.

    Raises:
        ValueError: if there is no path or no such preset, or the path has one
            of the characters `*`, `?` and `[`.
    """

    def __init__(self, path: str) -> None:
        if not path:
            raise ValueError(
                "expected train_dir, the folder of a run. Received: "
                f"train_dir={path!r}"
            )
        if path.startswith(presets.PREFIX):
            path = presets.folder(path.removeprefix(presets.PREFIX))
        self.path = files.expand_user(path)
        check_readable_name("train_dir", self.path)

    @property
    def config_path(self) -> str:
        """The file that holds the run's configuration."""
        return os.path.join(self.path, CONFIG_FILE)

    @property
    def features_path(self) -> str:
        """The file that says what the codes of the training data stand for."""
        return os.path.join(self.path, readers.FEATURES_NAME)

    @property
    def checkpoints_path(self) -> str:
        """The folder of the checkpoints."""
        return os.path.join(self.path, "checkpoints")

    @property
    def packed_path(self) -> str:
        """The file of the weights of a packed model, which has no checkpoints.

        See `packed_model`.
        """
        return os.path.join(self.path, "weights.safetensors")

    @property
    def best_path(self) -> str:
        """The folder of the best checkpoint."""
        return os.path.join(self.path, "best")

    @property
    def evaluations_path(self) -> str:
        """The file of what the evaluations while training found."""
        return os.path.join(self.path, "evaluations.json")

    def events_path(self, name: str = "") -> str:
        """The folder of TensorBoard's events.

        Args:
            name: `train`, `validation`, or `eval` of yt8m-eval; by default
                the run as a whole, which has the hyperparameters.
        """
        return os.path.join(self.path, name) if name else self.path

    def is_packed(self) -> bool:
        """Whether this is the folder of a packed model, not of a run."""
        return tf.io.gfile.exists(self.packed_path)

    def exists(self) -> bool:
        """Whether a run was started here."""
        return tf.io.gfile.exists(self.config_path)

    def remove_features(self) -> None:
        """Removes `yt8m_features.json`, of a run that never began."""
        tf.io.gfile.remove(self.features_path)

    def load_config(self) -> config_lib.Config:
        """Reads `config.json`.

        Returns:
            The run's configuration.

        Raises:
            ValueError: if there is none, it does not fit, or it is that of an
                export and not as it was written.
        """
        export_manifest.verify_file(self.config_path)
        return config_lib.load(self.config_path)

    def save_config(self, config: config_lib.Config) -> None:
        """Writes `config.json`, and the folder if need be."""
        tf.io.gfile.makedirs(self.path)
        config_lib.save(config, self.config_path)

    def _expect_no_export(self) -> None:
        """Refuses what was exported, which will never have checkpoints."""
        if not tf.io.gfile.exists(
            os.path.join(self.path, export_manifest.FILE_NAME)
        ):
            return
        manifest = export_manifest.read(self.path)
        raise ValueError(
            f"{self.path}: expected the folder of a run. Received: what "
            f"yt8m-export wrote, of the format {manifest.get('format')}, which "
            "is for yt8m-eval and yt8m-predict --model_file, and "
            "yt8m_compact.load in Python"
        )

    def own_paths(self) -> list[str]:
        """Lists what the programs make in the folder."""
        folders = ("checkpoints", "best", "train", "validation", "eval")
        names = {CONFIG_FILE, readers.FEATURES_NAME}
        names |= {"evaluations.json", *folders}
        names |= {*_OF_COMPRESSION, *EXPORT_FOLDERS.values()}
        if not tf.io.gfile.isdir(self.path):
            return []
        return [
            os.path.join(self.path, name.rstrip("/"))
            for name in sorted(tf.io.gfile.listdir(self.path))
            if name.rstrip("/") in names or name.endswith(HPARAMS_SUFFIX)
        ]

    def can_be_renamed(self) -> bool:
        """Whether the folder may get another name, as far as one can tell.

        Not where it is a link, a mount point, or the current folder or one
        around it, which relative paths start from.
        """
        if not files.is_local(self.path):
            return True
        real = os.path.realpath(self.path)
        here = os.path.join(os.path.realpath(os.getcwd()), "")
        return not (
            os.path.islink(self.path.rstrip("/"))
            or os.path.ismount(real)
            or here.startswith(os.path.join(real, ""))
        )

    def move_away(self) -> str:
        """Moves the run that is there, so that a new one can take its place.

        The folder gets another name. Where it can't have one, what the
        programs made in it, and nothing else, is moved to a new folder in it.

        Returns:
            The folder that holds the run now.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = self.path.rstrip("/")
        if self.can_be_renamed():
            moved = _unused_name(f"{path}.before-{stamp}")
            try:
                if files.is_local(path):
                    os.rename(path, moved)
                else:
                    tf.io.gfile.rename(path, moved)
                return moved
            except OSError as error:
                if error.errno not in _NOT_RENAMED:
                    raise
        moved = _unused_name(os.path.join(self.path, f"before-{stamp}"))
        own = self.own_paths()
        os.mkdir(moved)
        for source in own:
            os.rename(source, os.path.join(moved, os.path.basename(source)))
        return moved

    def remove_leftovers(self) -> None:
        """Removes what a killed trainer left of checkpoints half written.

        Only for who has the lock of the folder: another trainer may be just
        writing.
        """
        for folder in (self.checkpoints_path, self.best_path):
            if not tf.io.gfile.isdir(folder):
                continue
            for name in tf.io.gfile.listdir(folder):
                if not _LEFTOVER.fullmatch(name):
                    continue
                path = os.path.join(folder, name)
                if tf.io.gfile.isdir(path):
                    tf.io.gfile.rmtree(path)
                else:
                    tf.io.gfile.remove(path)

    def checkpoint_manager(
        self, checkpoint: tf.train.Checkpoint, keep: int
    ) -> tf.train.CheckpointManager:
        """Makes the manager that writes checkpoints and removes old ones."""
        return _manage(checkpoint, self.checkpoints_path, keep)

    def best_manager(
        self, checkpoint: tf.train.Checkpoint
    ) -> tf.train.CheckpointManager:
        """Makes the manager that writes the best checkpoint."""
        return _manage(checkpoint, self.best_path, 1)

    def checkpoints(self) -> dict[int, str]:
        """Lists the checkpoints: path by step, oldest first.

        One whose files were all deleted is left out, so that a run can go on
        from the one before a broken one.

        Returns:
            The paths.

        Raises:
            ValueError: if TensorFlow's list of them is there but broken.
        """
        return _list_checkpoints(self.checkpoints_path)

    def best_checkpoint(self) -> str | None:
        """Finds the checkpoint that was best when training evaluated it.

        Returns:
            Its path; None where training evaluated none.

        Raises:
            ValueError: if TensorFlow's list of it is there but broken.
        """
        best = _list_checkpoints(self.best_path)
        return best[max(best)] if best else None

    def find_checkpoint(self, step: Step = None) -> str:
        """Finds a checkpoint.

        Args:
            step: the step it was saved at; None is the newest one, and "best"
                the one that was best when training evaluated it.

        Returns:
            Its path.

        Raises:
            ValueError: if there is none; it lists those there are.
        """
        if self.is_packed():
            if step is not None:
                raise ValueError(
                    f"{self.path}: expected no step of a packed model, which "
                    f"has the weights of one. Received: step={step}"
                )
            return self.packed_path
        best = None
        if step is not None:
            best = self.best_checkpoint()
        if step == BEST:
            if best is None:
                raise ValueError(
                    f"{self.best_path}: expected the best checkpoint, which "
                    "yt8m-train --eval_data_pattern=... keeps there. Received: "
                    "none; choose a step, or leave it out for the newest"
                )
            return best
        checkpoints = self.checkpoints()
        if best is not None:
            checkpoints = {checkpoint_step(best): best, **checkpoints}
            checkpoints = dict(sorted(checkpoints.items()))
        if not checkpoints:
            self._expect_no_export()
            raise ValueError(
                f"{self.checkpoints_path}: expected a checkpoint. Received: "
                "none. The run has not saved one yet; start it or wait for it"
                " with yt8m-train"
            )
        if step is None:
            return checkpoints[max(checkpoints)]
        if step not in checkpoints:
            raise ValueError(
                f"{self.checkpoints_path}: expected one of the steps "
                f"{', '.join(map(str, checkpoints))}. Received: step={step}"
            )
        return checkpoints[step]

    def fixed_step(self, step: Step = None) -> int | None:
        """Says which checkpoint is meant, whatever training does from now on.

        Args:
            step: see `find_checkpoint`.

        Returns:
            The number of its step; None of a packed model, which has one.

        Raises:
            ValueError: if there is none.
        """
        path = self.find_checkpoint(step)
        return None if self.is_packed() else checkpoint_step(path)

    def find_checkpoints(
        self,
        step: int | None = None,
        choice: weight_choice.WeightChoice = weight_choice.RAW,
    ) -> list[str]:
        """Finds the checkpoints that some weights are read from.

        Args:
            step: the step the last of them was saved at; None is the newest.
            choice: which weights.

        Returns:
            Their paths, the newest one last.

        Raises:
            ValueError: if there are fewer than the choice needs.
        """
        last = self.find_checkpoint(step)
        if self.is_packed():
            if choice != weight_choice.RAW:
                raise ValueError(
                    f"{self.path}: expected no choice of weights of a packed "
                    f"model, which has one. Received: weights={choice}"
                )
            return [last]
        # It is among them, whatever training has deleted since.
        paths = [
            path
            for number, path in self.checkpoints().items()
            if number < checkpoint_step(last)
        ]
        paths.append(last)
        if len(paths) < choice.num_checkpoints:
            up_to = "" if step is None else f" up to step {step}"
            steps = ", ".join(str(checkpoint_step(path)) for path in paths)
            raise ValueError(
                f"{self.checkpoints_path}: expected at least "
                f"{choice.num_checkpoints} checkpoints{up_to} for "
                f"weights={choice}. Received: those of the steps {steps}; "
                f"train with --keep_checkpoints={choice.num_checkpoints} or "
                "more"
            )
        return paths[-choice.num_checkpoints :]

    def restore_model(
        self,
        step: Step = None,
        choice: weight_choice.WeightChoice = weight_choice.RAW,
    ) -> tuple[config_lib.Config, keras.Model, int]:
        """Builds the run's model with the weights of a checkpoint.

        Args:
            step: see `find_checkpoint`.
            choice: which weights; the mean of several checkpoints ends with
                that of the step.

        Returns:
            The run's configuration, the model, and the checkpoint's step.

        Raises:
            ValueError: if `config.json` or the checkpoint is missing or broken,
                or they do not fit each other.
        """

        def build(
            config: config_lib.Config, paths: list[str]
        ) -> tuple[config_lib.Config, keras.Model, int]:
            model = build_model(config)
            step = chosen_weights.restore(model, config, paths, choice)
            return config, model, step

        return self.read_checkpoints(build, step, choice)

    def read_checkpoints(
        self,
        read: Callable[[config_lib.Config, list[str]], _T],
        step: Step = None,
        choice: weight_choice.WeightChoice = weight_choice.RAW,
    ) -> _T:
        """Reads checkpoints; the next ones where training has deleted some.

        Args:
            read: gets the run's configuration and the paths of the checkpoints
                that the choice needs, one if it is not an average of several.
            step: see `find_checkpoint`; of the last one.
            choice: which weights are read.

        Returns:
            What `read` returns.

        Raises:
            ValueError: see `restore_model`.
        """
        while True:
            config = self.load_config()
            paths = self.find_checkpoints(step, choice)
            try:
                for path in paths:
                    self.check_fits(config, path)
                return read(config, paths)
            except ValueError:
                # Training may have deleted one, since it has a newer one, or a
                # better one.
                if isinstance(step, int) or all(map(self.has, paths)):
                    raise

    def has(self, path: str) -> bool:
        """Whether a checkpoint that can't be read is broken, and not deleted.

        Training lists a new checkpoint, deletes the files of old ones, and
        takes these off the list then: the newest one on it is never deleted,
        and the files of the others may be missing while they are on it.
        """
        if path in (self.packed_path, self.best_checkpoint()):
            return True
        checkpoints = self.checkpoints()
        if path not in checkpoints.values():
            return False
        if path == checkpoints[max(checkpoints)]:
            return True
        names = tf.io.gfile.listdir(self.checkpoints_path)
        return all(
            any(
                name.startswith(f"{os.path.basename(path)}.{kind}")
                for name in names
            )
            for kind in ("index", "data-")
        )

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
        if path == self.packed_path:
            return  # Its structures are in the names of its arrays.
        changed = config_lib.differences(saved_config(path), config)
        texts = [
            f"{name}: {saved!r} -> {given!r}"
            for name, (saved, given) in changed.items()
            if not name.startswith("training.")
        ]
        if texts:
            raise ValueError(
                f"{self.config_path}: expected the data and the model that "
                f"{path} was saved with. Received: {'; '.join(texts)}. Restore"
                f" the {CONFIG_FILE} that yt8m-train wrote"
            )


def _manage(
    checkpoint: tf.train.Checkpoint, folder: str, keep: int
) -> tf.train.CheckpointManager:
    return tf.train.CheckpointManager(
        checkpoint,
        folder,
        max_to_keep=keep,
        checkpoint_name=_CHECKPOINT_PREFIX,
    )


def _list_checkpoints(folder: str) -> dict[int, str]:
    """Lists the checkpoints of a folder: path by step, oldest first."""
    list_path = os.path.join(folder, "checkpoint")
    if not tf.io.gfile.exists(list_path):
        return {}
    names = tf.io.gfile.listdir(folder)
    steps = {
        checkpoint_step(path): path
        for path in _listed_paths(folder, list_path)
        if any(name.startswith(f"{os.path.basename(path)}.") for name in names)
    }
    return dict(sorted(steps.items()))


def _listed_paths(folder: str, list_path: str) -> list[str]:
    try:
        state = tf.train.get_checkpoint_state(folder)
    except ValueError:
        state = None
    if state is None and not tf.io.gfile.exists(list_path):
        return []  # The run was just moved away.
    if state is None:
        raise ValueError(
            f"{list_path}: expected the list of checkpoints that "
            "yt8m-train wrote. Received: a file that can't be read; "
            "restore it, or start again with another train_dir"
        )
    return list(state.all_model_checkpoint_paths)


def build_model(config: config_lib.Config) -> keras.Model:
    """Builds the model of a run, without settings that are not used."""
    model = config.model.without_unused()
    return dataclasses.replace(config, model=model).build_model()


def _unused_name(path: str) -> str:
    name, number = path, 1
    while tf.io.gfile.exists(name):
        number += 1
        name = f"{path}-{number}"
    return name


def check_readable_name(name: str, path: str) -> None:
    """Checks that TensorFlow can read the variables that it saves in a folder.

    Args:
        name: what the setting of the folder is called.
        path: the folder.

    Raises:
        ValueError: if it has the characters of a pattern.
    """
    if set(path) & set(_PATTERN_CHARACTERS):
        raise ValueError(
            f"expected {name} without the characters "
            f"{' '.join(_PATTERN_CHARACTERS)}: TensorFlow could save weights "
            "there, but takes their names for patterns when it reads them. "
            f"Received: {name}={path!r}"
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
    except run_checkpoint.READ_ERRORS as error:
        raise run_checkpoint.unreadable(path, error) from error
    return config_lib.Config.from_json(text, path)


def checkpoint_step(path: str) -> int:
    """Reads the step from the path of a checkpoint."""
    return int(path.rsplit("-", 1)[1])

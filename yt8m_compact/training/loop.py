"""The training loop: from a configuration to checkpoints."""

from collections.abc import Mapping, Sequence
import functools
import logging
import os

import keras
import numpy as np

from yt8m_compact import files as files_lib
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice
from yt8m_compact.training import class_priors
from yt8m_compact.training import data_order
from yt8m_compact.training import optimizers
from yt8m_compact.training import strategies
from yt8m_compact.training import teachers as teachers_lib
from yt8m_compact.training import trainer as trainer_lib
from yt8m_compact.training import warm_start as warm_start_lib

_LOGGER = logging.getLogger(__name__)


def train(
    config: config_lib.Config,
    train_dir: str,
    *,
    start_new_model: bool = False,
    watching: trainer_lib.Watching | None = None,
    run_weights: Mapping[str, weight_choice.RunWeights] | None = None,
    start: warm_start_lib.ModelStart | None = None,
) -> trainer_lib.TrainingResult:
    """Trains a model, or continues a run that was stopped.

    A run that continues gives the weights that it would have given without
    the stop: the checkpoint holds its place in the data, and the order of
    the data follows from the seed and the epoch.

    Example:
        >>> config = yt8m.run.Config(
        ...     data=yt8m.run.DataConfig(
        ...         feature_names=("mean_rgb", "mean_audio"),
        ...         feature_sizes=(6, 3),
        ...         num_classes=5,
        ...     ),
        ...     model=yt8m.models.LogisticConfig(),
        ...     training=yt8m.run.TrainingConfig(
        ...         train_data_pattern=data_pattern,  # of 40 videos
        ...         batch_size=8,
        ...         num_epochs=2,
        ...     ),
        ... )
        >>> result = yt8m.training.train(config, "run")
        >>> result.step, result.epoch, result.signal_number
        (10, 2, None)
        >>> result.checkpoint
        'run/checkpoints/model.ckpt-10'

    Args:
        config: the configuration. Data and model must be those of the run in
            `train_dir`, if there is one; training settings may differ.
        train_dir: the folder of the run.
        start_new_model: whether a run that is there is moved aside first.
        watching: what is done beside the steps.
        run_weights: which weights of the runs that `init_from` and `teacher`
            name count, by their folders; of others those of the newest
            checkpoint.
        start: what a new run with `init_from` starts from, which was made of
            it; None makes it.

    Returns:
        How it ended.

    Raises:
        ValueError: if the model has a setting that is not used, the
            configuration does not fit the run in `train_dir`, there is data to
            evaluate on and nobody to evaluate, or the loss stops being a
            number.
        DataError: if the data is missing or broken.
        OSError: if a checkpoint can't be written, or another process trains in
            `train_dir`.
    """
    watching = watching or trainer_lib.Watching()
    config.model.check_options()
    config.training.check_options()
    if config.training.eval_data_pattern and watching.evaluate is None:
        raise ValueError(
            "expected watching.evaluate with eval_data_pattern, such as "
            "yt8m_compact.eval.validation.Validation. Received: None"
        )
    # Before anything else that needs TensorFlow.
    workers = strategies.make_workers(config.training)
    with strategies.readable_errors(workers):
        return _train(
            config,
            train_dir,
            workers,
            start_new_model,
            watching,
            run_weights or {},
            start,
        )


def _train(
    config: config_lib.Config,
    train_dir: str,
    workers: strategies.Workers,
    start_new_model: bool,
    watching: trainer_lib.Watching,
    run_weights: Mapping[str, weight_choice.RunWeights],
    given_start: warm_start_lib.ModelStart | None,
) -> trainer_lib.TrainingResult:
    """Trains, as one of the workers."""
    reader = config.reader(training=True)
    files = readers.expand_patterns(config.training.train_data_pattern)
    eval_files = None
    if config.training.eval_data_pattern:
        eval_files = readers.expand_patterns(config.training.eval_data_pattern)
        _warn_of_overlap(files, eval_files)
    data_order.check_shards(config.training, workers.number, files)
    skipped = None
    if config.training.on_data_error == "skip":
        skipped = readers.SkippedData()
    readers.check_format(
        files,
        reader,
        require_labels=not (
            config.data.segment_labels or _learns_from_teachers_alone(config)
        ),
        skipped=skipped,
    )
    if eval_files is not None:
        # Not after the first epoch.
        readers.check_format(
            eval_files,
            config.reader(training=False),
            # Those that are left out are counted when they are evaluated on.
            skipped=None if skipped is None else readers.SkippedData(),
            others=files,
        )
    features = readers.find_features([*files, *(eval_files or ())])
    lack = readers.describe_lack(
        reader,
        files,
        config.training.batch_size,
        config.training.shuffle_buffer,
    )
    if lack is not None:
        _LOGGER.warning("%s", lack)
    run = train_dir_lib.TrainDir(train_dir)
    teachers = teachers_lib.load_teachers(
        config, run.path, workers.strategy, run_weights
    )
    make_trainer = functools.partial(
        trainer_lib.Trainer,
        config,
        run,
        workers,
        reader,
        files,
        skipped,
        watching,
        eval_files,
        teachers,
    )
    if not workers.is_chief:
        keras.utils.set_random_seed(config.training.seed)
        trainer = make_trainer()
        trainer.follow_chief()
        return trainer.run_epochs()
    # Nothing is read or moved that another trainer may be changing.
    with run_lock.RunLock(run.path) as lock:
        if start_new_model and (run.exists() or run.checkpoints()):
            _check_movable(run, files)
            moved = run.move_away()
            lock.follow(moved)
            _LOGGER.info("moved %s to %s", run.path, moved)
        run.remove_leftovers()
        _check_resumable(config, run)
        # What is there without a run is of one that never began.
        goes_on = run.exists() or bool(run.checkpoints())
        if goes_on:
            readers.expect_same_ranges(run.path, files, classes=True)
        start = None
        if config.training.init_from and not run.checkpoints():
            # Before anything that takes long, and before the seed is set, as
            # teachers are: what keeps its initialisation is as it would be
            # without.
            start = given_start or warm_start_lib.RunStart(
                config.training.init_from,
                run_weights.get(
                    config.training.init_from, weight_choice.NEWEST
                ),
            )
        keras.utils.set_random_seed(config.training.seed)
        priors = _count_priors(config, run, reader, files, skipped, teachers)
        trainer = make_trainer(lock, priors, start)
        if features is not None:
            readers.write_features(run.features_path, features)
        elif not goes_on and files_lib.exists(run.features_path):
            run.remove_features()
        trainer.start()
        return trainer.run_epochs()


def _warn_of_overlap(files: Sequence[str], eval_files: Sequence[str]) -> None:
    """Warns of files that are trained on and evaluated on."""
    trained = set(map(files_lib.real_path, files))
    both = [file for file in eval_files if files_lib.real_path(file) in trained]
    if both:
        _LOGGER.warning(
            "expected eval_data_pattern to name files that are not trained on: "
            "the metrics of known videos say little. Received: %d of %d files "
            "that are, such as %s",
            len(both),
            len(eval_files),
            both[0],
        )


def _count_priors(
    config: config_lib.Config,
    run: train_dir_lib.TrainDir,
    reader: readers.Reader,
    files: list[str],
    skipped: readers.SkippedData | None,
    teachers: teachers_lib.Teachers | None,
) -> np.ndarray | None:
    """Counts how frequent the classes are, where a new run starts there."""
    if config.training.classifier_bias == "log_odds" and not run.checkpoints():
        return class_priors.count_class_priors(
            reader,
            files,
            config.training.bias_examples,
            config.training.seed,
            skipped,
            teachers,
        )
    return None


def _learns_from_teachers_alone(config: config_lib.Config) -> bool:
    return bool(config.training.teacher) and config.training.teacher_weight == 1


def _check_movable(run: train_dir_lib.TrainDir, files: list[str]) -> None:
    """Refuses to move the data away together with the run."""
    moved = [run.path] if run.can_be_renamed() else run.own_paths()
    folders = tuple(os.path.join(os.path.realpath(p), "") for p in moved)
    for file in files:
        if os.path.realpath(file).startswith(folders):
            raise ValueError(
                f"{run.path}: expected a run without the data to train on, to "
                f"move it aside. Received: {file} in it; choose another "
                "train_dir"
            )


def _check_resumable(
    config: config_lib.Config, run: train_dir_lib.TrainDir
) -> None:
    """Compares with the run that is there, and says which settings changed."""
    if run.is_packed():
        raise ValueError(
            f"{run.path}: expected a folder to train in. Received: a packed "
            "model, which can't be trained any more; choose another train_dir, "
            f"and start from this one with init_from={run.path}"
        )
    if not run.exists():
        if run.checkpoints():
            raise ValueError(
                f"{run.path}: expected {train_dir_lib.CONFIG_FILE} beside the "
                "checkpoints. Received: none; choose another train_dir, or "
                "start_new_model=True to move this one aside"
            )
        return
    saved = run.load_config()
    if run.checkpoints():
        run.check_fits(saved, run.find_checkpoint())
    changed = config_lib.differences(saved, config)
    texts = {
        name: f"{name}: {old!r} -> {new!r}"
        for name, (old, new) in changed.items()
    }
    fatal = [
        text
        for name, text in texts.items()
        # A checkpoint holds what one optimiser needs, and no other.
        if not name.startswith("training.")
        # Nor does a run start again.
        or name == "training.init_from"
        or optimizers.changes_state(
            name.removeprefix("training."), *changed[name]
        )
    ]
    if fatal and run.checkpoints():
        raise ValueError(
            f"{run.config_path}: expected the data, the model, the optimiser "
            "and the start of the run that is there. Received: "
            f"{'; '.join(fatal)}. Use the same settings to continue it, "
            "another train_dir, or start_new_model=True"
        )
    for text in texts.values():
        _LOGGER.info(
            "changed since the last start: %s",
            text,
            extra={"about_settings": True},
        )

r"""Trains a video classifier on YouTube-8M records.

Example:
    yt8m-train --train_dir=runs/dbof \
      --train_data_pattern='data/train*.tfrecord' --frame_features \
      --feature_names=rgb,audio --feature_sizes=1024,128 \
      --model=DbofModel --fc_projection=diagonal_circulant

The same command continues a run that was stopped. Watch it with
`tensorboard --logdir runs`.

Many runs, compared by score and by size, where study.toml says which flags
have which values in turn:
    yt8m-train --train_dir=runs/study --study=study.toml
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import settings_flags
from yt8m_compact import usage_error
from yt8m_compact.programs import endings
from yt8m_compact.programs import study
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib

with lazy.imports():
    from yt8m_compact import datasets
    from yt8m_compact import training
    from yt8m_compact.eval import validation
    from yt8m_compact.training import user_callbacks

PAGES = help_pages.HelpPages(
    common={
        "run": ("train_dir", "start_new_model", "init_from", "study"),
        "data": (
            "train_data_pattern",
            "eval_data_pattern",
            "feature_names",
            "feature_sizes",
            "frame_features",
            "num_classes",
            "on_data_error",
        ),
        "model": ("model", "classifier_projection", "fc_projection"),
        "training": (
            "batch_size",
            "num_epochs",
            "max_steps",
            "base_learning_rate",
            "optimizer",
            "label_loss",
            "teacher",
            "early_stopping",
            "checkpoint_steps",
            "dtype_policy",
            "seed",
        ),
    },
    needed=("train_dir", "train_data_pattern"),
    describe_model=command_line.describe_model,
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "train_dir",
        None,
        "Folder of the run: config.json, checkpoints, TensorBoard's events.",
        required=True,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "start_new_model",
        False,
        "Whether a run that is in --train_dir is moved aside first, not "
        "continued.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "study",
        "",
        "File, in TOML, of values that flags have in turn, in a grid or a "
        "search: each combination is trained in a folder of its own in "
        "--train_dir and evaluated. See docs/training.md.",
        flag_values=flag_values,
    )
    command_line.define_data_flag(
        flag_values,
        "trains on its train split; its features, sizes and classes are those "
        "of the data set where their flags are not given",
    )
    help_pages.set_group(flag_values, "data", "data")
    path_flags.define_path(
        "vocabulary_file",
        None,
        "CSV file of the classes' names, YouTube-8M's vocabulary.csv or "
        "AudioSet's class_labels_indices.csv, for the predictions that "
        "TensorBoard shows; those that yt8m_features.json beside the records "
        "has, if not given.",
        flag_values=flag_values,
    )
    flags.DEFINE_list(
        "callbacks",
        [],
        "Functions that make callbacks of your own, module:function, "
        "comma-separated: given the run's configuration, each returns a "
        "keras.callbacks.Callback or a list of them.",
        flag_values=flag_values,
    )
    flags.DEFINE_list(
        "profile",
        [],
        "START,END: the first and the last step of a profile for TensorBoard, "
        "from 1.",
        flag_values=flag_values,
    )
    command_line.define_model_flags(flag_values)
    command_line.define_training_flags(flag_values)
    for name in ("callbacks", "profile", "vocabulary_file"):
        help_pages.set_group(flag_values, name, "watching")


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Trains; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "train_dir")
    if flag_values.study:
        return study.main(flag_values, define_flags, _config)
    config = _config(flag_values)
    result = training.train(
        config,
        flag_values.train_dir,
        start_new_model=flag_values.start_new_model,
        watching=_make_watching(flag_values, config),
    )
    if result.warm_start:
        print(f"started from {config.training.init_from}:")
        print(result.warm_start.to_text(), flush=True)
    status = endings.tell_interruption(result)
    if status is not None:
        return status
    if result.best is not None:
        metric = config.training.keep_best
        stopped = "stopped early; " if result.stopped_early else ""
        weights = config.training.eval_weights
        print(
            f"{stopped}best {metric} {result.best.metrics[metric]:.4f} at step "
            f"{result.best.step}: --checkpoint_step=best"
            + ("" if weights == "raw" else f" --weights={weights}")
        )
    print(
        f"done: step {result.step}, epoch {result.epoch}, "
        f"{result.checkpoint}\n"
        f"evaluate: yt8m-eval --train_dir={flag_values.train_dir} "
        "--eval_data_pattern=...\n"
        f"watch: tensorboard --logdir {flag_values.train_dir}"
    )
    return 0


def _make_watching(
    flag_values: flags.FlagValues, config: config_lib.Config
) -> training.Watching:
    """Makes what is done beside the steps."""
    class_names = None
    profile = _read_profile(flag_values)
    with usage_error.from_value_errors():
        makers = user_callbacks.find_makers(flag_values.callbacks)
        if flag_values.vocabulary_file:
            class_names = datasets.read_class_names(flag_values.vocabulary_file)
        else:
            files = readers.expand_patterns(config.training.train_data_pattern)
            said = readers.find_features(files)
            class_names = dict(enumerate(said.class_names)) if said else None
    evaluate = None
    if config.training.eval_data_pattern:
        evaluate = validation.Validation(
            flag_values.train_dir, config.training, class_names
        )
    return training.Watching(
        evaluate=evaluate,
        describe=validation.describe_weights,
        summarize=validation.summarize_weights,
        make_callbacks=makers,
        profile=profile,
    )


def _read_profile(flag_values: flags.FlagValues) -> tuple[int, int] | None:
    if not flag_values.profile:
        return None
    steps = settings_flags.whole_numbers(flag_values, "profile")
    if len(steps) != 2 or steps[0] > steps[1]:
        raise usage_error.UsageError(
            "expected --profile to be START,END, the first and the last step "
            f"of the profile. Received: profile={','.join(map(str, steps))}"
        )
    return steps


def _config(flag_values: flags.FlagValues) -> config_lib.Config:
    """Makes the configuration of a run; before what is imported for seconds."""
    found = command_line.use_data_flag(
        flag_values, "train_data_pattern", "train"
    )
    if found:
        command_line.use_features(flag_values, found)
    program.expect_given(flag_values, "train_data_pattern")
    command_line.use_record_features(flag_values, "train_data_pattern")
    config = command_line.config_from_flags(flag_values)
    with usage_error.from_value_errors():
        config.model.check_options()
        config.training.check_options()
    command_line.expect_presets([config.training.init_from])
    readers.expect_local_files(config.training.train_data_pattern)
    if config.training.eval_data_pattern:
        readers.expect_local_files(config.training.eval_data_pattern)
    command_line.expect_teachers(config.training.teacher)
    return config


def run() -> None:
    """Runs yt8m-train."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

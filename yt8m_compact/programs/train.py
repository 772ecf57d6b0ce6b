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

from collections.abc import Sequence

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.programs import study
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib

with lazy.imports():
    from yt8m_compact import training


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
    command_line.define_model_flags(flag_values)
    command_line.define_training_flags(flag_values)


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
    )
    if result.warm_start:
        print(f"started from {config.training.init_from}:")
        print(result.warm_start.to_text(), flush=True)
    if result.skipped:
        print(f"left out of the data:\n{result.skipped.to_text()}", flush=True)
    if result.signal_number is not None:
        print(
            f"stopped by signal {result.signal_number} at step {result.step}; "
            f"saved {result.checkpoint}; the same command continues"
        )
        return 128 + result.signal_number
    print(
        f"done: step {result.step}, epoch {result.epoch}, "
        f"{result.checkpoint}\n"
        f"evaluate: yt8m-eval --train_dir={flag_values.train_dir} "
        "--eval_data_pattern=...\n"
        f"watch: tensorboard --logdir {flag_values.train_dir}"
    )
    return 0


def _config(flag_values: flags.FlagValues) -> config_lib.Config:
    """Makes the configuration of a run; before what is imported for seconds."""
    found = command_line.use_data_flag(
        flag_values, "train_data_pattern", "train"
    )
    if found:
        command_line.use_features(flag_values, found)
    program.expect_given(flag_values, "train_data_pattern")
    config = command_line.config_from_flags(flag_values)
    with usage_error.from_value_errors():
        config.model.check_options()
    readers.expect_local_files(config.training.train_data_pattern)
    return config


def run() -> None:
    """Runs yt8m-train."""
    program.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()

r"""Makes a trained run smaller: a new run, within a budget.

Example:
    yt8m-compress --train_dir=runs/dense \
      --train_data_pattern='data/train*.tfrecord' \
      --eval_data_pattern='data/validate*.tfrecord' \
      --budget=1MB --output_dir=runs/small

What each place of the model loses as each structure in each precision is
measured, the best sum within the budget is chosen, and what was chosen is
trained with the run as its teacher. --unit_penalty drops hidden units before.
--dry_run ends with the choice. The same command continues what was stopped.
See docs/compression.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from absl import flags

from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.compression import candidates
from yt8m_compact.compression import settings as settings_lib
from yt8m_compact.compression import unit_dropping
from yt8m_compact.programs import endings
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import weight_choice

with lazy.imports():
    import keras

    from yt8m_compact import training
    from yt8m_compact.compression import run_compression
    from yt8m_compact.eval import evaluation
    from yt8m_compact.eval import validation
    from yt8m_compact.run import train_dir as train_dir_lib


_PATTERNS = ("train_data_pattern", "sample_data_pattern", "eval_data_pattern")

PAGES = help_pages.HelpPages(
    common={
        "runs": ("train_dir", "output_dir", "checkpoint_step", "weights"),
        "data": (
            "train_data_pattern",
            "sample_data_pattern",
            "eval_data_pattern",
        ),
        "what is chosen": (
            "budget",
            "structures",
            "precisions",
            "choose_by",
            "num_sample_videos",
            "dry_run",
        ),
        "hidden units": ("unit_penalty", "unit_epochs"),
        "training": (
            "num_epochs",
            "batch_size",
            "base_learning_rate",
            "teacher",
            "teacher_weight",
        ),
    },
    needed=("train_dir", "output_dir", "budget", "train_data_pattern"),
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "train_dir",
        None,
        "Folder of the run to make smaller.",
        required=True,
        flag_values=flag_values,
    )
    command_line.define_checkpoint_flag(
        flag_values, "Step of the checkpoint to start from"
    )
    command_line.define_weights_flag(flag_values)
    path_flags.define_path(
        "output_dir",
        None,
        "Folder of the new run, and of what was measured.",
        required=True,
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "budget",
        None,
        "The most that the new run may take: 1MB of the packed file, "
        "500000_parameters, or 2ms for one video, on this machine.",
        required=True,
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "train_data_pattern",
        "",
        "Files to train on: glob patterns, comma-separated. Without "
        "--sample_data_pattern up to a fifth of them is held out.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "sample_data_pattern",
        "",
        "Files of the videos to measure on, best such that the run was not "
        "trained on: glob patterns, comma-separated. If not given, some of "
        "--train_data_pattern.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "eval_data_pattern",
        "",
        "Files of the scores before and after, which nothing is chosen on: "
        "glob patterns, comma-separated. If not given, the scores are those of "
        "the videos that are measured on.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "structures",
        ", ".join(candidates.STRUCTURES),
        "Structures that a place may become, comma-separated.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "precisions",
        None,
        "Precisions of each of --structures, comma-separated; one that names "
        "its own, such as low_rank(rank=64)@int4, has that alone (default: "
        f"{', '.join(candidates.PRECISIONS)}; {candidates.FLOAT} where the "
        "budget is not one of bytes).",
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "choose_by",
        settings_lib.Settings.choose_by,
        ["loss", "gap"],
        "What is to become little worse on the sample. GAP does not count "
        "probabilities that are all too large or too small, which the training "
        "mends.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_sample_videos",
        settings_lib.NUM_VIDEOS,
        "Number of videos to measure on, the first of the files.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Whether to end with what is chosen, before the training.",
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "unit_penalty",
        None,
        "Weight of the penalty of gates of an MlpModel's hidden units, such as "
        "0.001; the larger, the fewer stay. They are trained on the run first, "
        "and units that are not needed are dropped for good; if not given, "
        "none is.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "unit_epochs",
        settings_lib.Settings.unit_epochs,
        "How often the training of the gates goes through the data.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_epochs",
        settings_lib.Settings.num_epochs,
        "How often the training goes through the data.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "batch_size",
        None,
        "Number of videos of a training step; that of the run if not given.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "base_learning_rate",
        None,
        "Learning rate at the start, of a cosine; that of the run if not "
        "given.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "teacher",
        settings_lib.Settings.teacher,
        "What to learn from beside the run, comma-separated, the mean of all: "
        "folders of runs or of SavedModels (which are programs: give only ones "
        "that you trust), and files of scores of yt8m-predict "
        "--format=teacher.",
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "teacher_weight",
        settings_lib.Settings.teacher_weight,
        "Share of the predictions of the run and of --teacher in what is "
        "learned, which labels have the rest of.",
        flag_values=flag_values,
    )


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Compresses; returns the exit status."""
    program.expect_no_arguments(arguments)
    for name in ("train_dir", "output_dir"):
        program.expect_no_file(flag_values, name)
    command_line.expect_presets([flag_values.train_dir])
    settings = _settings(flag_values)
    program.expect_writable_folder(flag_values, "output_dir")
    compression = run_compression.RunCompression(settings)
    learned = compression.learn_gates(_Watch(compression.gates_path))
    if learned is not None:
        status = endings.tell_interruption(learned)
        if status is not None:
            return status
    with endings.keeping_what_is_done():
        compression.choose()
    if flag_values.dry_run:
        print(compression.to_text(program.table_columns()))
        return 0
    if not compression.is_done:
        print(compression.to_text(program.table_columns()), flush=True)
    evaluate = None
    if settings.eval_data_pattern:
        evaluate = _Evaluate(settings)
    result = compression.tune(_Watch(settings.output_dir), evaluate)
    status = endings.tell_interruption(result)
    if status is not None:
        return status
    print(f"\n{compression.to_text(program.table_columns())}\n")
    print(
        f"done: step {result.step}, {result.checkpoint}\n"
        f"written: {compression.packed_path}, {compression.table_path}\n"
        f"evaluate: yt8m-eval --train_dir={settings.output_dir} "
        "--eval_data_pattern=..."
    )
    return 0


def _settings(flag_values: flags.FlagValues) -> settings_lib.Settings:
    """Reads the flags, before what is imported for seconds."""
    with usage_error.from_value_errors():
        budget = budget_lib.parse(flag_values.budget)
        structures = tuple(candidates.split(flag_values.structures))
        precisions = candidates.default_precisions(budget.unit)
        if flag_values.precisions is not None:
            precisions = tuple(candidates.split(flag_values.precisions))
        candidates.make(structures, precisions)
        # As those of yt8m-train, which say what is wrong.
        for name in ("teacher_weight", "base_learning_rate"):
            value = flag_values[name].value
            if value is not None:
                given = {name: value, "teacher": flag_values.train_dir}
                config_lib.TrainingConfig(**given)
    program.expect_given(flag_values, "train_data_pattern")
    config = train_dir_lib.TrainDir(flag_values.train_dir).load_config()
    if flag_values.unit_penalty is not None:
        with usage_error.from_value_errors():
            unit_dropping.with_gates(config, flag_values.unit_penalty)
    for name in _PATTERNS:
        if flag_values[name].value:
            readers.expect_local_files(flag_values[name].value)
    command_line.expect_teachers(flag_values.teacher)
    return settings_lib.Settings(
        train_dir=flag_values.train_dir,
        output_dir=flag_values.output_dir,
        budget=budget,
        train_data_pattern=flag_values.train_data_pattern,
        sample_data_pattern=flag_values.sample_data_pattern,
        eval_data_pattern=flag_values.eval_data_pattern,
        weights=weight_choice.RunWeights(
            flag_values.checkpoint_step,
            command_line.weights_from_flag(flag_values),
        ),
        structures=structures,
        precisions=precisions,
        choose_by=flag_values.choose_by,
        num_videos=flag_values.num_sample_videos,
        num_epochs=flag_values.num_epochs,
        teacher=flag_values.teacher,
        teacher_weight=flag_values.teacher_weight,
        base_learning_rate=flag_values.base_learning_rate,
        batch_size=flag_values.batch_size,
        unit_penalty=flag_values.unit_penalty,
        unit_epochs=flag_values.unit_epochs,
    )


class _Evaluate:
    """Evaluates models in memory, exactly as yt8m-eval does."""

    def __init__(self, settings: settings_lib.Settings) -> None:
        self._evaluator = evaluation.Evaluator(
            settings.output_dir, settings.eval_data_pattern
        )

    def __call__(
        self, config: config_lib.Config, model: keras.Model
    ) -> Mapping[str, float]:
        metrics = self._evaluator.evaluate_model(config, model).metrics
        return {name: metrics[name] for name in config_lib.BETTER}


class _Watch:
    """Makes what is done beside the steps of the new run."""

    def __init__(self, output_dir: str) -> None:
        self._output_dir = output_dir

    def __call__(self, config: config_lib.Config) -> training.Watching:
        evaluate = None
        if config.training.eval_data_pattern:
            evaluate = validation.Validation(self._output_dir, config.training)
        return training.Watching(
            evaluate=evaluate,
            describe=validation.describe_weights,
            summarize=validation.summarize_weights,
        )


def run() -> None:
    """Runs yt8m-compress."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

r"""Evaluates a run of yt8m-train: exact GAP, Hit@1, PERR, MAP, and weights.

Example:
    yt8m-eval --train_dir=runs/dbof \
      --eval_data_pattern='data/validate*.tfrecord'

The model is what --train_dir says; with --model_file=exported/model.tflite in
its place, what yt8m-export wrote is evaluated, by its own runtime.

Files of predictions need no model, whoever wrote them:
  yt8m-eval --predictions=predictions.csv --labels='data/validate*.tfrecord'

Several models are evaluated together, by the weights that suit them best:
  yt8m-eval --ensemble=runs/a,runs/b --eval_data_pattern='data/validate*'

To count the weights of a model without data or checkpoint:
  yt8m-eval --parameters_only --model=DbofModel --frame_features \
    --feature_names=rgb,audio --feature_sizes=1024,128
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import logging

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluation
from yt8m_compact.programs import ensemble_flags
from yt8m_compact.programs import prediction_flags
from yt8m_compact.run import command_line
from yt8m_compact.run import weight_choice

with lazy.imports():
    from yt8m_compact.eval import ensemble_evaluation
    from yt8m_compact.eval import follow_checkpoints
    from yt8m_compact.eval import prediction_evaluation
    from yt8m_compact.eval import report
    from yt8m_compact.eval import segment_evaluation
    from yt8m_compact.eval import weights
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import ensembles
    from yt8m_compact.inference import predictors
    from yt8m_compact.run import train_dir as train_dir_lib

_LOGGER = logging.getLogger(__name__)

# Flags of the starter code's eval.py.
_REPLACED = ("label_loss",)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "train_dir", None, "Folder of the run.", flag_values=flag_values
    )
    command_line.define_model_file_flag(flag_values, "evaluate")
    path_flags.define_pattern(
        "eval_data_pattern",
        "",
        "Files to evaluate on: glob patterns, comma-separated.",
        flag_values=flag_values,
    )
    command_line.define_data_flag(
        flag_values, "evaluates on its validation split, or else on test"
    )
    command_line.define_checkpoint_flag(
        flag_values, "Step of the checkpoint to evaluate"
    )
    command_line.define_weights_flag(flag_values)
    flags.DEFINE_integer(
        "batch_size",
        evaluation.BATCH_SIZE,
        "Number of videos of a batch; the metrics do not depend on it.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "top_k",
        20,
        "How many predictions of each video GAP counts.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_readers",
        8,
        "Number of files that are read at the same time.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "frame_seed",
        None,
        "Samples frames at random by this seed, as the released codes do at "
        "evaluation; evenly if not given.",
        lower_bound=0,
        upper_bound=2**32 - 1,
        flag_values=flag_values,
    )
    prediction_flags.define(flag_values)
    program.define_on_data_error(flag_values)
    path_flags.define_path(
        "output_json",
        None,
        "File to write the report to, as JSON.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "parameters_only",
        False,
        "Whether to count weights only: of --train_dir, or of --model with "
        "its flags.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "run_once",
        True,
        "Whether to evaluate one checkpoint and end; if false, each new one "
        "until none comes for --timeout_secs.",
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "eval_interval_secs",
        30.0,
        "With --norun_once, the least time between two evaluations.",
        lower_bound=1.0,
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "timeout_secs",
        3600.0,
        "With --norun_once, how long to wait for a new checkpoint.",
        lower_bound=1.0,
        flag_values=flag_values,
    )
    command_line.define_model_flags(flag_values)
    command_line.define_replaced_flags(_REPLACED, flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Evaluates; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "train_dir")
    command_line.refuse_replaced_flags(_REPLACED, flag_values)
    program.expect_folder(flag_values, "output_json")
    if prediction_flags.are_given(flag_values):
        return _evaluate_predictions(flag_values)
    if flag_values["segment_map_k"].present and not flag_values.ensemble:
        prediction_flags.expect_segments_only(flag_values)
    if flag_values.ensemble:
        return _evaluate_ensemble(flag_values)
    if flag_values.model_file:
        _expect_model_file_alone(flag_values)
    if flag_values.parameters_only:
        result = _count_parameters(flag_values)
        print(result.to_text(), flush=True)
        _write(result, flag_values.output_json)
        return 0
    run = None
    if flag_values.model_file:
        source = "--model_file"
    else:
        source = "--train_dir"
        run = train_dir_lib.TrainDir(flag_values.train_dir)
    command_line.refuse_model_flags(
        flag_values, f"the model is read from {source}"
    )
    weights_choice = command_line.weights_from_flag(flag_values)
    command_line.use_data_flag(
        flag_values, "eval_data_pattern", "validation", "test"
    )
    program.expect_given(flag_values, "eval_data_pattern")
    # Told before what is imported for seconds.
    readers.expect_local_files(flag_values.eval_data_pattern)
    if run is None:
        artefacts.find(flag_values.model_file)
    elif flag_values.run_once:
        run.load_config()
    if flag_values["segment_map_k"].present:
        return _evaluate_segments(flag_values, weights_choice)
    evaluator = evaluation.Evaluator(
        run and run.path,
        flag_values.eval_data_pattern,
        batch_size=flag_values.batch_size,
        top_k=flag_values.top_k,
        num_readers=flag_values.num_readers,
        on_data_error=flag_values.on_data_error,
        frame_seed=flag_values.frame_seed,
        weights=weights_choice,
    )
    for result in _results(evaluator, flag_values, run):
        # What was computed is shown first, whatever can't be written.
        if result.skipped:
            print(
                f"left out of the data:\n{result.skipped.to_text()}", flush=True
            )
        print(result.to_text(), flush=True)
        if run:
            evaluation.log_report(result, run)
        _write(result, flag_values.output_json)
    return 0


def _evaluate_predictions(flag_values: flags.FlagValues) -> int:
    """Evaluates files of predictions; returns the exit status."""
    prediction_flags.expect_alone(flag_values)
    result = prediction_evaluation.evaluate_predictions(
        flag_values.predictions,
        flag_values.labels,
        num_classes=flag_values.num_classes,
        top_k=flag_values.top_k,
        segment_map_k=flag_values.segment_map_k,
    )
    print(result.to_text(), flush=True)
    if flag_values.output_json:
        prediction_evaluation.write_json(result, flag_values.output_json)
    return 0


def _evaluate_ensemble(flag_values: flags.FlagValues) -> int:
    """Evaluates models together; returns the exit status."""
    prediction_flags.expect_ensemble_alone(flag_values)
    command_line.use_data_flag(
        flag_values, "eval_data_pattern", "validation", "test"
    )
    program.expect_given(flag_values, "eval_data_pattern")
    weights_of_each = ensemble_flags.weights(flag_values)
    ensemble_flags.expect_members(flag_values.ensemble)
    readers.expect_local_files(flag_values.eval_data_pattern)
    result = ensemble_evaluation.evaluate_ensemble(
        flag_values.ensemble,
        [ensembles.load_member(name) for name in flag_values.ensemble],
        flag_values.eval_data_pattern,
        weights=weights_of_each,
        top_k=flag_values.top_k,
        batch_size=flag_values.batch_size,
        num_readers=flag_values.num_readers,
        seed=flag_values.ensemble_seed,
    )
    print(result.to_text(), flush=True)
    if flag_values.output_json:
        ensemble_evaluation.write_json(result, flag_values.output_json)
    return 0


def _evaluate_segments(
    flag_values: flags.FlagValues, choice: weight_choice.WeightChoice
) -> int:
    """Computes MAP@K of all segments; returns the exit status."""
    name = flag_values.model_file or flag_values.train_dir
    if flag_values.model_file:
        predictor = predictors.predictor_from_artefact(name, segments=True)
    else:
        predictor = predictors.predictor_from_train_dir(
            name, flag_values.checkpoint_step, segments=True, choice=choice
        )
    result = segment_evaluation.evaluate_segments(
        predictor,
        name,
        flag_values.eval_data_pattern,
        k=flag_values.segment_map_k,
        batch_size=flag_values.batch_size,
        num_readers=flag_values.num_readers,
    )
    print(result.to_text(), flush=True)
    if flag_values.output_json:
        prediction_evaluation.write_json(result, flag_values.output_json)
    return 0


def _expect_model_file_alone(flag_values: flags.FlagValues) -> None:
    """Refuses what only a run has beside `--model_file`."""
    command_line.refuse_choice_of_weights(flag_values)
    for name, is_given in (
        ("train_dir", flag_values.train_dir is not None),
        ("parameters_only", flag_values.parameters_only),
        ("norun_once", not flag_values.run_once),
    ):
        if is_given:
            raise usage_error.UsageError(
                f"expected --model_file or --{name}, not both. Received: "
                f"model_file={flag_values.model_file!r}"
            )


def _results(
    evaluator: evaluation.Evaluator,
    flag_values: flags.FlagValues,
    run: train_dir_lib.TrainDir | None,
) -> Iterator[report.Report]:
    """Yields the reports of the checkpoints, or of the file, to evaluate."""
    if run is None:
        yield evaluator.evaluate_artefact(
            *artefacts.load(flag_values.model_file)
        )
        return
    step = flag_values.checkpoint_step
    if flag_values.run_once:
        yield evaluator.evaluate(step)
        return
    if step is not None:
        raise usage_error.UsageError(
            "expected --checkpoint_step or --norun_once, not both. Received: "
            f"checkpoint_step={step}"
        )
    print(f"waiting for checkpoints in {run.checkpoints_path}", flush=True)
    for path in follow_checkpoints.follow_checkpoints(
        run, flag_values.eval_interval_secs, flag_values.timeout_secs
    ):
        result = evaluator.evaluate_found(path)
        if result is None:
            _LOGGER.info("%s: deleted before it was read", path)
        else:
            yield result


def _count_parameters(flag_values: flags.FlagValues) -> report.Report:
    if flag_values.train_dir is not None:
        command_line.refuse_model_flags(
            flag_values, "the model is read from --train_dir"
        )
        config = train_dir_lib.TrainDir(flag_values.train_dir).load_config()
        data, model = config.data, config.model.without_unused()
    else:
        data, model = command_line.model_from_flags(flag_values)
    return report.Report(
        model=models.model_name(model),
        weights=weights.count_weights_of_config(
            model,
            feature_sizes=data.feature_sizes,
            num_classes=data.num_classes,
        ),
        train_dir=flag_values.train_dir,
    )


def _write(result: report.Report, output_json: str | None) -> None:
    if output_json:
        report.write_json(result, output_json)


def run() -> None:
    """Runs yt8m-eval."""
    program.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()

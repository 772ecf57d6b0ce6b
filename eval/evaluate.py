r"""Evaluates a run of yt8m-train: exact GAP, Hit@1, PERR, MAP, parameters.

Example:
    yt8m-eval --train_dir=runs/dbof \
      --eval_data_pattern='data/validate*.tfrecord'

The model is what --train_dir says; with --model_file=exported/model.tflite in
its place, what yt8m-export wrote is evaluated, by its own runtime.

Several models are compared on the same videos, each --train_dir,
--checkpoint_step and --model_file that is given, with intervals of their
differences:
  yt8m-eval --train_dir=runs/dense --train_dir=runs/compact \
    --eval_data_pattern='data/validate*.tfrecord' --report_dir=report

--report_dir writes a page of HTML about classes, calibration and the rest.

Files of predictions need no model, whoever wrote them; several are compared,
each --predictions that is given, and so are files beside models:
  yt8m-eval --predictions=a.csv --predictions=b.parquet \
    --labels='data/validate*.tfrecord'

Several models are evaluated together, by the weights that suit them best:
  yt8m-eval --ensemble=runs/a,runs/b --eval_data_pattern='data/validate*'

With --runner, workers of Apache Beam evaluate models on thousands of files.

To count the parameters of a model without data or checkpoint:
  yt8m-eval --parameters_only --model=DbofModel --frame_features \
    --feature_names=rgb,audio --feature_sizes=1024,128
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import functools
import logging

from absl import flags

from yt8m_compact import files
from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluation
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs import ensemble_flags
from yt8m_compact.programs import prediction_flags
from yt8m_compact.run import command_line
from yt8m_compact.run import weight_choice

with lazy.imports():
    from yt8m_compact import datasets
    from yt8m_compact.eval import checkpoint_lines
    from yt8m_compact.eval import comparing
    from yt8m_compact.eval import comparison_sources
    from yt8m_compact.eval import ensemble_evaluation
    from yt8m_compact.eval import follow_checkpoints
    from yt8m_compact.eval import prediction_evaluation
    from yt8m_compact.eval import report
    from yt8m_compact.eval import segment_evaluation
    from yt8m_compact.eval import weights
    from yt8m_compact.eval.insight import plots
    from yt8m_compact.eval.insight import report_folder
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import ensembles
    from yt8m_compact.inference import predictors
    from yt8m_compact.programs import class_names
    from yt8m_compact.run import train_dir as train_dir_lib

_LOGGER = logging.getLogger(__name__)

# Flags of the starter code's eval.py.
_REPLACED = ("label_loss",)
_METRICS = "which computes metrics of videos, of checkpoints and files"
# What --runner does not do.
_NOT_SPREAD = {
    "num_readers": "which reads file by file",
    "ensemble": _METRICS,
    "segment_map_k": _METRICS,
    "run_once": _METRICS,
    "parameters_only": _METRICS,
}

PAGES = help_pages.HelpPages(
    common={
        "what is evaluated": (
            "train_dir",
            "model_file",
            "checkpoint_step",
            "weights",
        ),
        "a run that goes on": ("run_once",),
        "data": (
            "eval_data_pattern",
            "data",
            "batch_size",
            "num_readers",
            "on_data_error",
        ),
        "predictions in the place of a model, or beside models": (
            "predictions",
            "labels",
            "segment_map_k",
        ),
        "several models together": ("ensemble", "ensemble_weights"),
        "report": (
            "top_k",
            "starter_metrics",
            "output_json",
            "report_dir",
            "vocabulary_file",
        ),
        "parameters of a model without data": (
            "parameters_only",
            "model",
            "classifier_projection",
            "feature_names",
            "feature_sizes",
            "frame_features",
        ),
    },
    describe_model=command_line.describe_model,
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_repeated_path(
        "train_dir",
        "Folder of the run. Given several times, all are compared.",
        flag_values=flag_values,
    )
    command_line.define_model_file_flag(flag_values, "evaluate", repeated=True)
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
        flag_values, "Step of the checkpoint to evaluate", repeated=True
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
    flags.DEFINE_bool(
        "starter_metrics",
        False,
        "Whether to compute the metrics as the starter code does, too: MAP of "
        "what is among the --top_k best classes of each video.",
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
    path_flags.define_path(
        "report_dir",
        None,
        "Folder to write what is known of classes, calibration, frequent and "
        "rare classes and confusions to: index.html, which holds all pictures, "
        "CSV files, PNG files, and events for TensorBoard. A report that is "
        "there is replaced.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "vocabulary_file",
        None,
        "CSV file of the classes' names and verticals, YouTube-8M's "
        "vocabulary.csv or AudioSet's class_labels_indices.csv, for "
        "--report_dir; the names of YouTube-8M of 2018 if not given and there "
        "are 3862 classes. Or for --labels that name classes.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "bootstrap_draws",
        200,
        "How often videos are drawn for the intervals of a comparison and of "
        "--report_dir.",
        lower_bound=2,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "bootstrap_seed",
        0,
        "Seed of these draws.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "parameters_only",
        False,
        "Whether to count parameters only: of --train_dir, or of --model with "
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
    beam_flags.define(flag_values)
    command_line.define_model_flags(flag_values)
    command_line.define_replaced_flags(_REPLACED, flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Evaluates; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "train_dir")
    command_line.expect_presets(flag_values.train_dir or [])
    command_line.refuse_replaced_flags(_REPLACED, flag_values)
    program.expect_folder(flag_values, "output_json")
    mapper = beam_flags.mapper(flag_values, _NOT_SPREAD)
    if flag_values.ensemble:
        return _evaluate_ensemble(flag_values)
    if prediction_flags.are_alone(flag_values):
        if mapper is not None:
            raise usage_error.UsageError(
                "expected a model with --runner, whose workers predict. "
                "Received: --predictions alone"
            )
        return _evaluate_predictions(flag_values)
    if flag_values["segment_map_k"].present:
        prediction_flags.expect_segments_only(flag_values)
    train_dirs = flag_values.train_dir or []
    model_files = flag_values.model_file or []
    predictions = flag_values.predictions or []
    if model_files:
        _expect_model_files_fit(flag_values)
    num_members = len(train_dirs) * len(flag_values.checkpoint_step or [None])
    num_members += len(model_files) + len(predictions)
    _expect_one_model(flag_values, num_members)
    if flag_values.parameters_only:
        result = _count_parameters(flag_values)
        print(result.to_text(program.table_columns()), flush=True)
        _write(result, flag_values.output_json)
        return 0
    runs = [train_dir_lib.TrainDir(path) for path in train_dirs]
    if not runs and not model_files:
        train_dir_lib.TrainDir(None)  # Says that it is missing.
    source = "--train_dir" if runs else "--model_file"
    command_line.refuse_model_flags(
        flag_values, f"the model is read from {source}"
    )
    weights_choice = command_line.weights_from_flag(flag_values)
    command_line.use_data_flag(
        flag_values, "eval_data_pattern", "validation", "test"
    )
    program.expect_given(flag_values, "eval_data_pattern")
    if flag_values.vocabulary_file and not flag_values.report_dir:
        raise usage_error.UsageError(
            "expected --report_dir with --vocabulary_file, which is for that "
            "alone. Received: "
            f"vocabulary_file={flag_values.vocabulary_file!r}"
        )
    if flag_values.report_dir:
        plots.expect_matplotlib("report_dir", flag_values.report_dir)
        program.expect_no_file(flag_values, "report_dir")
        program.expect_writable_folder(
            flag_values, "report_dir", flag_values.report_dir
        )
        with usage_error.from_value_errors():
            report_folder.check_replaceable(
                flag_values.report_dir, flag_values.output_json
            )
    # Told before what is imported for seconds.
    readers.expect_local_files(flag_values.eval_data_pattern)
    for path in model_files:
        artefacts.find(path)
    for run in runs:
        if flag_values.run_once:
            run.load_config()
        else:
            _expect_to_go_on(run, *train_dirs)
    options = {
        "batch_size": flag_values.batch_size,
        "top_k": flag_values.top_k,
        "num_readers": flag_values.num_readers,
        "on_data_error": flag_values.on_data_error,
        "frame_seed": flag_values.frame_seed,
        "weights": weights_choice,
        "with_starter_metrics": flag_values.starter_metrics,
        "mapper": mapper,
    }
    if num_members > 1 or flag_values.report_dir:
        return _compare(flag_values, runs, options)
    if flag_values["segment_map_k"].present:
        return _evaluate_segments(flag_values, weights_choice)
    run = next(iter(runs), None)
    evaluator = evaluation.Evaluator(
        run and run.path,
        flag_values.eval_data_pattern,
        **options,
    )
    lines = None
    if not flag_values.run_once:
        lines = checkpoint_lines.CheckpointLines(program.table_columns())
    for result in _results(evaluator, flag_values, run):
        _show(result, lines)
        if run:
            evaluation.log_report(result, run)
        _write(result, flag_values.output_json)
    if lines:
        print(lines.end())
    return 0


def _show(
    result: report.Report,
    lines: checkpoint_lines.CheckpointLines | None = None,
) -> None:
    """Prints a report, or a line of it, whatever can't be written then."""
    if result.skipped:
        table = result.skipped.to_text(program.table_columns())
        print(f"left out of the data:\n{table}", flush=True)
    if lines:
        text = lines.add(result)
    else:
        text = result.to_text(program.table_columns())
    print(text, flush=True)


def _evaluate_predictions(flag_values: flags.FlagValues) -> int:
    """Evaluates files of predictions; returns the exit status."""
    prediction_flags.expect_alone(flag_values)
    vocabulary = None
    if flag_values.vocabulary_file:
        vocabulary = datasets.read_vocabulary(flag_values.vocabulary_file)
    num_classes = flag_values.num_classes
    if not flag_values["num_classes"].present:
        num_classes = prediction_evaluation.find_num_classes(
            flag_values.labels, vocabulary
        )
    if len(flag_values.predictions) > 1:
        options = {
            "num_classes": num_classes,
            "vocabulary": vocabulary,
            "top_k": flag_values.top_k,
            "with_starter_metrics": flag_values.starter_metrics,
        }
        return _compare(flag_values, [], options)
    result = prediction_evaluation.evaluate_predictions(
        flag_values.predictions[0],
        flag_values.labels,
        num_classes=num_classes,
        top_k=flag_values.top_k,
        segment_map_k=flag_values.segment_map_k,
        with_starter_metrics=flag_values.starter_metrics,
        vocabulary=vocabulary,
    )
    print(result.to_text(), flush=True)
    _write(result, flag_values.output_json)
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
    print(result.to_text(program.table_columns()), flush=True)
    _write(result, flag_values.output_json)
    return 0


def _evaluate_segments(
    flag_values: flags.FlagValues, choice: weight_choice.WeightChoice
) -> int:
    """Computes MAP@K of all segments; returns the exit status."""
    if flag_values.model_file:
        (name,) = flag_values.model_file
        predictor = predictors.predictor_from_artefact(name, segments=True)
    else:
        (name,) = flag_values.train_dir
        (step,) = flag_values.checkpoint_step or [None]
        predictor = predictors.predictor_from_train_dir(
            name, step, segments=True, choice=choice
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
    _write(result, flag_values.output_json)
    return 0


def _expect_model_files_fit(flag_values: flags.FlagValues) -> None:
    """Refuses what only a run has beside `--model_file`."""
    if not flag_values.train_dir:
        command_line.refuse_choice_of_weights(flag_values)
    for name, is_given in (
        ("parameters_only", flag_values.parameters_only),
        ("norun_once", not flag_values.run_once),
    ):
        if is_given:
            raise usage_error.UsageError(
                f"expected --model_file or --{name}, not both. Received: "
                f"model_file={','.join(flag_values.model_file)!r}"
            )


def _expect_one_model(flag_values: flags.FlagValues, num_members: int) -> None:
    """Refuses what is not done with several models, or a page about them."""
    for name, is_given in (
        ("parameters_only", flag_values.parameters_only),
        ("norun_once", not flag_values.run_once),
    ):
        if is_given and (num_members > 1 or flag_values.report_dir):
            raise usage_error.UsageError(
                f"expected one model and no --report_dir with --{name}. "
                f"Received: {num_members} models or files, "
                f"report_dir={flag_values.report_dir!r}"
            )
        if is_given and flag_values.starter_metrics:
            raise usage_error.UsageError(
                f"expected --{name} or --starter_metrics, not both. Received: "
                "starter_metrics=True"
            )
    if flag_values["segment_map_k"].present and flag_values.report_dir:
        raise usage_error.UsageError(
            "expected --segment_map_k or --report_dir, not both: the page is "
            "about videos and their classes. Received: "
            f"report_dir={flag_values.report_dir!r}"
        )


def _expect_to_go_on(run: train_dir_lib.TrainDir, name: str) -> None:
    """Refuses what never gets a checkpoint to wait for; what is not yet, may.

    Args:
        run: What --train_dir names.
        name: Its name there.

    Raises:
        UsageError: If it is a model that was exported or packed.
    """
    if not files.exists(run.path) or train_dir_lib.is_run(run.path):
        return
    try:
        kind = artefacts.kind_of(run.path)
    except ValueError:
        return
    raise usage_error.UsageError(
        "expected --norun_once with the folder of a run, which gets "
        f"checkpoints. Received: train_dir={name!r}, {kind.KIND}, which "
        "stays as it is; leave out --norun_once"
    )


def _compare(
    flag_values: flags.FlagValues,
    runs: Sequence[train_dir_lib.TrainDir],
    options: Mapping[str, object],
) -> int:
    """Compares several models, or writes a page about one or several."""
    paths = [run.path for run in runs]
    sources = comparison_sources.make_sources(
        paths,
        flag_values.checkpoint_step or [None],
        flag_values.model_file or [],
        flag_values.predictions or [],
    )
    names, verticals = _read_classes(flag_values, runs)
    segment_map_k = flag_values["segment_map_k"]
    comparer = comparing.Comparer(
        flag_values.labels or flag_values.eval_data_pattern,
        segment_map_k=segment_map_k.value if segment_map_k.present else None,
        num_draws=flag_values.bootstrap_draws,
        seed=flag_values.bootstrap_seed,
        with_insight=bool(flag_values.report_dir),
        verticals=verticals,
        **options,
    )
    reports = []
    for source, result in comparer.evaluate(sources):
        reports.append((source, result))
        if len(sources) == 1:
            _show(result)
            continue
        if isinstance(result, report.Report) and result.skipped:
            table = result.skipped.to_text(program.table_columns())
            print(f"left out of the data:\n{table}")
        # What is known already, if another one fails.
        print(f"{source.name}: {_main_metric(result)}", flush=True)
    compared = comparer.result()
    print(compared.to_text(), flush=True)
    pictures = {}
    if flag_values.report_dir:
        pictures = report_folder.draw(compared)
        with files.writing_folder(
            flag_values.report_dir, replace=True
        ) as folder:
            report_folder.write(compared, folder, names, pictures)
            comparing.log_pictures(pictures, folder)
        print(f"wrote {flag_values.report_dir}/index.html", flush=True)
    for source, result in reports:
        if source.train_dir is not None and isinstance(result, report.Report):
            # Pictures of a comparison are no curve of one run.
            shown = pictures if len(sources) == 1 else {}
            evaluation.log_report(
                result,
                train_dir_lib.TrainDir(source.train_dir),
                write_more=functools.partial(comparing.log_images, shown),
            )
    result = reports[0][1] if len(sources) == 1 else compared
    _write(result, flag_values.output_json)
    return 0


def _main_metric(
    result: report.Report | prediction_evaluation.PredictionReport,
) -> str:
    """Writes the metric that says the most of an evaluation."""
    if "gap" in result.metrics:
        return f"GAP@{result.top_k} {result.metrics['gap']:.4f}"
    return f"MAP@{result.segment_map_k:,} {result.metrics['map_at_k']:.4f}"


def _read_classes(
    flag_values: flags.FlagValues, runs: Sequence[train_dir_lib.TrainDir]
) -> tuple[Mapping[int, str], Mapping[str, Sequence[int]]]:
    """Reads the names and the verticals of classes, as far as known."""
    path = flag_values.vocabulary_file
    if not flag_values.report_dir:
        return {}, {}
    if runs:
        config = runs[0].load_config()
    else:
        config = artefacts.load_config(flag_values.model_file[0])
    trained = runs[0].path if runs else flag_values.model_file[0]
    found = class_names.find(path, config.data.num_classes, trained)
    names = dict(enumerate(found or ()))
    return names, datasets.read_verticals(path) if path else {}


def _results(
    evaluator: evaluation.Evaluator,
    flag_values: flags.FlagValues,
    run: train_dir_lib.TrainDir | None,
) -> Iterator[report.Report]:
    """Yields the reports of the checkpoints, or of the file, to evaluate."""
    if run is None:
        yield evaluator.evaluate_artefact(
            *artefacts.load(flag_values.model_file[0])
        )
        return
    (step,) = flag_values.checkpoint_step or [None]
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
    train_dir = next(iter(flag_values.train_dir or []), None)
    if train_dir is not None:
        command_line.refuse_model_flags(
            flag_values, "the model is read from --train_dir"
        )
        config = train_dir_lib.TrainDir(train_dir).load_config()
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
        train_dir=train_dir,
    )


def _write(result: report.Dictable, output_json: str | None) -> None:
    if output_json:
        report.write_json(result, output_json)


def run() -> None:
    """Runs yt8m-eval."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

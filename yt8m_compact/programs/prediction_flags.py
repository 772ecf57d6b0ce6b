"""Flags of yt8m-eval that name predictions in the place of a model."""

from __future__ import annotations

from absl import flags

from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import usage_error
from yt8m_compact.predictions import segment_csv
from yt8m_compact.programs import ensemble_flags
from yt8m_compact.run import command_line

_OF_ENSEMBLES = ("ensemble", "ensemble_weights", "ensemble_seed")
_OF_MODELS = (
    "train_dir",
    "model_file",
    "checkpoint_step",
    "weights",
    "frame_seed",
    "parameters_only",
    "run_once",
    "report_dir",
)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags.

    Args:
        flag_values: where to define them.
    """
    path_flags.define_repeated_pattern(
        "predictions",
        "Files of predictions, against --labels, or beside models: CSV of "
        "VideoId,LabelConfidencePairs or Class,Segments, JSON lines, Parquet, "
        "or what yt8m-predict wrote. Files that commas separate are parts of "
        "one set; sets are compared, each --predictions that is given.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "labels",
        "",
        "What --predictions without a model are compared with: TFRecord files; "
        "or one file of labels: a CSV of VideoId,Labels, or as "
        "`yt8m-data convert --labels_file` reads it; JSON lines or Parquet.",
        flag_values=flag_values,
        allow_overwrite=False,
    )
    ensemble_flags.define(
        flag_values,
        "Models to evaluate together, by weights that are found if not given",
    )
    flags.DEFINE_integer(
        "ensemble_seed",
        0,
        "Decides the random part of the search for --ensemble_weights.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "segment_map_k",
        segment_csv.TOP_SEGMENTS,
        "How many segments of each class MAP@K counts. With models, MAP@K of "
        "all segments of the videos is computed.",
        lower_bound=1,
        flag_values=flag_values,
    )


def are_alone(flag_values: flags.FlagValues) -> bool:
    """Whether predictions are to be evaluated, and no model.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if labels are given beside a model.
    """
    predictions = flag_values.predictions or []
    for pattern in predictions:
        if not pattern.strip(", "):
            raise usage_error.UsageError(
                "expected --predictions to name files. Received: "
                f"predictions={pattern!r}"
            )
    has_model = bool(flag_values.train_dir or flag_values.model_file)
    if flag_values.labels and (has_model or not predictions):
        raise usage_error.UsageError(
            "expected --labels with --predictions alone; models, and "
            "predictions beside them, are evaluated on --eval_data_pattern. "
            f"Received: labels={flag_values.labels!r}"
        )
    return bool(predictions) and not has_model


def expect_alone(flag_values: flags.FlagValues) -> None:
    """Refuses what only a model has beside predictions.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if it was given, or there are no labels.
    """
    if not flag_values.labels and (
        flag_values.eval_data_pattern or flag_values.data
    ):
        raise usage_error.UsageError(
            "expected --labels with --predictions and no model, the labels to "
            "compare them with, in the place of --eval_data_pattern. Received: "
            f"eval_data_pattern={flag_values.eval_data_pattern!r}"
        )
    program.expect_given(flag_values, "labels")
    _refuse(
        flag_values,
        "predictions",
        *_OF_MODELS,
        "data",
        "eval_data_pattern",
        "on_data_error",
        *_OF_ENSEMBLES,
    )
    command_line.refuse_model_flags(
        flag_values, "--predictions need no model", but=("num_classes",)
    )


def expect_ensemble_alone(flag_values: flags.FlagValues) -> None:
    """Refuses what an ensemble is not evaluated with.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if it was given.
    """
    _refuse(
        flag_values,
        "ensemble",
        *_OF_MODELS,
        "vocabulary_file",
        "on_data_error",
        "segment_map_k",
        "predictions",
        "starter_metrics",
    )
    command_line.refuse_model_flags(
        flag_values, "the models are read from --ensemble"
    )


def expect_segments_only(flag_values: flags.FlagValues) -> None:
    """Refuses what MAP@K of all segments is not computed with.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if it was given.
    """
    _refuse(
        flag_values,
        "segment_map_k",
        "run_once",
        "frame_seed",
        "on_data_error",
        "starter_metrics",
    )


def _refuse(flag_values: flags.FlagValues, name: str, *others: str) -> None:
    for other in others:
        flag = flag_values[other]
        if flag.present:
            # As it was given.
            no = "no" if flag.boolean and not flag.value else ""
            value = flag_values[name].value
            if isinstance(value, list):
                value = ",".join(value)
            raise usage_error.UsageError(
                f"expected --{name} or --{no}{other}, not both. Received: "
                f"{name}={value!r}"
            )

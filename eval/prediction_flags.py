"""Flags of yt8m-eval that name predictions in the place of a model."""

from __future__ import annotations

from absl import flags

from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import usage_error
from yt8m_compact.predictions import segment_csv
from yt8m_compact.run import command_line

_OF_MODELS = (
    "train_dir",
    "model_file",
    "eval_data_pattern",
    "data",
    "checkpoint_step",
    "weights",
    "frame_seed",
    "parameters_only",
    "run_once",
)


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags.

    Args:
        flag_values: where to define them.
    """
    path_flags.define_pattern(
        "predictions",
        "",
        "Files of predictions to evaluate in the place of a model, against "
        "--labels: CSV of VideoId,LabelConfidencePairs or Class,Segments, JSON "
        "lines, Parquet, or what yt8m-predict wrote.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "labels",
        "",
        "What --predictions are compared with: TFRecord files; or one file of "
        "labels, a CSV of VideoId,Labels, JSON lines or Parquet.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "segment_map_k",
        segment_csv.TOP_SEGMENTS,
        "How many segments of each class MAP@K counts.",
        lower_bound=1,
        flag_values=flag_values,
    )


def are_given(flag_values: flags.FlagValues) -> bool:
    """Whether predictions are to be evaluated.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if labels are given without.
    """
    if flag_values.labels and not flag_values.predictions:
        raise usage_error.UsageError(
            "expected --labels with --predictions; a model is evaluated on "
            f"--eval_data_pattern. Received: labels={flag_values.labels!r}"
        )
    return bool(flag_values.predictions)


def expect_alone(flag_values: flags.FlagValues) -> None:
    """Refuses what only a model has beside predictions.

    Args:
        flag_values: the parsed flags.

    Raises:
        UsageError: if it was given, or there are no labels.
    """
    program.expect_given(flag_values, "labels")
    for name in _OF_MODELS:
        if flag_values[name].present:
            raise usage_error.UsageError(
                f"expected --predictions or --{name}, not both. Received: "
                f"predictions={flag_values.predictions!r}"
            )
    if flag_values["on_data_error"].present:
        raise usage_error.UsageError(
            "expected no --on_data_error with --predictions: what is left out "
            "of a file can't be compared. Received: on_data_error="
            f"{flag_values.on_data_error}"
        )
    command_line.refuse_model_flags(
        flag_values, "--predictions need no model", but=("num_classes",)
    )

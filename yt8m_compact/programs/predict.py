r"""Predicts the classes of videos: a CSV, or scores for another model to learn.

Example:
    yt8m-predict --train_dir=runs/dbof \
      --input_data_pattern='data/test*.tfrecord' --output_file=predictions.csv

With --model_file=exported/model.tflite in the place of --train_dir, it predicts
by what yt8m-export wrote, in any of its formats. A SavedModel is a program:
load only what you would run. With --preset, it predicts by a model that comes
with the package, of video-level features.
--segment_labels predicts every 5 s of the videos. Labels are not looked at.
--format=teacher writes the scores that --teacher of yt8m-train reads.
"""

from __future__ import annotations

from collections.abc import Sequence
import os
import sys
from typing import TextIO

from absl import flags

from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import presets
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.run import command_line
from yt8m_compact.run import train_dir as train_dir_lib

with lazy.imports():
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import predictors

# Flags of the starter code's inference.py.
_REPLACED = (
    "input_model_tgz",
    "untar_model_dir",
    "output_model_tgz",
    "segment_max_pred",
    "segment_label_ids_file",
)

PAGES = help_pages.HelpPages(
    common={
        "what predicts": (
            "train_dir",
            "model_file",
            "preset",
            "checkpoint_step",
            "weights",
        ),
        "data": (
            "input_data_pattern",
            "segment_labels",
            "batch_size",
            "num_readers",
            "on_data_error",
        ),
        "predictions": ("output_file", "format", "top_k"),
        "several machines": ("num_shards", "shard_index"),
    },
    needed=("input_data_pattern", "output_file"),
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "train_dir",
        None,
        "Folder of the run to predict with.",
        flag_values=flag_values,
    )
    command_line.define_model_file_flag(flag_values, "predict with")
    flags.DEFINE_string(
        "preset",
        None,
        "A model that comes with the package, in the place of --train_dir: "
        f"one of {', '.join(presets.names())}.",
        flag_values=flag_values,
    )
    command_line.define_checkpoint_flag(
        flag_values, "Step of the checkpoint of --train_dir"
    )
    command_line.define_weights_flag(flag_values)
    path_flags.define_pattern(
        "input_data_pattern",
        "",
        "Files to predict: glob patterns, comma-separated.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "output_file",
        None,
        "File to write.",
        required=True,
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "format",
        "csv",
        ["csv", "teacher"],
        "The starter code's CSV; or scores of 16 bits, which yt8m-train learns "
        "from with --teacher, 4 bytes for each of --top_k classes.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "top_k",
        None,
        "Number of classes of each video (default: 20, and 10 with "
        "--format=teacher).",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "batch_size",
        256,
        "Number of records read at a time; the output does not depend on it.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_readers",
        8,
        "Number of files that are read at the same time; the order of the "
        "lines depends on it, and nothing else.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "segment_labels",
        False,
        "Whether to predict the segments of 5 s of each video, with the ids "
        "id:start, instead of the whole video.",
        flag_values=flag_values,
    )
    program.define_on_data_error(flag_values)
    flags.DEFINE_integer(
        "num_shards",
        1,
        "Number of machines that share the files, each with its own "
        "--shard_index and --output_file.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "shard_index",
        0,
        "Which of --num_shards this is, from 0: it predicts every "
        "--num_shards-th file.",
        lower_bound=0,
        flag_values=flag_values,
    )
    command_line.define_replaced_flags(_REPLACED, flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Predicts; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "train_dir")
    program.expect_given(flag_values, "input_data_pattern")
    program.expect_given(flag_values, "output_file")
    command_line.refuse_replaced_flags(_REPLACED, flag_values)
    program.expect_folder(flag_values, "output_file")
    predictor = _make_predictor(flag_values)
    skip = flag_values.on_data_error == "skip"
    skipped = readers.SkippedData() if skip else None
    write, top_k = predictors.write_csv, predictors.CSV_TOP_K
    if flag_values.format == "teacher":
        write, top_k = predictors.write_scores, predictors.TEACHER_TOP_K
    number = write(
        predictor,
        flag_values.input_data_pattern,
        flag_values.output_file,
        top_k=flag_values.top_k or top_k,
        batch_size=flag_values.batch_size,
        num_readers=flag_values.num_readers,
        num_shards=flag_values.num_shards,
        shard_index=flag_values.shard_index,
        skipped=skipped,
    )
    stream = _message_stream(flag_values.output_file)
    if skipped:
        print(f"left out of the data:\n{skipped.to_text()}", file=stream)
    print(
        f"wrote {number:,} {predictor.unit} to {flag_values.output_file}",
        file=stream,
    )
    return 0


def _message_stream(output_file: str) -> TextIO:
    """Returns standard error where the CSV went to standard output."""
    try:
        output = os.fstat(sys.stdout.fileno())
        if os.path.samestat(output, os.stat(output_file)):
            return sys.stderr
    except OSError:  # not of this file system, or no output at all
        pass
    return sys.stdout


def _make_predictor(flag_values: flags.FlagValues) -> predictors.Predictor:
    train_dir, model_file = flag_values.train_dir, flag_values.model_file
    preset = flag_values.preset
    if sum(map(bool, (train_dir, model_file, preset))) != 1:
        raise usage_error.UsageError(
            "expected one of --train_dir, --model_file and --preset. Received:"
            f" train_dir={train_dir!r}, model_file={model_file!r}, "
            f"preset={preset!r}"
        )
    if preset:
        train_dir = presets.PREFIX + preset
    choice = command_line.weights_from_flag(flag_values)
    if model_file:
        command_line.refuse_choice_of_weights(flag_values)
    segments = flag_values.segment_labels
    # Told before what is imported for seconds.
    if train_dir:
        train_dir_lib.TrainDir(train_dir).load_config()
    else:
        artefacts.find(model_file)
    readers.expect_local_files(flag_values.input_data_pattern)
    if train_dir:
        step = flag_values.checkpoint_step
        return predictors.predictor_from_train_dir(
            train_dir, step, segments=segments, choice=choice
        )
    return predictors.predictor_from_artefact(model_file, segments=segments)


def run() -> None:
    """Runs yt8m-predict."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

r"""Predicts the classes of videos: CSV, JSON lines, Parquet, or for a teacher.

Example:
    yt8m-predict --train_dir=runs/dbof \
      --input_data_pattern='data/test*.tfrecord' --output_file=predictions.csv

With --model_file=exported/model.tflite in the place of --train_dir, it predicts
by what yt8m-export wrote, in any of its formats. A SavedModel is a program:
load only what you would run. With --preset, it predicts by a model that comes
with the package, of video-level features.
--segment_labels predicts every 5 s of the videos. Labels are not looked at.
--format=teacher writes the scores that --teacher of yt8m-train reads, and
--format=segments what the challenge of 2019 asked for.

Several models predict together, by the weights that yt8m-eval --ensemble finds:
  yt8m-predict --ensemble=runs/a,runs/b,exported/c.tflite \
    --ensemble_weights=0.5,0.3,0.2 --input_data_pattern='data/test*.tfrecord' \
    --output_file=predictions.parquet --resume
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import functools
import os
import sys
from typing import TextIO

from absl import flags

from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import predictions
from yt8m_compact import presets
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.predictions import class_list
from yt8m_compact.predictions import segment_csv
from yt8m_compact.predictions import writing
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs import class_names as class_names_lib
from yt8m_compact.programs import endings
from yt8m_compact.programs import ensemble_flags
from yt8m_compact.run import command_line
from yt8m_compact.run import train_dir as train_dir_lib

with lazy.imports():
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import ensembles
    from yt8m_compact.inference import outputs
    from yt8m_compact.inference import prediction_rows
    from yt8m_compact.inference import predictors
    from yt8m_compact.inference import spreading

# Flags of the starter code's inference.py.
_REPLACED = (
    "input_model_tgz",
    "untar_model_dir",
    "output_model_tgz",
)
_Format = predictions.Format

PAGES = help_pages.HelpPages(
    common={
        "what predicts": (
            "train_dir",
            "model_file",
            "preset",
            "ensemble",
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
        "predictions": (
            "output_file",
            "format",
            "top_k",
            "min_probability",
            "class_names",
            "embeddings",
            "resume",
        ),
        "several machines": (
            "num_shards",
            "shard_index",
            *beam_flags.NAMES,
        ),
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
    ensemble_flags.define(flag_values, "Models that predict together")
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
        None,
        [kind.value for kind in _Format],
        "The starter code's CSV; JSON lines; Parquet; scores of 16 bits, which "
        "yt8m-train learns from with --teacher, 4 bytes for each of --top_k "
        "classes; or the segments of each class, as in 2019. If not given, "
        "what --output_file ends with: .csv, .jsonl, .parquet, .tfrecord "
        "(teacher), and .gz after the first two.",
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "min_probability",
        0.0,
        "The least probability of a class that is written, of --top_k.",
        lower_bound=0.0,
        upper_bound=1.0,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "class_names",
        None,
        "Whether JSON lines and Parquet have the names of the classes, beside "
        "their numbers (default: where they are known).",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "vocabulary_file",
        None,
        "The names of the classes, as of yt8m-export; those of YouTube-8M of "
        "2018 if not given and there are 3862 classes.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "embeddings",
        False,
        "Whether to write embeddings instead of classes: what the classifier "
        "is given, a vector for each video, as JSON lines or Parquet.",
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
    flags.DEFINE_integer(
        "segment_max_pred",
        segment_csv.TOP_SEGMENTS,
        "With --format=segments, how many segments of each class.",
        lower_bound=1,
        flag_values=flag_values,
    )
    path_flags.define_path(
        "segment_label_ids_file",
        None,
        "With --format=segments, a file of the classes to write, a number a "
        "line; all if not given.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "resume",
        False,
        "Whether to keep what is predicted in OUTPUT_FILE.parts until "
        "--output_file is there, and to go on with what is in it.",
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
    beam_flags.define(flag_values)
    command_line.define_replaced_flags(_REPLACED, flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Predicts; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "train_dir")
    program.expect_given(flag_values, "input_data_pattern")
    program.expect_given(flag_values, "output_file")
    command_line.refuse_replaced_flags(_REPLACED, flag_values)
    program.expect_folder(flag_values, "output_file")
    output_format = _output_format(flag_values)
    mapper = beam_flags.mapper(
        flag_values, {"num_readers": "which reads file by file"}
    )
    open_source = _find_source(
        flag_values, output_format, fixed=mapper is not None
    )
    predictor = open_source()
    spread = None
    if mapper is not None:
        spread = spreading.Spread(mapper, open_source)
    skip = flag_values.on_data_error == "skip"
    skipped = readers.SkippedData() if skip else None
    output = _make_output(flag_values, output_format, predictor)
    with endings.keeping_what_is_done(flag_values.resume):
        number = predictors.write_predictions(
            predictor,
            flag_values.input_data_pattern,
            flag_values.output_file,
            output,
            batch_size=flag_values.batch_size,
            num_readers=flag_values.num_readers,
            num_shards=flag_values.num_shards,
            shard_index=flag_values.shard_index,
            skipped=skipped,
            resume=flag_values.resume,
            spread=spread,
        )
    stream = _message_stream(flag_values.output_file)
    if skipped:
        table = skipped.to_text(program.table_columns())
        print(f"left out of the data:\n{table}", file=stream)
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


def _output_format(flag_values: flags.FlagValues) -> _Format:
    """Returns the format to write; refuses what it can't hold."""
    kind = predictions.format_of_suffix(flag_values.output_file)
    if flag_values.format is not None:
        kind = _Format(flag_values.format)
    with usage_error.from_value_errors():
        writing.expect_holds(
            kind,
            class_names=bool(
                flag_values.class_names or flag_values.vocabulary_file
            ),
            embeddings=flag_values.embeddings,
        )
    if kind is not _Format.SEGMENTS:
        for name in ("segment_max_pred", "segment_label_ids_file"):
            if flag_values[name].present:
                raise usage_error.UsageError(
                    f"expected --{name} with --format=segments; others have a "
                    "line for each segment, with its --top_k classes. "
                    f"Received: format={kind.value}"
                )
    elif flag_values["top_k"].present:
        raise usage_error.UsageError(
            "expected no --top_k with --format=segments, which has "
            f"--segment_max_pred. Received: top_k={flag_values.top_k}"
        )
    if kind is _Format.PARQUET:
        predictions.load_pyarrow()  # Told before hours of work.
    return kind


def _make_output(
    flag_values: flags.FlagValues,
    kind: _Format,
    source: prediction_rows.Source,
) -> outputs.Output:
    """Says what is written."""
    num_classes = source.num_classes
    names = classes = None
    if (
        kind in (_Format.JSONL, _Format.PARQUET)
        and not flag_values.embeddings
        and flag_values.class_names is not False
    ):
        names = class_names_lib.find(
            flag_values.vocabulary_file, num_classes, source.path
        )
        if names is None and flag_values.class_names:
            raise usage_error.UsageError(
                "expected --vocabulary_file, which has the names of the "
                f"classes. Received: none, of {num_classes} classes"
            )
    if flag_values.segment_label_ids_file:
        classes = class_list.read_class_list(
            flag_values.segment_label_ids_file, num_classes
        )
    with usage_error.from_value_errors():
        return outputs.Output(
            kind,
            top_k=flag_values.top_k,
            min_probability=flag_values.min_probability,
            class_names=names,
            embeddings=flag_values.embeddings,
            classes=classes,
            segment_max_pred=flag_values.segment_max_pred,
        )


def _find_source(
    flag_values: flags.FlagValues, kind: _Format, *, fixed: bool
) -> Callable[[], prediction_rows.Source]:
    """Finds what predicts.

    Args:
        flag_values: the parsed flags.
        kind: the format that is written.
        fixed: whether the newest checkpoint is the one that is so now.

    Returns:
        What opens it, here or in another process.
    """
    train_dir, model_file = flag_values.train_dir, flag_values.model_file
    preset, ensemble = flag_values.preset, flag_values.ensemble
    if sum(map(bool, (train_dir, model_file, preset, ensemble))) != 1:
        raise usage_error.UsageError(
            "expected one of --train_dir, --model_file, --preset and "
            f"--ensemble. Received: train_dir={train_dir!r}, "
            f"model_file={model_file!r}, preset={preset!r}, "
            f"ensemble={ensemble!r}"
        )
    if preset:
        train_dir = presets.PREFIX + preset
    command_line.expect_presets([train_dir] if train_dir else [])
    choice = command_line.weights_from_flag(flag_values)
    if model_file:
        command_line.refuse_choice_of_weights(flag_values)
    segments = flag_values.segment_labels or kind is _Format.SEGMENTS
    embeddings = flag_values.embeddings
    if ensemble:
        return _find_ensemble(flag_values, segments)
    if flag_values.ensemble_weights:
        raise usage_error.UsageError(
            "expected --ensemble_weights with --ensemble. Received: "
            f"ensemble_weights={','.join(flag_values.ensemble_weights)}"
        )
    # Told before what is imported for seconds.
    if train_dir:
        train_dir_lib.TrainDir(train_dir).load_config()
    else:
        artefacts.find(model_file)
    _expect_input(flag_values)
    if train_dir:
        step = flag_values.checkpoint_step
        if fixed:
            step = train_dir_lib.TrainDir(train_dir).fixed_step(step)
        return functools.partial(
            predictors.predictor_from_train_dir,
            train_dir,
            step,
            segments=segments,
            embeddings=embeddings,
            choice=choice,
        )
    return functools.partial(
        predictors.predictor_from_artefact,
        model_file,
        segments=segments,
        embeddings=embeddings,
    )


def _expect_input(flag_values: flags.FlagValues) -> None:
    """Refuses files that are missing, and a machine that would have none."""
    pattern = flag_values.input_data_pattern
    readers.expect_local_files(pattern)
    number, index = flag_values.num_shards, flag_values.shard_index
    if number > 1 or index:
        files = readers.expand_patterns(pattern)
        with usage_error.from_value_errors():
            readers.shard_files(files, number, index)


def _find_ensemble(
    flag_values: flags.FlagValues, segments: bool
) -> Callable[[], prediction_rows.Source]:
    for name in ("checkpoint_step", "weights", "embeddings"):
        if flag_values[name].present:
            raise usage_error.UsageError(
                f"expected no --{name} with --ensemble, of newest checkpoints. "
                f"Received: {name}={flag_values[name].value}"
            )
    weights = ensemble_flags.weights(flag_values)
    ensemble_flags.expect_members(flag_values.ensemble)
    _expect_input(flag_values)
    return functools.partial(
        ensembles.load_ensemble,
        flag_values.ensemble,
        weights,
        segments=segments,
    )


def run() -> None:
    """Runs yt8m-predict."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

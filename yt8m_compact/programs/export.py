"""Exports a run of yt8m-train: a SavedModel to serve, or the smallest file.

Example:
    yt8m-export --train_dir=runs/dbof --export_dir=exported/dbof

A SavedModel loads with tf.saved_model.load and TensorFlow Serving, without
yt8m_compact. Signature serving_default takes serialized records (`examples`,
string [batch]); tensors takes `features`, or `frames` and `num_frames`.
assets/config.json is the configuration of the run. Weights with a precision,
dense@int4 say, are written as their bits.

--format=packed writes config.json and weights.safetensors instead: the bits,
and little else. Every program here reads that folder as it does a run:
yt8m-eval and yt8m-predict with --train_dir, yt8m-train with --init_from.

--format=litert writes config.json and model.tflite, for LiteRT (TensorFlow
Lite), of its own operators only. --projection_export says how projections with
Fourier transforms, which it has not, are written; docs/export.md says more.

report.json, and a table, say what was written is worth: bytes, and differences
of its scores to the model's. With --report_data_pattern, also its own GAP@20,
and times and memory beside those of a dense twin.
"""

from __future__ import annotations

from collections.abc import Sequence
import os

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.programs import export_report
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import weight_choice

with lazy.imports():
    import keras
    import tensorflow as tf

    from yt8m_compact import layers
    from yt8m_compact.inference import serving
    from yt8m_compact.inference.exports import litert
    from yt8m_compact.run import packed_model
    from yt8m_compact.run import train_dir as train_dir_lib

# Where each format is written to in the folder of the run.
_FOLDERS = {"saved_model": "export", "packed": "packed", "litert": "litert"}


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "train_dir",
        None,
        "Folder of the run.",
        required=True,
        flag_values=flag_values,
    )
    path_flags.define_path(
        "export_dir",
        None,
        "Folder to write to; --train_dir/export if not given, or that of "
        "another format: --train_dir/packed, --train_dir/litert.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "format",
        "saved_model",
        list(_FOLDERS),
        "What to write.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum_class(
        "projection_export",
        projection_export.ProjectionExport.AUTO,
        projection_export.ProjectionExport,
        "How --format=litert writes products with projections: dft, as "
        "transforms by small matrices; dense, as written out; auto, the smaller"
        " of both for each; fft, by operators that TensorFlow alone has.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "batch_size",
        1,
        "Videos that a file of --format=litert predicts at once; 0 is any "
        "number, which takes longer.",
        lower_bound=0,
        flag_values=flag_values,
    )
    command_line.define_checkpoint_flag(
        flag_values, "Step of the checkpoint to export"
    )
    command_line.define_weights_flag(flag_values)
    flags.DEFINE_integer(
        "top_k",
        20,
        "Number of classes that the signatures of a SavedModel return beside "
        "all scores.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Whether what was exported to --export_dir before is replaced.",
        flag_values=flag_values,
    )
    export_report.define_flags(flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Exports; returns the exit status."""
    program.expect_no_arguments(arguments)
    for name in ("train_dir", "export_dir"):
        program.expect_no_file(flag_values, name)
    choice = command_line.weights_from_flag(flag_values)
    run = train_dir_lib.TrainDir(flag_values.train_dir)
    kind = flag_values.format
    export_dir = flag_values.export_dir or os.path.join(
        run.path, _FOLDERS[kind]
    )
    train_dir_lib.check_readable_name("export_dir", export_dir)
    # Told before what is imported for seconds.
    run.load_config()
    data_pattern = flag_values.report_data_pattern
    if data_pattern:
        readers.expect_local_files(data_pattern)
    _check_replaceable(export_dir, flag_values.overwrite, kind)
    config, model, step = run.restore_model(flag_values.checkpoint_step, choice)
    measured = flag_values.measure
    if measured is None:
        measured = bool(data_pattern)
    reporter = export_report.Reporter(config, model, data_pattern, measured)

    def save(folder: str, config: config_lib.Config, model: keras.Model) -> str:
        return _save(flag_values, folder, config, model, step)

    size = save(export_dir, config, model)
    report = reporter.report(kind, export_dir, {"dense twin": save})
    print(f"\n{report.to_text()}\n")
    which = "" if choice == weight_choice.RAW else f", weights {choice},"
    print(f"exported step {step}{which} of {run.path} to {export_dir}{size}")
    return 0


def _save(
    flag_values: flags.FlagValues,
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    step: int,
) -> str:
    """Writes a model in the format of the flags; says what came of it."""
    kind = flag_values.format
    if kind == "packed":
        size = packed_model.save(folder, config, model, step)
        return f", {size:,} bytes"
    if kind == "litert":
        size, difference = litert.save(
            folder,
            config,
            model,
            flag_values.projection_export,
            flag_values.batch_size or None,
        )
        return f", {size:,} bytes, scores within {difference:.1e}"
    layers.pack(model)
    module = serving.ServingModule(config, model, flag_values.top_k)
    serving.save(module, folder)
    return ""


def _check_replaceable(export_dir: str, overwrite: bool, kind: str) -> None:
    if not tf.io.gfile.exists(export_dir):
        return
    if tf.io.gfile.isdir(export_dir) and not tf.io.gfile.listdir(export_dir):
        return
    noun, there = {
        "saved_model": ("a SavedModel", tf.saved_model.contains_saved_model),
        "packed": ("a packed model", _holds_packed_model),
        "litert": ("a LiteRT model", litert.is_saved),
    }[kind]
    is_exported = there(export_dir)
    if overwrite and is_exported:
        return
    received = noun if is_exported else "something else"
    advice = "--overwrite or " if is_exported else ""
    raise ValueError(
        f"{export_dir}: expected a folder that is empty or does not exist yet. "
        f"Received: {received} in it; use {advice}another --export_dir"
    )


def _holds_packed_model(folder: str) -> bool:
    return train_dir_lib.TrainDir(folder).is_packed()


def run() -> None:
    """Runs yt8m-export."""
    program.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()

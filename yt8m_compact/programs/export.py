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
Lite), --format=onnx model.onnx, --format=openvino model.xml and model.bin, of
operators that these have only. --projection_export says how projections with
Fourier transforms, which they have not, are written; docs/export.md says more.

Several formats, comma-separated, are written one after the other, each to a
folder of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import os
from typing import Any

from absl import flags

from yt8m_compact import choice_flags
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import usage_error
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import command_line
from yt8m_compact.run import weight_choice

with lazy.imports():
    import keras
    import tensorflow as tf

    from yt8m_compact import layers
    from yt8m_compact.inference import serving
    from yt8m_compact.inference.exports import litert
    from yt8m_compact.inference.exports import onnx
    from yt8m_compact.inference.exports import openvino
    from yt8m_compact.run import config as config_lib
    from yt8m_compact.run import packed_model
    from yt8m_compact.run import train_dir as train_dir_lib

# Where each format is written to in the folder of the run.
_FOLDERS = {
    "saved_model": "export",
    "packed": "packed",
    "litert": "litert",
    "onnx": "onnx",
    "openvino": "openvino",
}
# Those that turn the weights of a model into their bits, which the others don't
# take: they come last.
_PACKING = ("saved_model", "packed")
# Those of runtimes that have no Fourier transforms.
_PORTABLE = ("litert", "onnx", "openvino")


@dataclasses.dataclass(frozen=True)
class _Written:
    """What a format took.

    Attributes:
        size: the bytes of its files; None if they were not counted.
        difference: the largest one of a score to the model; None if it was not
            looked for.
    """

    size: int | None = None
    difference: float | None = None

    def describe(self) -> str:
        """Describes it in the line of an export."""
        size = "" if self.size is None else f", {self.size:,} bytes"
        if self.difference is None:
            return size
        return f"{size}, scores within {self.difference:.1e}"


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
        "another format: --train_dir/packed, --train_dir/litert and so on. Of "
        "several formats, each is written to the folder of its name in it.",
        flag_values=flag_values,
    )
    choice_flags.define_choices(
        "format",
        ["saved_model"],
        list(_FOLDERS),
        "What to write: one or more, comma-separated.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum_class(
        "projection_export",
        projection_export.ProjectionExport.AUTO,
        projection_export.ProjectionExport,
        "How litert, onnx and openvino write products with projections: dft, as"
        " transforms by small matrices; dense, as written out; auto, the "
        "smaller one for each; fft, by operators that TensorFlow alone has.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "batch_size",
        1,
        "Videos that a file of litert, onnx or openvino predicts at once; 0 is "
        "any number, which takes longer.",
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


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Exports; returns the exit status."""
    program.expect_no_arguments(arguments)
    for name in ("train_dir", "export_dir"):
        program.expect_no_file(flag_values, name)
    choice = command_line.weights_from_flag(flag_values)
    run = train_dir_lib.TrainDir(flag_values.train_dir)
    folders = _folders_of(flag_values, run.path)
    _check_portable(flag_values)
    run.load_config()  # Told before what is imported for seconds.
    for kind, folder in folders.items():
        _check_replaceable(folder, flag_values.overwrite, kind)
    config, model, step = run.restore_model(flag_values.checkpoint_step, choice)
    which = "" if choice == weight_choice.RAW else f", weights {choice},"
    written = {}
    for kind in sorted(folders, key=lambda kind: kind in _PACKING):
        folder = folders[kind]
        written[kind] = _save(kind, folder, config, model, step, flag_values)
        print(
            f"exported step {step}{which} of {run.path} to {folder}"
            f"{written[kind].describe()}",
            flush=True,
        )
    if len(folders) > 1:
        print(_table({kind: written[kind] for kind in folders}))
    return 0


def _folders_of(
    flag_values: flags.FlagValues, train_dir: str
) -> dict[str, str]:
    """Says where each format is to be written to."""
    kinds, given = flag_values.format, flag_values.export_dir
    if not given:
        folders = {
            kind: os.path.join(train_dir, _FOLDERS[kind]) for kind in kinds
        }
    elif len(kinds) == 1:
        folders = {kinds[0]: given}
    else:
        folders = {kind: os.path.join(given, kind) for kind in kinds}
    for folder in folders.values():
        train_dir_lib.check_readable_name("export_dir", folder)
    return folders


def _check_portable(flag_values: flags.FlagValues) -> None:
    """Refuses what can't be written for other runtimes, and tells it early."""
    kinds = [kind for kind in flag_values.format if kind in _PORTABLE]
    export = flag_values.projection_export
    if kinds and export is projection_export.ProjectionExport.FFT:
        raise usage_error.UsageError(
            "expected --projection_export=auto, dft or dense: only TensorFlow "
            "has operators of Fourier transforms, and a SavedModel has them "
            "anyway. Received: projection_export=fft, format="
            f"{','.join(flag_values.format)}"
        )
    if "onnx" in kinds:
        onnx.expect_packages()
    if "openvino" in kinds:
        openvino.expect_packages()


def _save(
    kind: str,
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    step: int,
    flag_values: flags.FlagValues,
) -> _Written:
    """Writes one format."""
    if kind == "packed":
        return _Written(packed_model.save(folder, config, model, step))
    if kind == "saved_model":
        layers.pack(model)
        module = serving.ServingModule(config, model, flag_values.top_k)
        serving.save(module, folder)
        return _Written()
    save: Callable[..., Any] = {
        "litert": litert.save,
        "onnx": onnx.save,
        "openvino": openvino.save,
    }[kind]
    return _Written(
        *save(
            folder,
            config,
            model,
            flag_values.projection_export,
            flag_values.batch_size or None,
        )
    )


def _table(written: Mapping[str, _Written]) -> str:
    """Lists formats, their bytes, and the largest differences of scores."""
    rows = [("format", "bytes", "difference")]
    for kind, what in written.items():
        size = "-" if what.size is None else f"{what.size:,}"
        difference = (
            "-" if what.difference is None else f"{what.difference:.1e}"
        )
        rows.append((kind, size, difference))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{kind:{widths[0]}}  {size:>{widths[1]}}  {difference:>{widths[2]}}"
        for kind, size, difference in rows
    )


def _check_replaceable(export_dir: str, overwrite: bool, kind: str) -> None:
    if not tf.io.gfile.exists(export_dir):
        return
    if tf.io.gfile.isdir(export_dir) and not tf.io.gfile.listdir(export_dir):
        return
    noun, there = {
        "saved_model": ("a SavedModel", tf.saved_model.contains_saved_model),
        "packed": ("a packed model", _holds_packed_model),
        "litert": ("a LiteRT model", litert.is_saved),
        "onnx": ("an ONNX model", onnx.is_saved),
        "openvino": ("an OpenVINO model", openvino.is_saved),
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

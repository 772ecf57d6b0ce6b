"""Exports a run of yt8m-train: a SavedModel to serve, or files for others.

Example:
    yt8m-export --train_dir=runs/dbof --export_dir=exported/dbof

A SavedModel loads with tf.saved_model.load and TensorFlow Serving, without
yt8m_compact. Signature serving_default takes serialized records (`examples`,
string [batch]); tensors takes `features`, or `frames` and `num_frames`;
docs/serving.md says what others there are, and how it is served: see
--versioned, --max_batch, --warmup. Weights with a precision, dense@int4 say,
are written as their bits.

--format=packed writes config.json and weights.safetensors instead: the bits,
and little else. Every program here reads that folder as it does a run:
yt8m-eval and yt8m-predict with --train_dir, yt8m-train with --init_from.

--format=litert writes model.tflite, for LiteRT (TensorFlow Lite),
--format=onnx model.onnx, --format=openvino model.xml and model.bin, of
operators that these have only. --projection_export says how projections with
Fourier transforms, which they have not, are written; docs/export.md says more.

--format=keras writes model.keras, which Keras loads in safe mode once
yt8m_compact is imported.

Several formats, comma-separated, are written one after the other, each to a
folder of its own. With each travel the configuration of the run, a model card
(README.md) and export_manifest.json, which says how it came about and has the
SHA-256 of every file: programs here refuse a file that is not as it was
written. report.json, and a table, say what each is worth: bytes, and
differences of its scores to the model's. With --report_data_pattern, also its
own GAP@20, and times and memory beside those of a dense equivalent.
"""

from __future__ import annotations

from collections.abc import Sequence
import enum
import os

from absl import flags

from yt8m_compact import choice_flags
from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.programs import class_names as class_names_lib
from yt8m_compact.programs import export_formats
from yt8m_compact.programs import export_report
from yt8m_compact.run import command_line
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

with lazy.imports():
    from yt8m_compact.inference.exports import companions
    from yt8m_compact.inference.exports import saved_model

_FOLDERS = train_dir_lib.EXPORT_FOLDERS
# Flags that are about some formats.
_FORMATS_OF_FLAGS = {
    "versioned": ("saved_model",),
    "max_batch": ("saved_model",),
    "warmup": ("saved_model",),
    "vocabulary_file": ("saved_model",),
    "top_k": ("saved_model",),
    "export_precision": export_formats.PORTABLE,
    "calibration_data_pattern": export_formats.PORTABLE,
    "batch_size": export_formats.PORTABLE,
    "projection_export": export_formats.PORTABLE,
}

PAGES = help_pages.HelpPages(
    common={
        "what is exported": ("train_dir", "checkpoint_step", "weights"),
        "where and how": (
            "export_dir",
            "format",
            "overwrite",
            "projection_export",
            "export_precision",
            "calibration_data_pattern",
            "batch_size",
        ),
        "for TensorFlow Serving": (
            "versioned",
            "max_batch",
            "warmup",
            "top_k",
            "vocabulary_file",
        ),
        "card and report": (
            "licence",
            "data_licence",
            "report_data_pattern",
            "measure",
        ),
    },
    needed=("train_dir",),
)


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
        "smaller one for each, or one that is faster and little larger; fft, "
        "by operators that TensorFlow alone has.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum_class(
        "export_precision",
        export_precision.ExportPrecision.FLOAT32,
        export_precision.ExportPrecision,
        "What litert, onnx and openvino store weights in that have no "
        "precision of their own; those that scores depend on too much are "
        "stored in more bits.",
        flag_values=flag_values,
    )
    path_flags.define_pattern(
        "calibration_data_pattern",
        None,
        "Files of records, up to 64 of which litert, onnx and openvino compare "
        "scores on, and choose by what --export_precision asks for: glob "
        "patterns, comma-separated. If not given, inputs drawn at random.",
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
        "Number of classes that the signatures of a SavedModel return, the "
        "likeliest ones.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Whether what was exported to --export_dir before is replaced.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "vocabulary_file",
        None,
        "CSV file of the classes' names, YouTube-8M's vocabulary.csv or "
        "AudioSet's class_labels_indices.csv, which a SavedModel returns; those"
        " of YouTube-8M of 2018 if not given and there are 3862 classes.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "versioned",
        False,
        "Whether --export_dir holds numbered SavedModels, as TensorFlow "
        "Serving takes them: a new one is added, of the next number.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "max_batch",
        None,
        "Videos of a batch that TensorFlow Serving puts together of requests: "
        "written into a SavedModel as batching_params.pbtxt.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "warmup",
        None,
        "Whether requests travel with a SavedModel that TensorFlow Serving "
        "makes of itself before it serves; if not given, where "
        "tensorflow-serving-api is installed, which it needs.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "licence",
        None,
        "What the weights may be used for, for the model card: CC BY 4.0 say.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "data_licence",
        None,
        "Likewise, of the data that they were trained on.",
        flag_values=flag_values,
    )
    export_report.define_flags(flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Exports; returns the exit status."""
    program.expect_no_arguments(arguments)
    for name in ("train_dir", "export_dir"):
        program.expect_no_file(flag_values, name)
    command_line.expect_presets([flag_values.train_dir])
    choice = command_line.weights_from_flag(flag_values)
    run = train_dir_lib.TrainDir(flag_values.train_dir)
    folders = _folders_of(flag_values, run.path)
    _check_portable(flag_values)
    _check_flags_of_formats(flag_values)
    export_report.check_flags(flag_values)
    # Told before what is imported for seconds.
    for kind, folder in folders.items():
        if kind == "saved_model" and flag_values.versioned:
            folder = os.path.join(folder, "1")
        program.expect_writable_folder(flag_values, "export_dir", folder)
    num_classes = run.load_config().data.num_classes
    for pattern in (
        flag_values.calibration_data_pattern,
        flag_values.report_data_pattern,
    ):
        if pattern:
            readers.expect_same_ranges(
                run.path, readers.expand_patterns(pattern)
            )
    class_names = None
    if "saved_model" in folders:
        class_names = class_names_lib.find(
            flag_values.vocabulary_file, num_classes, run.path
        )
    for kind, folder in folders.items():
        if kind == "saved_model" and flag_values.versioned:
            export_formats.check_holds_versions(folder)
        else:
            export_formats.check_replaceable(
                folder, flag_values.overwrite, kind
            )
    config, model, step = run.restore_model(flag_values.checkpoint_step, choice)
    about = companions.about_run(
        run,
        config,
        step,
        choice,
        command=command_line.given("yt8m-export", flag_values),
        licence=flag_values.licence,
        data_licence=flag_values.data_licence,
    )
    options = export_formats.Options(
        projection_export=flag_values.projection_export,
        batch_size=flag_values.batch_size or None,
        precision=flag_values.export_precision,
        calibration_data_pattern=flag_values.calibration_data_pattern,
        served=saved_model.Options(
            top_k=flag_values.top_k,
            class_names=class_names,
            warmup=flag_values.warmup,
            max_batch=flag_values.max_batch,
            versioned=flag_values.versioned,
        ),
    )
    reporter = export_report.make_reporter(flag_values, config, model)
    which = "" if choice == weight_choice.RAW else f", weights {choice},"
    reports = {}
    for kind in export_formats.in_order(folders):
        written = export_formats.write(
            kind, folders[kind], about, model, options
        )
        for line in written.lines:
            print(line)
        print(
            f"exported step {step}{which} of {run.path} to "
            f"{written.describe()}",
            flush=True,
        )
        reports[kind] = reporter.report(
            kind,
            written.folder,
            export_formats.twins(kind, about, options),
        )
    print()
    print(export_report.to_text([reports[kind] for kind in folders]))
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
    kinds = [
        kind for kind in flag_values.format if kind in export_formats.PORTABLE
    ]
    export = flag_values.projection_export
    if kinds and export is projection_export.ProjectionExport.FFT:
        raise usage_error.UsageError(
            "expected --projection_export=auto, dft or dense: only TensorFlow "
            "has operators of Fourier transforms, and a SavedModel has them "
            "anyway. Received: projection_export=fft, format="
            f"{','.join(flag_values.format)}"
        )
    for kind in kinds:
        export_formats.expect_packages(kind)


def _check_flags_of_formats(flag_values: flags.FlagValues) -> None:
    """Refuses what would not be used."""
    for name, kinds in _FORMATS_OF_FLAGS.items():
        flag = flag_values[name]
        if flag.value is projection_export.ProjectionExport.FFT:
            continue  # As a SavedModel has it; of others `_check_portable`.
        if flag.present and not {*kinds} & {*flag_values.format}:
            value = flag.value
            shown = str(value) if isinstance(value, enum.Enum) else repr(value)
            raise usage_error.UsageError(
                f"expected --format={' or '.join(kinds)} with --{name}, which "
                "is about that alone. Received: "
                f"{name}={shown}, format={','.join(flag_values.format)}"
            )
    if flag_values.versioned and flag_values.overwrite:
        raise usage_error.UsageError(
            "expected --versioned or --overwrite, not both: a new version "
            "replaces none. Received: versioned=True, overwrite=True"
        )


def run() -> None:
    """Runs yt8m-export."""
    program.run(__doc__, define_flags, main, PAGES)


if __name__ == "__main__":
    run()

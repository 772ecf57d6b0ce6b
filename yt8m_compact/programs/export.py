"""Exports a run of yt8m-train: a SavedModel to serve, or the smallest file.

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

--format=litert writes config.json and model.tflite, for LiteRT (TensorFlow
Lite), of its own operators only. --projection_export says how projections with
Fourier transforms, which it has not, are written; docs/export.md says more.

--format=keras writes model.keras, which Keras loads in safe mode once
yt8m_compact is imported.

With each format travel the configuration of the run, a model card (README.md)
and export_manifest.json, which says how it came about and has the SHA-256 of
every file: programs here refuse a file that is not as it was written.
"""

from collections.abc import Sequence
import os

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import presets
from yt8m_compact import program
from yt8m_compact import usage_error
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import command_line
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

with lazy.imports():
    import tensorflow as tf

    from yt8m_compact import datasets
    from yt8m_compact.inference.exports import companions
    from yt8m_compact.inference.exports import keras_file
    from yt8m_compact.inference.exports import litert
    from yt8m_compact.inference.exports import packed
    from yt8m_compact.inference.exports import saved_model
    from yt8m_compact.inference.exports import versions

_FOLDERS = train_dir_lib.EXPORT_FOLDERS
# Flags that are about serving.
_OF_SAVED_MODEL = ("versioned", "max_batch", "warmup", "vocabulary_file")
# Of the classes of 2018 and 2019, by their number.
_KNOWN_CLASSES = {3862: "yt8m_2018_video_350k"}


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
        "another format: --train_dir/packed, --train_dir/litert, "
        "--train_dir/keras.",
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


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Exports; returns the exit status."""
    program.expect_no_arguments(arguments)
    for name in ("train_dir", "export_dir"):
        program.expect_no_file(flag_values, name)
    choice = command_line.weights_from_flag(flag_values)
    run = train_dir_lib.TrainDir(flag_values.train_dir)
    kind = flag_values.format
    _check_serving_flags(flag_values, kind)
    export_dir = flag_values.export_dir or os.path.join(
        run.path, _FOLDERS[kind]
    )
    train_dir_lib.check_readable_name("export_dir", export_dir)
    # Told before what is imported for seconds.
    num_classes = run.load_config().data.num_classes
    class_names = None
    if kind == "saved_model":
        class_names = _find_class_names(flag_values, num_classes)
    if flag_values.versioned:
        _check_holds_versions(export_dir)
    else:
        _check_replaceable(export_dir, flag_values.overwrite, kind)
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
    size = ""
    if kind == "packed":
        size = packed.save(export_dir, about, model)
        size = f", {size:,} bytes"
    elif kind == "litert":
        size, difference = litert.save(
            export_dir,
            about,
            model,
            flag_values.projection_export,
            flag_values.batch_size or None,
        )
        size = _describe(size, difference)
    elif kind == "keras":
        size = _describe(*keras_file.save(export_dir, about, model))
    else:
        options = saved_model.Options(
            top_k=flag_values.top_k,
            class_names=class_names,
            warmup=flag_values.warmup,
            max_batch=flag_values.max_batch,
            versioned=flag_values.versioned,
        )
        export_dir, size, difference = saved_model.save(
            export_dir, about, model, options
        )
        size = _describe(size, difference)
    which = "" if choice == weight_choice.RAW else f", weights {choice},"
    print(f"exported step {step}{which} of {run.path} to {export_dir}{size}")
    return 0


def _describe(size: int, difference: float) -> str:
    return f", {size:,} bytes, scores within {difference:.1e}"


def _check_serving_flags(flag_values: flags.FlagValues, kind: str) -> None:
    """Refuses what would not be used."""
    for name in _OF_SAVED_MODEL:
        if kind != "saved_model" and flag_values[name].present:
            raise usage_error.UsageError(
                f"expected --{name} with --format=saved_model, which alone is "
                f"served. Received: {name}={flag_values[name].value!r}, "
                f"format={kind!r}"
            )
    if flag_values.versioned and flag_values.overwrite:
        raise usage_error.UsageError(
            "expected --versioned or --overwrite, not both: a new version "
            "replaces none. Received: versioned=True, overwrite=True"
        )


def _find_class_names(
    flag_values: flags.FlagValues, num_classes: int
) -> tuple[str, ...] | None:
    """Reads the names of the classes; None where they are not known."""
    path = flag_values.vocabulary_file
    if path is None:
        preset = _KNOWN_CLASSES.get(num_classes)
        return preset and presets.class_names(preset)
    names = datasets.read_class_names(path)
    if not names or max(names) >= num_classes:
        raise ValueError(
            f"{path}: expected the names of the {num_classes} classes of the "
            f"run. Received: {len(names)} names, of classes up to "
            f"{max(names, default=None)}"
        )
    # What has no name is called by its number.
    return tuple(
        " ".join(names.get(index, "").split()) or str(index)
        for index in range(num_classes)
    )


def _check_holds_versions(export_dir: str) -> None:
    if not tf.io.gfile.exists(export_dir):
        return
    others = [
        name.rstrip("/")
        for name in tf.io.gfile.listdir(export_dir)
        if not name.startswith(".")
    ]
    numbers = {str(number) for number in versions.numbers_in(export_dir)}
    others = sorted({*others} - numbers)
    if others:
        raise ValueError(
            f"{export_dir}: expected a folder of nothing but versions, whose "
            f"names are numbers, with --versioned. Received: {others[0]} in it;"
            " use another --export_dir"
        )


def _check_replaceable(export_dir: str, overwrite: bool, kind: str) -> None:
    if not tf.io.gfile.exists(export_dir):
        return
    if tf.io.gfile.isdir(export_dir) and not tf.io.gfile.listdir(export_dir):
        return
    noun, there = {
        "saved_model": ("a SavedModel", saved_model.is_saved),
        "packed": ("a packed model", packed.is_saved),
        "litert": ("a LiteRT model", litert.is_saved),
        "keras": ("a Keras model", keras_file.is_saved),
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


def run() -> None:
    """Runs yt8m-export."""
    program.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()

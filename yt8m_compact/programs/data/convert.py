r"""Writes features of an extractor, with labels, as records.

  yt8m-data convert --input_data_pattern='features/*.npz' \
    --labels_file=labels.csv --output_dir=data

The files are .npz, .npy, .parquet, .h5, or what MediaPipe writes: .pb and
TFRecord files. Videos without labels and labels without videos are listed.
"""

from __future__ import annotations

import dataclasses

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import settings_flags
from yt8m_compact import usage_error
from yt8m_compact.programs.data import outputs
from yt8m_compact.programs.data import shared_flags

NEEDED = ("input_data_pattern", "output_dir")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_output(flag_values)
    path_flags.define_path(
        "labels_file",
        "",
        "CSV with `id,labels` in every line: numbers of classes, or names of "
        "--vocabulary_file; several separated by semicolons or commas, numbers "
        "also by spaces. Or CSV with a header of `id` and two or more names or "
        "numbers of classes, and 0 or 1 for each. Or Parquet with columns id "
        "and labels; or .npz or .h5 with arrays ids and labels, .npy with ids "
        "in a .txt file: a class of each video, or 0 and 1 for each class. "
        "Without it, and without --source_labels, no video has labels, as for "
        "prediction.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "vocabulary_file",
        "",
        "CSV with the numbers and names of classes, such as YouTube-8M's "
        "vocabulary.csv or AudioSet's class_labels_indices.csv; or .txt with a "
        "name a line.",
        flag_values=flag_values,
    )
    settings_flags.define(datasets.ConvertConfig, flag_values)
    path_flags.define_path(
        "features_file",
        "",
        "yt8m_features.json of an earlier call: features, sizes, classes and "
        "the range of the codes are as there.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Whether everything is read and checked, and nothing is written but "
        "--output_json.",
        flag_values=flag_values,
    )
    shared_flags.define_output_json(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Converts; returns the exit status."""
    program.expect_folder(flag_values, "output_json")
    config = settings_flags.read(datasets.ConvertConfig, flag_values)
    _check_flags_of_labels(flag_values, config)
    readers.expect_local_files(flag_values.input_data_pattern)
    class_names: tuple[str, ...] = ()
    if flag_values.features_file:
        features = datasets.read_features(flag_values.features_file)
        config = config.like(features)
        class_names = features.class_names
    program.expect_writable_folder(flag_values, "output_dir")
    if config.find_classes and flag_values.labels_file:
        class_names = datasets.find_label_names(flag_values.labels_file)
    vocabulary = datasets.number_classes(class_names)
    if flag_values.vocabulary_file:
        vocabulary = datasets.read_vocabulary(flag_values.vocabulary_file)
        class_names = _read_names(flag_values, config.num_classes, class_names)
    reader = datasets.LabelReader(
        config.num_classes or len(class_names) or None, vocabulary
    )
    labels = None
    if flag_values.labels_file:
        labels = datasets.read_labels(flag_values.labels_file, reader=reader)
    if not config.find_classes:
        config = dataclasses.replace(config, num_classes=reader.num_classes)
    report = datasets.convert_files(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        config,
        labels=labels,
        vocabulary=vocabulary or None,
        class_names=class_names,
        overwrite=flag_values.overwrite,
        dry_run=flag_values.dry_run,
    )
    print(report.to_text(config))
    print(f"train with: {_describe(report.features)}")
    outputs.write_json(flag_values.output_json, report.to_dict())
    return 0


def _check_flags_of_labels(
    flag_values: flags.FlagValues, config: datasets.ConvertConfig
) -> None:
    labels_file = flag_values.labels_file
    if labels_file and config.source_labels:
        raise usage_error.UsageError(
            "expected --labels_file, or --source_labels, which are in the "
            f"input. Received: labels_file={labels_file!r}, "
            f"source_labels={config.source_labels!r}"
        )
    for name in ("vocabulary_file", "find_classes"):
        value = flag_values[name].value
        if value and not (labels_file or config.source_labels):
            raise usage_error.UsageError(
                f"expected --labels_file or --source_labels with --{name}. "
                f"Received: {name}={value!r}"
            )
    if flag_values.vocabulary_file and config.find_classes:
        raise usage_error.UsageError(
            "expected --vocabulary_file, or --find_classes, which makes one. "
            f"Received: both, vocabulary_file={flag_values.vocabulary_file!r}"
        )


def _read_names(
    flag_values: flags.FlagValues,
    num_classes: int | None,
    known: tuple[str, ...],
) -> tuple[str, ...]:
    """Reads a name for each class; refuses others than an earlier call had."""
    path = flag_values.vocabulary_file
    found = datasets.read_class_names(path)
    if not found:
        raise usage_error.UsageError(
            "expected --vocabulary_file with the names of classes. Received: "
            f"vocabulary_file={path!r}, of no name"
        )
    names = datasets.name_classes(found, num_classes or max(found) + 1)
    if known and names != known:
        raise usage_error.UsageError(
            "expected --vocabulary_file with the classes of --features_file, "
            "or none. Received: "
            f"vocabulary_file={path!r}, of other classes or names"
        )
    return names


def _describe(features: datasets.RecordFeatures) -> str:
    """Returns the flags that records are read with."""
    words = []
    if features.level == "frame":
        words.append("--frame_features")
    if features.float_frames:
        words.append("--float_frames")
    sizes = ",".join(map(str, features.feature_sizes))
    words += [
        f"--feature_names={','.join(features.feature_names)}",
        f"--feature_sizes={sizes}",
    ]
    if features.num_classes is not None:
        words.append(f"--num_classes={features.num_classes}")
    return " ".join(words)

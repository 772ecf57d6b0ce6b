r"""Writes features of an extractor, with labels, as records.

  yt8m-data convert --input_data_pattern='features/*.npz' \
    --labels_file=labels.csv --output_dir=data

The files are .npz, .npy, .parquet, .h5, or what MediaPipe writes: .pb and
TFRecord files. Videos without labels and labels without videos are listed.
"""

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
        "also by spaces. Or Parquet with columns id and labels. Without it no "
        "video has labels, as for prediction.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "vocabulary_file",
        "",
        "CSV with the numbers and names of classes, such as YouTube-8M's "
        "vocabulary.csv or AudioSet's class_labels_indices.csv.",
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
    if flag_values.vocabulary_file and not flag_values.labels_file:
        raise usage_error.UsageError(
            "expected --labels_file with --vocabulary_file. Received: "
            f"vocabulary_file={flag_values.vocabulary_file!r}"
        )
    readers.expect_local_files(flag_values.input_data_pattern)
    if flag_values.features_file:
        features = datasets.read_features(flag_values.features_file)
        config = config.like(features)
    program.expect_writable_folder(flag_values, "output_dir")
    labels = vocabulary = None
    if flag_values.vocabulary_file:
        vocabulary = datasets.read_vocabulary(flag_values.vocabulary_file)
    if flag_values.labels_file:
        labels = datasets.read_labels(
            flag_values.labels_file, config.num_classes, vocabulary
        )
    report = datasets.convert_files(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        config,
        labels=labels,
        overwrite=flag_values.overwrite,
        dry_run=flag_values.dry_run,
    )
    print(report.to_text(config))
    print(f"train with: {_describe(report.features)}")
    outputs.write_json(flag_values.output_json, report.to_dict())
    return 0


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
        f"--num_classes={features.num_classes}",
    ]
    return " ".join(words)

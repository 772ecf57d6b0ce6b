r"""Writes features from MediaPipe, with labels from a CSV, as records.

  yt8m-data convert --input_data_pattern='features/*.pb' \
    --labels_file=labels.csv --output_dir=data

Videos without labels and labels without videos are listed.
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
        "also by spaces. Without it no video has labels, as for prediction.",
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
    )
    print(report.to_text(config))
    outputs.write_json(flag_values.output_json, report.to_dict())
    return 0

"""Writes records, unchanged, to two files, by a hash of their ids.

They are called train.tfrecord and validate.tfrecord.

  yt8m-data split --input_data_pattern='data/*.tfrecord' --output_dir=split
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact.programs.data import shared_flags

NEEDED = ("input_data_pattern", "output_dir")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_output(flag_values)
    flags.DEFINE_float(
        "validate_percent",
        10.0,
        "Share of the videos that go to validate.tfrecord.",
        flag_values=flag_values,
    )


def main(flag_values: flags.FlagValues) -> int:
    """Splits; returns the exit status."""
    readers.expect_local_files(flag_values.input_data_pattern)
    program.expect_writable_folder(flag_values, "output_dir")
    counts = datasets.split_records(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        flag_values.validate_percent,
        overwrite=flag_values.overwrite,
    )
    for name, count in counts.items():
        print(f"{count:,} records in {flag_values.output_dir}/{name}")
    return 0

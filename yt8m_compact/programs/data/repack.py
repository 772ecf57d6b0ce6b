"""Writes frame-level records as packed ones, which read faster, and back.

  yt8m-data repack --input_data_pattern='data/*.tfrecord' --output_dir=packed

One file is written for each. A packed record is a tf.train.Example that holds
each feature as one bytes value. Nothing is lost: --unpack gives back what was,
all but features that come frame by frame and are not in --feature_names, where
that is given: they are left out, and named. The same command continues;
complete files are kept.
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs import endings
from yt8m_compact.programs.data import shared_flags

NEEDED = ("input_data_pattern", "output_dir")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_output(flag_values)
    flags.DEFINE_bool(
        "unpack",
        False,
        "Whether packed records are turned back; --feature_names and "
        "--feature_sizes say which features came frame by frame, where nothing "
        "is said beside the records.",
        flag_values=flag_values,
    )
    shared_flags.define_features(
        flag_values,
        names_help="Features to pack or unpack, comma-separated; if not given, "
        "all. "
        "Others than those given are left out.",
        sizes_help="Size of each feature, comma-separated.",
    )
    shared_flags.define_num_processes(flag_values)
    beam_flags.define(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Repacks; returns the exit status."""
    readers.expect_local_files(flag_values.input_data_pattern)
    if flag_values.unpack and not (
        flag_values.feature_names or flag_values.feature_sizes
    ):
        files = readers.expand_patterns(flag_values.input_data_pattern)
        if readers.find_features(files) is None:
            program.expect_given(flag_values, "feature_names")
    mapper = beam_flags.data_mapper(flag_values)
    program.expect_writable_folder(flag_values, "output_dir")
    with endings.keeping_what_is_done(not flag_values.overwrite):
        repacked = datasets.repack_files(
            flag_values.input_data_pattern,
            flag_values.output_dir,
            **shared_flags.features(flag_values),
            unpacking=flag_values.unpack,
            overwrite=flag_values.overwrite,
            num_processes=flag_values.num_processes,
            mapper=mapper,
        )
    files = repacked.files
    num_videos = sum(file.num_videos for file in files.values())
    num_bytes = sum(file.num_bytes for file in files.values())
    print(
        f"{len(files):,} files, {num_videos:,} records, "
        f"{num_bytes / 1e6:,.1f} MB, in {flag_values.output_dir}"
    )
    if repacked.left_out:
        print(
            f"left out, not in --feature_names: {', '.join(repacked.left_out)}"
        )
    return 0

"""Computes video-level records from frame-level ones.

  yt8m-data pool --input_data_pattern='frames/*.tfrecord' --output_dir=pooled

One file is written for each, about a fiftieth of its size. A record has the id
and the labels of the video, and for each feature the mean and the standard
deviation of its frames: mean_rgb, mean_audio, std_rgb and std_audio of rgb and
audio. The same command continues; complete files are kept.
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import lazy
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import settings_flags
from yt8m_compact.programs import endings
from yt8m_compact.programs.data import shared_flags

with lazy.imports():
    from yt8m_compact.readers import skipped as skipped_lib

NEEDED = ("input_data_pattern", "output_dir")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_output(flag_values)
    settings_flags.define(datasets.PoolConfig, flag_values)
    shared_flags.define_num_processes(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Pools; returns the exit status."""
    config = settings_flags.read(datasets.PoolConfig, flag_values)
    readers.expect_local_files(flag_values.input_data_pattern)
    program.expect_writable_folder(flag_values, "output_dir")
    with endings.keeping_what_is_done(not flag_values.overwrite):
        pooled = datasets.pool_files(
            flag_values.input_data_pattern,
            flag_values.output_dir,
            config,
            overwrite=flag_values.overwrite,
            num_processes=flag_values.num_processes,
        )
    num_videos = sum(file.num_videos for file in pooled.files.values())
    num_bytes = sum(file.num_bytes for file in pooled.files.values())
    sizes = ",".join(map(str, pooled.feature_sizes))
    print(
        f"{len(pooled.files):,} files, {num_videos:,} records, "
        f"{num_bytes / 1e6:,.1f} MB, in {flag_values.output_dir}\n"
        f"train with: --feature_names={','.join(pooled.feature_names)} "
        f"--feature_sizes={sizes}"
    )
    if pooled.left_out:
        print(datasets.describe_left_out(pooled.left_out))
    if pooled.skipped:
        columns = program.table_columns()
        table = skipped_lib.to_text(pooled.skipped, columns)
        print(f"left out of the data:\n{table}")
    return 0

"""Writes a synthetic data set in YouTube-8M's frame-level format.

It has a train and a validate split. Its classes can't be seen in the mean of
the frames.

  yt8m-data synthesize --output_dir=data

The same flags give the same bytes; what is already there is kept.
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import program
from yt8m_compact import settings_flags
from yt8m_compact.programs import endings
from yt8m_compact.programs.data import shared_flags

NEEDED = ("output_dir",)
_SETTINGS = (
    "num_train_videos",
    "num_validate_videos",
    "num_train_shards",
    "num_validate_shards",
    "num_classes",
    "seed",
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_output(flag_values)
    settings_flags.define(datasets.SyntheticConfig, flag_values, _SETTINGS)
    shared_flags.define_num_processes(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Makes the data set; returns the exit status."""
    config = settings_flags.read(datasets.SyntheticConfig, flag_values)
    program.expect_writable_folder(flag_values, "output_dir")
    with endings.keeping_what_is_done(not flag_values.overwrite):
        manifest = datasets.write_synthetic(
            flag_values.output_dir,
            config,
            overwrite=flag_values.overwrite,
            num_processes=flag_values.num_processes,
        )
    num_bytes = sum(file["num_bytes"] for file in manifest["files"].values())
    print(
        f"{len(manifest['files'])} files of synthetic videos, "
        f"{num_bytes / 2**20:,.0f} MB, in {flag_values.output_dir}\n"
        "train: yt8m-train --train_data_pattern="
        f"'{flag_values.output_dir}/train*.tfrecord' --frame_features "
        "--feature_names=rgb,audio --feature_sizes=1024,128 "
        f"--num_classes={config.num_classes} --model=DbofModel --train_dir=..."
    )
    return 0

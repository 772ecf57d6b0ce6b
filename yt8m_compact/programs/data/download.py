r"""Downloads the shards of YouTube-8M, resumed and checked.

Features and labels are by Google, CC BY 4.0; several files come at a time.

  yt8m-data download --output_dir=data --partition=2/video --split=validate \
    --shard=1,100

The same command continues, within a file where the server can. A file is
called NAME.part until its MD5 is that of the public download plan. Plan and
files come over plain http: the checksums protect against accidents, not against
somebody on the way. For that, give --checksums from a source you trust.
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import lazy
from yt8m_compact import program
from yt8m_compact import settings_flags
from yt8m_compact.programs import endings
from yt8m_compact.programs.data import shared_flags

with lazy.imports():
    import tensorflow as tf

NEEDED = ("output_dir",)
_SETTINGS = (
    "partition",
    "split",
    "mirror",
    "shard",
    "base_url",
    "checksums",
    "file_names",
    "num_connections",
    "timeout_s",
    "num_retries",
    "max_file_gb",
)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_output(flag_values, overwrite=False)
    settings_flags.define(datasets.DownloadConfig, flag_values, _SETTINGS)


def main(flag_values: flags.FlagValues) -> int:
    """Downloads; returns the exit status."""
    config = settings_flags.read(datasets.DownloadConfig, flag_values)
    program.expect_writable_folder(flag_values, "output_dir")
    with endings.keeping_what_is_done():
        files = datasets.download_files(flag_values.output_dir, config)
    num_bytes = sum(tf.io.gfile.stat(file).length for file in files)
    print(
        f"{len(files):,} files, {num_bytes / 1e6:,.1f} MB, checked, in "
        f"{flag_values.output_dir}"
    )
    return 0

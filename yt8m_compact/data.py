"""Makes and handles data sets of records.

Usage:
  yt8m-data synthesize --output_dir=data [flags]
  yt8m-data split --input_data_pattern='data/*.tfrecord' --output_dir=split

synthesize writes a synthetic data set in YouTube-8M's frame-level format: a
train and a validate split. Its classes can't be seen in the mean of the
frames. The same flags give the same bytes; what is already there is kept.

split writes records, unchanged, to train.tfrecord and validate.tfrecord, by a
hash of their ids.
"""

from collections.abc import Callable, Sequence

from absl import flags

from yt8m_compact import binary
from yt8m_compact import datasets

_DEFAULTS = datasets.SyntheticConfig()


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    flags.DEFINE_string(
        "output_dir", None, "Folder to write to.", flag_values=flag_values
    )
    flags.DEFINE_string(
        "input_data_pattern",
        "",
        "split: files to split, glob patterns, comma-separated.",
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "validate_percent",
        10.0,
        "split: share of the videos that go to validate.tfrecord.",
        flag_values=flag_values,
    )
    for name, help_text in {
        "num_train_videos": "number of videos of the train split.",
        "num_validate_videos": "number of videos of the validate split.",
        "num_train_shards": "number of files of the train split.",
        "num_validate_shards": "number of files of the validate split.",
        "num_classes": "number of classes.",
        "seed": "seed of all that is random.",
    }.items():
        flags.DEFINE_integer(
            name,
            getattr(_DEFAULTS, name),
            f"synthesize: {help_text}",
            flag_values=flag_values,
        )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Whether another synthetic data set, or another split, in "
        "--output_dir is replaced.",
        flag_values=flag_values,
    )


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Runs a verb; returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in _VERBS:
        raise ValueError(
            f"expected one verb, of {', '.join(_VERBS)}, and flags. Received: "
            f"{' '.join(arguments) or 'no verb'}"
        )
    if not flag_values.output_dir:
        raise ValueError(
            "expected --output_dir, the folder to write to. Received: "
            f"output_dir={flag_values.output_dir!r}"
        )
    return _VERBS[arguments[0]](flag_values)


def _synthesize(flag_values: flags.FlagValues) -> int:
    config = datasets.SyntheticConfig(
        num_train_videos=flag_values.num_train_videos,
        num_validate_videos=flag_values.num_validate_videos,
        num_train_shards=flag_values.num_train_shards,
        num_validate_shards=flag_values.num_validate_shards,
        num_classes=flag_values.num_classes,
        seed=flag_values.seed,
    )
    manifest = datasets.write_synthetic(
        flag_values.output_dir, config, overwrite=flag_values.overwrite
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


def _split(flag_values: flags.FlagValues) -> int:
    counts = datasets.split_records(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        flag_values.validate_percent,
        overwrite=flag_values.overwrite,
    )
    for name, count in counts.items():
        print(f"{count:,} records in {flag_values.output_dir}/{name}")
    return 0


_VERBS: dict[str, Callable[[flags.FlagValues], int]] = {
    "synthesize": _synthesize,
    "split": _split,
}


def run() -> None:
    """Runs yt8m-data."""
    binary.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()

"""The flags that several verbs share, each of them once."""

from typing import Any

from absl import flags

from yt8m_compact import path_flags
from yt8m_compact import settings_flags
from yt8m_compact import usage_error


def define_input(flag_values: flags.FlagValues) -> None:
    """Defines the flag of the files to read."""
    path_flags.define_pattern(
        "input_data_pattern",
        "",
        "Files to read: glob patterns, comma-separated.",
        flag_values=flag_values,
    )


def define_output(
    flag_values: flags.FlagValues, *, overwrite: bool = True
) -> None:
    """Defines the flags of the folder to write to.

    Args:
        flag_values: Where to define them.
        overwrite: Whether the verb can replace what is there.
    """
    path_flags.define_path(
        "output_dir", None, "Folder to write to.", flag_values=flag_values
    )
    if overwrite:
        flags.DEFINE_bool(
            "overwrite",
            False,
            "Whether what an earlier call wrote to --output_dir is replaced.",
            flag_values=flag_values,
        )


def define_features(
    flag_values: flags.FlagValues, *, names_help: str = "", sizes_help: str = ""
) -> None:
    """Defines the flags of the features, where the records say them too.

    Args:
        flag_values: Where to define them.
        names_help: What the names mean, if not which to look at.
        sizes_help: Likewise.
    """
    flags.DEFINE_list(
        "feature_names",
        [],
        names_help
        or "Features of the records, comma-separated; if not given, those of "
        "most records of a sample.",
        flag_values=flag_values,
    )
    flags.DEFINE_list(
        "feature_sizes",
        [],
        sizes_help
        or "Size of each feature, comma-separated; if not given, those of most "
        "records of a sample, packed ones: 1024 for rgb, 128 for audio.",
        flag_values=flag_values,
    )


def define_num_classes(flag_values: flags.FlagValues) -> None:
    """Defines the flag of the number of classes."""
    flags.DEFINE_integer(
        "num_classes",
        None,
        "Number of classes: 3862 for YouTube-8M of 2018, 4716 for 2017, 527 "
        "for AudioSet. If not given, as yt8m_features.json beside the records "
        "says, or else 3862.",
        flag_values=flag_values,
    )


def define_num_processes(flag_values: flags.FlagValues) -> None:
    """Defines the flag of the number of processes."""
    flags.DEFINE_integer(
        "num_processes",
        0,
        "Number of processes; 0 for one a core where the data are large.",
        flag_values=flag_values,
    )


def define_output_json(flag_values: flags.FlagValues) -> None:
    """Defines the flag of the file for the result."""
    path_flags.define_path(
        "output_json",
        "",
        "File to write the result to, as JSON.",
        flag_values=flag_values,
    )


def features(flag_values: flags.FlagValues) -> dict[str, Any]:
    """Reads the flags of `define_features`, as arguments.

    Args:
        flag_values: The parsed flags.

    Returns:
        `feature_names` and `feature_sizes`, empty where not given.

    Raises:
        UsageError: If the sizes are no sizes.
    """
    return {
        "feature_names": tuple(flag_values.feature_names),
        "feature_sizes": settings_flags.whole_numbers(
            flag_values, "feature_sizes"
        ),
    }


def num_classes(flag_values: flags.FlagValues) -> int | None:
    """Reads the flag of `define_num_classes`.

    Args:
        flag_values: The parsed flags.

    Returns:
        The number, None if it was not given.

    Raises:
        UsageError: If it is less than 1.
    """
    number = flag_values.num_classes
    if number is not None and number < 1:
        raise usage_error.UsageError(
            "expected --num_classes to be at least 1, such as 3862 for "
            "YouTube-8M of 2018; leave the flag out for the default. Received: "
            f"num_classes={number}"
        )
    return number

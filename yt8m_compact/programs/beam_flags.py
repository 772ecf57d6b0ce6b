"""The flags of Apache Beam, which several programs share."""

from __future__ import annotations

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import task_mapping
from yt8m_compact import usage_error

with lazy.imports():
    from yt8m_compact import pipelines

NAMES = ("runner", "runner_options")


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flags.

    Args:
        flag_values: where to define them.
    """
    flags.DEFINE_string(
        "runner",
        None,
        "Runner of Apache Beam that does it, a task a file: DirectRunner is "
        "this machine, DataflowRunner, FlinkRunner and others are many. "
        'Needs `pip install "yt8m_compact[beam]"`.',
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "runner_options",
        "",
        "Options of --runner, as of a command line: "
        "'--project=p --temp_location=gs://bucket/tmp'.",
        flag_values=flag_values,
    )


def mapper(
    flag_values: flags.FlagValues, refused: dict[str, str] | None = None
) -> task_mapping.Mapper | None:
    """Makes what has other processes do tasks.

    Args:
        flag_values: the parsed flags.
        refused: flags that have no meaning beside --runner, and why.

    Returns:
        It; None without --runner.

    Raises:
        UsageError: if there is no such runner or option, Beam is not installed,
            or one of the refused flags is given.
    """
    if flag_values.runner is None:
        if flag_values.runner_options:
            raise usage_error.UsageError(
                "expected --runner with --runner_options, such as "
                "--runner=DirectRunner. Received: "
                f"runner_options={flag_values.runner_options!r}"
            )
        return None
    for name, why in (refused or {}).items():
        if flag_values[name].present:
            raise usage_error.UsageError(
                f"expected no --{name} with --runner, {why}. Received: "
                f"{name}={flag_values[name].value}"
            )
    return pipelines.make_mapper(flag_values.runner, flag_values.runner_options)


def data_mapper(flag_values: flags.FlagValues) -> task_mapping.Mapper | None:
    """Makes a mapper for a verb of yt8m-data; see `mapper`."""
    return mapper(
        flag_values, {"num_processes": "whose options say how many there are"}
    )

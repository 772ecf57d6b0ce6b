"""Flags of ensembles, which yt8m-predict and yt8m-eval share."""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import usage_error
from yt8m_compact.inference import artefacts
from yt8m_compact.run import command_line
from yt8m_compact.run import train_dir as train_dir_lib

with lazy.imports():
    from yt8m_compact.inference import ensembles


def define(flag_values: flags.FlagValues, purpose: str) -> None:
    """Defines the flags.

    Args:
        flag_values: where to define them.
        purpose: what the models are for, for the help.
    """
    path_flags.define_paths(
        "ensemble",
        None,
        f"{purpose}, comma-separated: folders of runs, preset:NAME, and what "
        "yt8m-export wrote.",
        flag_values=flag_values,
        allow_overwrite=False,
    )
    flags.DEFINE_list(
        "ensemble_weights",
        None,
        "The weight of each of --ensemble, comma-separated.",
        flag_values=flag_values,
        allow_overwrite=False,
    )


def weights(flag_values: flags.FlagValues) -> list[float] | None:
    """Reads the weights.

    Args:
        flag_values: the parsed flags.

    Returns:
        A weight of each model, None where none were given.

    Raises:
        UsageError: if they are not those of so many models.
    """
    texts = flag_values.ensemble_weights
    if texts is None:
        return None
    try:
        found = [float(text) for text in texts]
    except ValueError:
        raise usage_error.UsageError(
            f"expected numbers. Received: ensemble_weights={','.join(texts)}"
        ) from None
    with usage_error.from_value_errors():
        ensembles.normalise(found, len(flag_values.ensemble))
    return found


def expect_members(names: Sequence[str]) -> None:
    """Refuses names that are none of a model, before anything is loaded.

    Args:
        names: as of `ensembles.load_member`.

    Raises:
        UsageError: if one is empty, or of a preset that there is not.
        ValueError: if there is no such model.
    """
    if not all(name.strip() for name in names):
        raise usage_error.UsageError(
            "expected the name of a model before and after each comma. "
            f"Received: ensemble={','.join(names)!r}"
        )
    command_line.expect_presets(names)
    for name in names:
        if train_dir_lib.is_run(name):
            train_dir_lib.TrainDir(name).load_config()
        else:
            artefacts.find(name)

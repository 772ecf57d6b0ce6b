"""What to try next, by Optuna."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from yt8m_compact.studies import study_file


@dataclasses.dataclass(frozen=True)
class Trial:
    """A combination that was tried.

    Attributes:
        values: its values, by flag.
        score: what it reached; None where it failed.
    """

    values: Mapping[str, study_file.Value]
    score: float | None


def expect_optuna() -> Any:
    """Imports Optuna.

    Returns:
        The module.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise ValueError(
            "expected Optuna, which a search is done by: pip install "
            '"yt8m_compact[study]". Received: a study with [search], and no '
            "optuna"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def suggest(
    search: study_file.Search, tried: Sequence[Trial]
) -> dict[str, study_file.Value]:
    """Suggests what to try next.

    It depends on what was tried alone, so that a search that was stopped goes
    on as it would have without.

    Args:
        search: where to search.
        tried: the trials before, in order.

    Returns:
        A value of each flag.

    Raises:
        ValueError: if Optuna is not installed.
    """
    optuna = expect_optuna()
    spaces = {
        name: _distribution(optuna, space)
        for name, space in search.flags.items()
    }
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=search.sampler_seed + len(tried)
        ),
    )
    states = optuna.trial.TrialState
    for trial in tried:
        study.add_trial(
            optuna.trial.create_trial(
                state=states.FAIL if trial.score is None else states.COMPLETE,
                value=trial.score,
                params=dict(trial.values),
                distributions=spaces,
            )
        )
    return dict(study.ask(fixed_distributions=spaces).params)


def _distribution(
    optuna: Any, space: study_file.Range | study_file.Choices
) -> Any:
    if isinstance(space, study_file.Choices):
        return optuna.distributions.CategoricalDistribution(
            choices=space.values
        )
    if space.is_whole:
        kind = optuna.distributions.IntDistribution
    else:
        kind = optuna.distributions.FloatDistribution
    return kind(low=space.low, high=space.high, log=space.log)

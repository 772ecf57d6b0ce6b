"""The runs of a study: their names, values and configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import hashlib
import itertools
import json
import math
import re

from yt8m_compact.run import config as config_lib
from yt8m_compact.studies import search as search_lib
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run

Values = Mapping[str, study_file.Value]
MakeConfig = Callable[[Values], config_lib.Config]

_MAX_RUNS = 10_000
_MAX_NAME = 150  # of the 255 bytes of a file's name
_OTHER = re.compile(r"[^A-Za-z0-9.+=]+")


def make_plan(
    study: study_file.Study, make_config: MakeConfig, where: str
) -> list[study_run.StudyRun]:
    """Lists the runs of a grid, and checks every value of a study.

    Args:
        study: the study.
        make_config: makes the configuration of a run, of values by flag; its
            ValueError says what does not fit.
        where: what to call the study in errors: its file.

    Returns:
        The runs, in order; none of a search, whose runs depend on each other.

    Raises:
        ValueError: if a value does not fit, there are too many runs, or Optuna
            is missing for a search.

    Example:
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="validate*.tfrecord",
        ...     seeds=(1, 2),
        ...     grid={"structure": ("dense", "low_rank(rank=8)")},
        ... )
        >>> def make_config(values):
        ...     return yt8m.run.Config(
        ...         data=yt8m.run.DataConfig(),
        ...         model=yt8m.models.LogisticConfig(
        ...             classifier_projection=values["structure"]
        ...         ),
        ...         training=yt8m.run.TrainingConfig(
        ...             train_data_pattern="train*.tfrecord",
        ...             seed=values["seed"],
        ...         ),
        ...     )
        >>> for run in yt8m.studies.make_plan(study, make_config, "my study"):
        ...     print(run.name)
        structure=dense-seed=1
        structure=dense-seed=2
        structure=low_rank_rank=8-seed=1
        structure=low_rank_rank=8-seed=2
    """
    if study.search is not None:
        search_lib.expect_optuna()
        example_configs(study, make_config)
        return []
    number = math.prod(map(len, study.grid.values()))
    number *= len(study.seeds) or 1
    if number > _MAX_RUNS:
        raise ValueError(
            f"{where}: expected a grid of at most {_MAX_RUNS:,} runs. "
            f"Received: {number:,}"
        )
    used: set[str] = set()
    return [
        study_run.StudyRun(
            _unused(run_name(values, seed), values, used),
            values,
            seed,
            make_run_config(study, values, seed, make_config),
        )
        for values in _combinations(study.grid)
        for seed in study.seeds or (None,)
    ]


def _combinations(
    grid: Mapping[str, Sequence[study_file.Value]],
) -> Iterator[Values]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def example_configs(
    study: study_file.Study, make_config: MakeConfig
) -> list[config_lib.Config]:
    """Makes configurations in which each end and each choice of a search occur.

    Args:
        study: the study, of a search.
        make_config: as of `make_plan`.

    Returns:
        The configurations.

    Raises:
        ValueError: if a value does not fit.
    """
    seed = study.seeds[0] if study.seeds else None
    return [
        make_run_config(study, values, seed, make_config)
        for values in _examples(study.search.flags)
    ]


def _examples(
    flags: Mapping[str, study_file.Range | study_file.Choices],
) -> Iterator[Values]:
    """Yields combinations in which each end and each choice occurs."""
    first = {name: space.examples[0] for name, space in flags.items()}
    yield first
    for name, space in flags.items():
        for value in space.examples[1:]:
            yield {**first, name: value}


def make_run_config(
    study: study_file.Study,
    values: Values,
    seed: int | None,
    make_config: MakeConfig,
) -> config_lib.Config:
    """Makes the configuration of one run.

    Args:
        study: the study.
        values: the flags that differ between combinations.
        seed: the seed, or None for that of the flags.
        make_config: as of `make_plan`.

    Returns:
        The configuration.

    Raises:
        ValueError: if a value does not fit; it names the combination.
    """
    seeds = {} if seed is None else {"seed": seed}
    try:
        return make_config({**study.flags, **values, **seeds})
    except ValueError as error:
        if not values:
            raise
        # Of its own kind: files that are missing are no wrong flags.
        text = f"{error} (in the run of {values_text(values)})"
        raise type(error)(text) from error


def values_text(values: Values) -> str:
    """Writes values as they are typed."""
    return ", ".join(
        f"{name}={study_file.value_text(value)}"
        for name, value in values.items()
    )


def run_name(values: Values, seed: int | None) -> str:
    """Names the folder of a run by its values.

    Args:
        values: the flags that differ between combinations.
        seed: the seed where there are several.

    Returns:
        A name of letters, digits and `_.+=-`; a long one ends with a hash.
    """
    texts = [
        f"{name}={_OTHER.sub('_', study_file.value_text(value)).strip('_')}"
        for name, value in values.items()
    ]
    if seed is not None:
        texts.append(f"seed={seed}")
    name = "-".join(texts)
    if len(name) <= _MAX_NAME:
        return name
    ending = "" if seed is None else f"-seed={seed}"
    return f"{name[: _MAX_NAME - len(ending) - 9]}-{_hash(values)}{ending}"


def trial_name(number: int, seed: int | None) -> str:
    """Names the folder of a run of a search.

    Args:
        number: that of the trial.
        seed: the seed where there are several.

    Returns:
        A name.
    """
    ending = "" if seed is None else f"-seed={seed}"
    return f"trial-{number:04d}{ending}"


def _unused(name: str, values: Values, used: set[str]) -> str:
    """Tells values apart whose names are the same, such as a/b and a_b."""
    if name in used:
        name = f"{name}-{_hash(values)}"
    used.add(name)
    return name


def _hash(values: Values) -> str:
    text = json.dumps(values)
    return hashlib.sha256(text.encode()).hexdigest()[:8]

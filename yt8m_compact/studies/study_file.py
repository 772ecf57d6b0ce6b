"""The file that says what a study varies, and how its runs are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import math
import tomllib
from typing import Any

from yt8m_compact import names
from yt8m_compact import path_flags
from yt8m_compact import untrusted
from yt8m_compact.run import weight_choice

# What is better when it is more.
METRICS = ("gap", "hit_at_1", "perr", "map")

_EXPECTED = "a study, in TOML"
_MAX_BYTES = 1 << 20
_KEYS = (
    "score_data_pattern",
    "metric",
    "weights",
    "seeds",
    "flags",
    "grid",
    "search",
)
_SEARCH_KEYS = ("num_trials", "sampler_seed", "flags")
_RANGE_KEYS = ("low", "high", "log")
_MAX_SEED = 2**32 - 1

Value = str | int | float | bool


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers to search in: whole ones where both ends are.

    Attributes:
        low: the smallest one.
        high: the largest one.
        log: whether ratios count, not differences.
    """

    low: int | float
    high: int | float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def examples(self) -> tuple[Value, ...]:
        """Values that every other one lies between."""
        return (self.low, self.high)


@dataclasses.dataclass(frozen=True)
class Choices:
    """Values to choose from.

    Attributes:
        values: the values.
    """

    values: tuple[Value, ...]

    @property
    def examples(self) -> tuple[Value, ...]:
        """All values."""
        return self.values


@dataclasses.dataclass(frozen=True)
class Search:
    """A search by Optuna.

    Attributes:
        flags: where to search, by flag.
        num_trials: how many combinations to try.
        sampler_seed: the seed of what draws them.
    """

    flags: Mapping[str, Range | Choices]
    num_trials: int
    sampler_seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """What a study varies, and how its runs are scored.

    Attributes:
        score_data_pattern: files that each run is evaluated on.
        metric: what the runs are compared by, one of `METRICS`.
        weights: which weights of a run: raw, ema or average:5 say.
        seeds: seeds that each combination is trained with; none is that of the
            flags.
        flags: values of flags that all runs have.
        grid: the values of each flag, all combinations of which are trained.
        search: what to search instead, or None.

    Example:
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="validate*.tfrecord",
        ...     seeds=(1, 2),
        ...     grid={"classifier_projection": ("dense", "circulant")},
        ... )
        >>> study.varied, study.named
        (('classifier_projection',), ('classifier_projection', 'seed'))
    """

    score_data_pattern: str
    metric: str = "gap"
    weights: str = str(weight_choice.RAW)
    seeds: tuple[int, ...] = ()
    flags: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    grid: Mapping[str, tuple[Value, ...]] = dataclasses.field(
        default_factory=dict
    )
    search: Search | None = None

    @property
    def varied(self) -> tuple[str, ...]:
        """The flags that differ between runs, but for the seed."""
        return tuple(self.grid if self.search is None else self.search.flags)

    @property
    def named(self) -> tuple[str, ...]:
        """All flags that the study has something to say about."""
        seed = ("seed",) if self.seeds else ()
        return (*self.flags, *self.varied, *seed)

    def to_dict(self) -> dict[str, Any]:
        """Writes the study as a dict that JSON can hold."""
        return dataclasses.asdict(self)


def load_study(path: str) -> Study:
    r"""Reads a study.

    Args:
        path: a file of TOML.

    Returns:
        The study.

    Raises:
        ValueError: if there is no such file, or anything in it is unknown or
            wrong.

    Example:
        >>> import pathlib
        >>> lines = [
        ...     'score_data_pattern = "validate*.tfrecord"',
        ...     "[grid]",
        ...     'classifier_projection = ["dense", "circulant"]',
        ... ]
        >>> _ = pathlib.Path("study.toml").write_text("\n".join(lines))
        >>> dict(yt8m.studies.load_study("study.toml").grid)
        {'classifier_projection': ('dense', 'circulant')}
    """
    text = untrusted.read_text(path, _EXPECTED, _MAX_BYTES)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError):
            error = "values nested too deeply"
        raise ValueError(
            f"{path}: expected {_EXPECTED}. Received: {error}"
        ) from None
    return _parse(values, path)


def _parse(values: dict[str, Any], where: str) -> Study:
    _expect_keys(values, _KEYS, where)
    pattern = values.get("score_data_pattern")
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(
            f"{where}: expected score_data_pattern, the files that each run is "
            "evaluated on, as in the example of docs/training.md. Received: "
            + (f"score_data_pattern={pattern!r}" if values else "an empty file")
        )
    metric = values.get("metric", "gap")
    if metric not in METRICS:
        raise ValueError(
            f"{where}: expected metric to be one of {', '.join(METRICS)}. "
            f"Received: metric={metric!r}"
        )
    weights = str(values.get("weights", weight_choice.RAW))
    try:
        weight_choice.parse(weights)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    study = Study(
        score_data_pattern=path_flags.expand_pattern(pattern),
        metric=metric,
        weights=weights,
        seeds=_parse_seeds(values.get("seeds", []), where),
        flags={
            name: _parse_value(value, f"{where}, flags.{name}")
            for name, value in _table(values, "flags", where).items()
        },
        grid={
            name: _parse_values(value, f"{where}, grid.{name}")
            for name, value in _table(values, "grid", where).items()
        },
        search=_parse_search(values, where),
    )
    _check_parts(study, where)
    return study


def _expect_keys(
    values: Mapping[str, Any], known: Sequence[str], where: str
) -> None:
    for key in values:
        if key not in known:
            raise ValueError(
                f"{where}: expected the keys {', '.join(known)}; flags stand "
                f"in a table. Received: {key:.80}"
                f"{names.suggestion(key, known)}"
            )


def _table(
    values: Mapping[str, Any], name: str, where: str
) -> Mapping[str, Any]:
    table = values.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(
            f"{where}: expected {name} to be a table of flags. Received: "
            f"{name}={table!r:.200}"
        )
    return table


def _parse_seeds(seeds: Any, where: str) -> tuple[int, ...]:
    right = isinstance(seeds, list) and all(
        type(seed) is int and 0 <= seed <= _MAX_SEED for seed in seeds
    )
    if not right or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"{where}: expected seeds to be a list of whole numbers from 0 to "
            f"{_MAX_SEED}, each once. Received: seeds={seeds!r:.200}"
        )
    return tuple(seeds)


def _parse_value(value: Any, where: str) -> Value:
    if isinstance(value, list) and all(
        isinstance(item, str | int) and not isinstance(item, bool)
        for item in value
    ):
        return ",".join(map(str, value))
    if not isinstance(value, str | int | float):
        raise ValueError(
            f"{where}: expected a text, a number, true, false, or a list of "
            f"texts or whole numbers. Received: {value!r:.200}"
        )
    return value


def _parse_values(values: Any, where: str) -> tuple[Value, ...]:
    if not isinstance(values, list) or not values:
        raise ValueError(
            f"{where}: expected a list of one or several values. Received: "
            f"{values!r:.200}"
        )
    parsed = tuple(_parse_value(value, where) for value in values)
    texts = [value_text(value) for value in parsed]
    twice = [text for text in texts if texts.count(text) > 1]
    if twice:
        raise ValueError(
            f"{where}: expected each value once. Received: {twice[0]!r:.200} "
            "twice"
        )
    return parsed


def _parse_search(values: Mapping[str, Any], where: str) -> Search | None:
    if "search" not in values:
        return None
    table = _table(values, "search", where)
    where = f"{where}, search"
    _expect_keys(table, _SEARCH_KEYS, where)
    numbers = {}
    for name, least in (("num_trials", 1), ("sampler_seed", 0)):
        number = table.get(name, 0 if name == "sampler_seed" else None)
        if type(number) is not int or not least <= number <= _MAX_SEED // 2:
            raise ValueError(
                f"{where}: expected {name} to be a whole number, at least "
                f"{least}. Received: {name}={number!r:.80}"
            )
        numbers[name] = number
    flags = {
        name: _parse_space(value, f"{where}.flags.{name}")
        for name, value in _table(table, "flags", where).items()
    }
    if not flags:
        raise ValueError(
            f"{where}: expected at least one flag in search.flags. Received: "
            "none"
        )
    return Search(flags=flags, **numbers)


def _parse_space(value: Any, where: str) -> Range | Choices:
    if not isinstance(value, dict):
        return Choices(_parse_values(value, where))
    _expect_keys(value, _RANGE_KEYS, where)
    low, high = value.get("low"), value.get("high")
    log = value.get("log", False)
    right = (
        all(type(end) in (int, float) for end in (low, high))
        and math.isfinite(low)
        and math.isfinite(high)
        and low < high
        and isinstance(log, bool)
        and (low > 0 or not log)
    )
    if not right:
        raise ValueError(
            f"{where}: expected {{low = NUMBER, high = a larger one}}, and log "
            "= true only for numbers above 0. Received: "
            f"low={low!r:.80}, high={high!r:.80}, log={log!r:.80}"
        )
    return Range(low, high, log)


def _check_parts(study: Study, where: str) -> None:
    if study.search is not None and study.grid:
        raise ValueError(
            f"{where}: expected a grid or a search, not both. Received: grid="
            f"{', '.join(study.grid)}, search={', '.join(study.search.flags)}"
        )
    if study.search is None and not (study.grid or study.seeds):
        raise ValueError(
            f"{where}: expected something that differs between runs: a grid, a "
            "search or seeds. Received: none"
        )
    for name in study.named:
        if study.named.count(name) > 1:
            raise ValueError(
                f"{where}: expected each flag in one place, of flags, grid, "
                f"search, and seeds for seed. Received: {name} in two"
            )


def value_text(value: Value) -> str:
    """Writes a value as it is typed after a flag.

    Args:
        value: the value.

    Returns:
        Its text.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)

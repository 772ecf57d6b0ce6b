"""Tests of the search by Optuna: by a stand-in, and by itself if it is there.

The stand-in has what the search uses, under Optuna's names, and refuses the
rest.
"""

import dataclasses
import enum
import sys
import types
from typing import Any

import pytest

from yt8m_compact.studies import search
from yt8m_compact.studies import study_file

SEARCH = study_file.Search(
    flags={
        "kind": study_file.Choices(("dense", "circulant")),
        "rate": study_file.Range(0.001, 1.0, log=True),
        "mixtures": study_file.Range(2, 8),
    },
    num_trials=5,
    sampler_seed=40,
)


@dataclasses.dataclass
class Distribution:
    kind: str
    arguments: dict[str, Any]


def distribution(kind: str):
    return lambda **kwargs: Distribution(kind, kwargs)


class State(enum.Enum):
    COMPLETE = 1
    FAIL = 2


class FakeStudy:
    """Suggests the values of the first trial, and keeps all it is told."""

    made: list["FakeStudy"] = []

    def __init__(self, *, direction: str, sampler: int) -> None:
        self.direction, self.sampler = direction, sampler
        self.trials, self.asked = [], None
        self.made.append(self)

    def add_trial(self, trial: dict[str, Any]) -> None:
        self.trials.append(trial)

    def ask(self, *, fixed_distributions: dict[str, Distribution]):
        self.asked = fixed_distributions
        values = {"kind": "dense", "rate": 0.25, "mixtures": 3}
        return types.SimpleNamespace(params=values)


@pytest.fixture(name="made")
def fixture_made(monkeypatch) -> list[FakeStudy]:
    """The studies that are made of the stand-in."""
    optuna = types.SimpleNamespace(
        create_study=FakeStudy,
        distributions=types.SimpleNamespace(
            CategoricalDistribution=distribution("choice"),
            FloatDistribution=distribution("float"),
            IntDistribution=distribution("int"),
        ),
        logging=types.SimpleNamespace(
            WARNING=30, set_verbosity=lambda level: None
        ),
        samplers=types.SimpleNamespace(TPESampler=lambda *, seed: seed),
        trial=types.SimpleNamespace(
            TrialState=State, create_trial=lambda **kwargs: kwargs
        ),
    )
    monkeypatch.setitem(sys.modules, "optuna", optuna)
    monkeypatch.setattr(FakeStudy, "made", [])
    return FakeStudy.made


def test_what_optuna_is_told(made):
    tried = [
        search.Trial({"kind": "dense", "rate": 0.5, "mixtures": 2}, 0.75),
        search.Trial({"kind": "circulant", "rate": 0.1, "mixtures": 8}, None),
    ]
    values = search.suggest(SEARCH, tried)
    assert values == {"kind": "dense", "rate": 0.25, "mixtures": 3}
    (study,) = made
    assert study.direction == "maximize"
    # A seed of its own for each trial, whatever was asked before.
    assert study.sampler == 42
    spaces = {
        "kind": Distribution("choice", {"choices": ("dense", "circulant")}),
        "rate": Distribution("float", {"low": 0.001, "high": 1.0, "log": True}),
        "mixtures": Distribution("int", {"low": 2, "high": 8, "log": False}),
    }
    assert study.asked == spaces
    assert study.trials == [
        {
            "state": State.COMPLETE,
            "value": 0.75,
            "params": tried[0].values,
            "distributions": spaces,
        },
        {
            "state": State.FAIL,
            "value": None,
            "params": tried[1].values,
            "distributions": spaces,
        },
    ]


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"yt8m_compact\[study\]"):
        search.suggest(SEARCH, [])


def test_optuna_searches():
    tried = []
    for _ in range(25):
        values = search.suggest(SEARCH, tried)
        assert values == search.suggest(SEARCH, tried)
        assert values["kind"] in ("dense", "circulant")
        assert 0.001 <= values["rate"] <= 1.0
        assert values["mixtures"] in range(2, 9)
        score = values["mixtures"] / 8 if values["kind"] == "dense" else None
        tried.append(search.Trial(values, score))
    # It has learnt which of them is best: by chance it were 1 of 7.
    best = [trial.values["mixtures"] for trial in tried[15:]]
    assert sum(number >= 7 for number in best) >= 4

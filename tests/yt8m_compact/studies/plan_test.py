"""Tests of the runs of a study."""

import re

import pytest

import tiny_runs
from yt8m_compact import usage_error
from yt8m_compact.studies import plan
from yt8m_compact.studies import search
from yt8m_compact.studies import study_file


def make_config(values: plan.Values):
    rate = values["base_learning_rate"]
    if rate == 7:
        raise usage_error.UsageError("expected another. Received: 7")
    return tiny_runs.video_config(
        "data*", seed=values.get("seed", 0), base_learning_rate=rate
    )


def make_study(**kwargs) -> study_file.Study:
    return study_file.Study(score_data_pattern="more*", **kwargs)


def test_a_grid_is_all_combinations_in_order():
    study = make_study(
        flags={"num_epochs": 3},
        grid={"base_learning_rate": (0.1, 1), "model": ("a", "b/c (d)")},
        seeds=(5, 6),
    )
    runs = plan.make_plan(study, make_config, "study.toml")
    assert [run.name for run in runs] == [
        "base_learning_rate=0.1-model=a-seed=5",
        "base_learning_rate=0.1-model=a-seed=6",
        "base_learning_rate=0.1-model=b_c_d-seed=5",
        "base_learning_rate=0.1-model=b_c_d-seed=6",
        "base_learning_rate=1-model=a-seed=5",
        "base_learning_rate=1-model=a-seed=6",
        "base_learning_rate=1-model=b_c_d-seed=5",
        "base_learning_rate=1-model=b_c_d-seed=6",
    ]
    assert runs[3].values == {"base_learning_rate": 0.1, "model": "b/c (d)"}
    assert (runs[3].seed, runs[3].config.training.seed) == (6, 6)
    assert runs[7].config.training.base_learning_rate == 1
    assert not runs[0].is_done


def test_names_that_would_be_the_same_or_too_long():
    values = ("a/b", "a_b", "c" * 300, "c" * 299)
    study = make_study(
        flags={"base_learning_rate": 0.1}, grid={"path": values}, seeds=(1,)
    )
    names = [run.name for run in plan.make_plan(study, make_config, "a")]
    assert names[0] == "path=a_b-seed=1"
    assert re.fullmatch(r"path=a_b-seed=1-[0-9a-f]{8}", names[1])
    assert re.fullmatch(r"path=c+-[0-9a-f]{8}-seed=1", names[2])
    assert len(names[2]) == 150
    assert len(set(names)) == 4


def test_a_wrong_value_is_told_with_its_combination_and_kind():
    study = make_study(grid={"base_learning_rate": (1, 7), "a": (True,)})
    message = "Received: 7 (in the run of base_learning_rate=7, a=true)"
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        plan.make_plan(study, make_config, "study.toml")
    study = make_study(flags={"base_learning_rate": 7}, seeds=(1,))
    with pytest.raises(usage_error.UsageError, match="Received: 7$"):
        plan.make_plan(study, make_config, "study.toml")


def test_too_many_runs():
    study = make_study(
        grid={"a": tuple(range(101)), "b": tuple(range(10))},
        seeds=tuple(range(10)),
    )
    message = "study.toml: expected a grid of at most 10,000 runs. Received: 10"
    with pytest.raises(ValueError, match=message):
        plan.make_plan(study, make_config, "study.toml")


@pytest.mark.parametrize(
    "space", [study_file.Range(1, 7), study_file.Choices((1, 7, 2))]
)
def test_ends_and_choices_of_a_search_are_checked(monkeypatch, space):
    monkeypatch.setattr(search, "expect_optuna", lambda: None)
    flags = {"a": study_file.Choices(("b", "c")), "base_learning_rate": space}
    study = make_study(search=study_file.Search(flags, num_trials=3))
    with pytest.raises(ValueError, match=r"run of a=b, base_learning_rate=7\)"):
        plan.make_plan(study, make_config, "study.toml")
    flags["base_learning_rate"] = study_file.Range(1, 6)
    assert plan.make_plan(study, make_config, "study.toml") == []
    assert len(plan.example_configs(study, make_config)) == 3


def test_names_of_trials():
    assert plan.trial_name(7, None) == "trial-0007"
    assert plan.trial_name(12, 3) == "trial-0012-seed=3"

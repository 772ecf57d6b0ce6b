"""Tests of the file of a study."""

import json
import re

import pytest

from yt8m_compact.studies import study_file

GRID = """
score_data_pattern = "data/validate*"
metric = "map"
weights = "average:3"
seeds = [0, 2]

[flags]  # of all runs
feature_names = ["mean_rgb", "mean_audio"]
num_epochs = 3
frame_features = false

[grid]
classifier_projection = ["dense", "low_rank(rank=64)"]
base_learning_rate = [0.01, 1]
"""
SEARCH = """
score_data_pattern = "data/validate*"

[search]
num_trials = 20
sampler_seed = 4

[search.flags]
classifier_projection = ["dense", "circulant"]
base_learning_rate = {low = 1e-3, high = 1, log = true}
moe_num_mixtures = {low = 2, high = 8}
"""


def load(tmp_path, text: str) -> study_file.Study:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return study_file.load_study(str(path))


def test_a_grid(tmp_path):
    study = load(tmp_path, GRID)
    assert study == study_file.Study(
        score_data_pattern="data/validate*",
        metric="map",
        weights="average:3",
        seeds=(0, 2),
        flags={
            "feature_names": "mean_rgb,mean_audio",
            "num_epochs": 3,
            "frame_features": False,
        },
        grid={
            "classifier_projection": ("dense", "low_rank(rank=64)"),
            "base_learning_rate": (0.01, 1),
        },
    )
    assert study.varied == ("classifier_projection", "base_learning_rate")
    assert [*study.named] == [
        "feature_names",
        "num_epochs",
        "frame_features",
        "classifier_projection",
        "base_learning_rate",
        "seed",
    ]


def test_a_search(tmp_path):
    study = load(tmp_path, SEARCH)
    search = study.search
    assert (search.num_trials, search.sampler_seed) == (20, 4)
    assert search.flags == {
        "classifier_projection": study_file.Choices(("dense", "circulant")),
        "base_learning_rate": study_file.Range(1e-3, 1, log=True),
        "moe_num_mixtures": study_file.Range(2, 8),
    }
    whole = [
        space.is_whole
        for space in search.flags.values()
        if isinstance(space, study_file.Range)
    ]
    assert whole == [False, True]
    assert study.metric == "gap"
    assert (study.weights, study.seeds) == ("raw", ())
    assert json.loads(json.dumps(study.to_dict()))["search"]["num_trials"] == 20


def test_seeds_alone_are_a_study(tmp_path):
    study = load(tmp_path, 'score_data_pattern = "a"\nseeds = [1, 2]')
    assert (study.seeds, study.varied) == ((1, 2), ())


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    study = load(tmp_path, 'score_data_pattern = "~/a,~/b"\nseeds = [1]')
    assert study.score_data_pattern == "/home/me/a,/home/me/b"


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (True, "true"), (False, "false"), (3, "3"), (1e-05, "1e-05")],
)
def test_values_are_written_as_they_are_typed(value, text):
    assert study_file.value_text(value) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[flags]", "[flags", "expected a study, in TOML. Received: Expected"),
        ("[flags]", f"a = {'[' * 5000}", "Received: values nested too deeply"),
        ("seeds =", "seed =", "expected the keys score_data_pattern, metric, "),
        ("seeds =", "seed =", "Received: seed; did you mean seeds?"),
        (
            '"data/validate*"',
            "3",
            "expected score_data_pattern, the files th",
        ),
        ('"data/validate*"', '""', "Received: score_data_pattern=''"),
        ('"map"', '"mapp"', "expected metric to be one of gap, hit_at_1,"),
        ('"map"', "[1]", "Received: metric=[1]"),
        (
            '"average:3"',
            '"best"',
            "expected weights to be raw, ema, or ave",
        ),
        ('"average:3"', "3", "Received: weights='3'"),
        ("[0, 2]", "[0, 0]", "expected seeds to be a list of whole numbers"),
        ("[0, 2]", "[true]", "Received: seeds=[True]"),
        ("[0, 2]", "[-1]", "Received: seeds=[-1]"),
        ("[0, 2]", "3", "Received: seeds=3"),
        (
            "[0.01, 1]",
            "[]",
            "grid.base_learning_rate: expected a list of ",
        ),
        ("[0.01, 1]", "0.01", "Received: 0.01"),
        (
            "[0.01, 1]",
            '[1, "1"]',
            "expected each value once. Received: '1'",
        ),
        (
            "[0.01, 1]",
            "[{a = 1}]",
            "expected a text, a number, true, false,",
        ),
        ("= 3", "= 1979-05-27", "flags.num_epochs: expected a text, a number,"),
        (
            "[flags]  # of all runs",
            "[grid.flags]",
            "Received: {'feature",
        ),
        ("num_epochs", "seed", "expected each flag in one place, of flags, "),
        ("num_epochs", "base_learning_rate", "base_learning_rate in two"),
    ],
)
def test_a_wrong_grid(tmp_path, old, new, message):
    assert old in GRID
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load(tmp_path, GRID.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path}/study.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "num_trials = 20",
            "",
            "expected num_trials to be a whole nu",
        ),
        ("num_trials = 20", "num_trials = 0", "Received: num_trials=0"),
        ("seed = 4", "seed = -1", "expected sampler_seed to be a whole number"),
        ("num_trials", "trials", "Received: trials; did you mean num_trials?"),
        ("high = 8", "max = 8", "Received: max"),
        (
            "high = 8",
            "high = 2",
            "expected {low = NUMBER, high = a larger one}",
        ),
        ("high = 8", "high = inf", "Received: low=2, high=inf, log=False"),
        ("high = 8", 'high = "8"', "Received: low=2, high='8', log=False"),
        ("low = 1e-3", "low = 0.0", "log = true only for numbers above 0."),
        ("log = true", "log = 1", "Received: low=0.001, high=1, log=1"),
        ('["dense", "circulant"]', "[]", "expected a list of one or several"),
        (
            "[search]",
            "[grid]\na = [1]\n[search]",
            "a grid or a search, not bo",
        ),
        ("[search]", "[search]\nsearch = 1\n[a]", "Received: a"),
    ],
)
def test_a_wrong_search(tmp_path, old, new, message):
    assert old in SEARCH
    with pytest.raises(ValueError, match=re.escape(message)):
        load(tmp_path, SEARCH.replace(old, new))


def test_tables_that_are_none(tmp_path):
    start = 'score_data_pattern = "a"\n'
    with pytest.raises(ValueError, match="search to be a table of flags"):
        load(tmp_path, f"{start}search = 1")
    with pytest.raises(ValueError, match="grid to be a table of flags"):
        load(tmp_path, f"{start}grid = [1]")


def test_a_search_of_nothing(tmp_path):
    start = SEARCH.partition("[search.flags]")[0]
    with pytest.raises(ValueError, match="at least one flag in search.flags."):
        load(tmp_path, start)


def test_nothing_that_differs(tmp_path):
    with pytest.raises(ValueError, match="a grid, a search or seeds. Received"):
        load(tmp_path, 'score_data_pattern = "a"\n[flags]\nnum_epochs = 1')


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="expected a study, in TOML. Rec"):
        study_file.load_study(str(tmp_path / "missing.toml"))

"""Tests of yt8m-train --study."""

import csv
import os
import re
import sys

import pytest

import project_file
import tiny_runs
from yt8m_compact import studies
from yt8m_compact import usage_error
from yt8m_compact.programs import train
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.studies import runner
from yt8m_compact.studies import study_run
from yt8m_compact.studies import table

STUDY = """
score_data_pattern = "more*"
[flags]
train_data_pattern = "train*"
feature_names = ["mean_rgb", "mean_audio"]
feature_sizes = [6, 3]
num_classes = 5
batch_size = 8
num_epochs = 1
frame_features = false
[grid]
classifier_projection = ["circulant"]
base_learning_rate = [0.01, 0.1]
"""


@pytest.fixture(autouse=True)
def fixture_folder(tmp_path, monkeypatch) -> None:
    """A folder with data and a study, the current one."""
    monkeypatch.chdir(tmp_path)
    tiny_runs.write_videos(".", 16)
    tiny_runs.write_videos(".", 8, name="more", start=16)
    (tmp_path / "study.toml").write_text(STUDY)


def run_train(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(
        train.define_flags, "--train_dir=runs", *arguments
    )
    return train.main(flag_values, [])


@pytest.fixture(name="passed")
def fixture_passed(monkeypatch) -> list:
    """What the library is asked to do, which does nothing."""
    passed = []

    def run_study(*arguments) -> runner.StudyResult:
        passed.append(arguments)
        return runner.StudyResult(tuple(arguments[1]), ("study.txt",), None)

    monkeypatch.setattr(studies, "run_study", run_study)
    return passed


@pytest.mark.slow
def test_a_study(tmp_path, capsys):
    text = STUDY.replace("[0.01, 0.1]", "[0.1]")
    (tmp_path / "study.toml").write_text(text)
    assert run_train("--study=study.toml", "--shuffle_buffer=4") == 0
    name = "classifier_projection=circulant-base_learning_rate=0.1"
    config = train_dir_lib.TrainDir(f"runs/{name}").load_config()
    assert config.training.base_learning_rate == 0.1
    assert config.training.shuffle_buffer == 4
    assert config.data.feature_sizes == (6, 3)
    shown = capsys.readouterr().out
    with open("runs/study.txt") as file:
        text = file.read()
    assert shown.startswith(text)
    assert "written: runs/study.txt, runs/study.csv" in shown
    with open("runs/study.csv") as file:
        rows = list(csv.DictReader(file))
    # A circulant of 9, of which 5 outputs are used, and 5 biases, of 4 bytes.
    assert [(row["run"], row["bytes"]) for row in rows] == [(name, "56")]


@pytest.mark.parametrize(
    ("flag", "received"),
    [
        ("--callbacks=a:b", "callbacks=['a:b']"),
        ("--profile=1,2", "profile=['1', '2']"),
        ("--vocabulary_file=a.csv", "vocabulary_file='a.csv'"),
    ],
)
def test_flags_of_one_run(flag, received):
    name = flag.partition("=")[0]
    with pytest.raises(
        usage_error.UsageError,
        match=re.escape(
            f"expected no {name} with --study, whose runs are many. Received: "
            f"{received}; give it to a run alone"
        ),
    ):
        run_train("--study=study.toml", flag)


def test_flags_are_those_of_the_study_and_of_the_command_line(passed):
    arguments = ("--study=study.toml", "--label_smoothing=0.1", "--seed=7")
    run_train(*arguments)
    study, plan, make_config, path = passed[0]
    assert path == "runs"
    assert study.grid["base_learning_rate"] == (0.01, 0.1)
    assert [run.config.training.base_learning_rate for run in plan] == [
        0.01,
        0.1,
    ]
    for run in plan:
        assert run.config.training.label_smoothing == 0.1
        assert run.config.training.seed == 7
        assert str(run.config.model.classifier_projection) == "circulant"
    values = {**study.flags, "base_learning_rate": 2}
    assert make_config(values).training.base_learning_rate == 2.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "num_epochs",
            "num_epoch",
            "study.toml: expected flags of yt8m-train, but for train_dir, "
            "study, start_new_model, callbacks, profile, vocabulary_file. "
            "Received: num_epoch; did you mean num_epochs?",
        ),
        ("num_epochs = 1", 'train_dir = "a"', "Received: train_dir"),
        (
            "batch_size = 8",
            'batch_size = "a"',
            "study.toml: flag --batch_size=a: invalid literal",
        ),
        (
            "[0.01, 0.1]",
            "[0.01, -1]",
            "expected --base_learning_rate to be above 0.0. Received: "
            "base_learning_rate=-1.0 (in the run of classifier_projection="
            "circulant, base_learning_rate=-1)",
        ),
        (
            '["circulant"]',
            '["circulnt"]',
            "--classifier_projection: expected a structure, one of",
        ),
        (
            "num_epochs = 1",
            "dbof_cluster_size = 8",
            "--dbof_cluster_size is not used by LogisticModel: expected",
        ),
        ("[0.01, 0.1]", "[]", "expected a list of one or several values"),
    ],
)
def test_what_is_wrong_is_told_before_the_first_run(
    tmp_path, passed, old, new, message
):
    assert old in STUDY
    (tmp_path / "study.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_train("--study=study.toml")
    assert passed == []


def test_files_that_are_missing(tmp_path, passed):
    with pytest.raises(usage_error.UsageError, match="a study, in TOML. Rec"):
        run_train("--study=missing.toml")
    for old, new in (("more*", "mor.*"), ("train*", "trin*")):
        (tmp_path / "study.toml").write_text(STUDY.replace(old, new))
        with pytest.raises(ValueError, match="no file matches the pattern"):
            run_train("--study=study.toml")
    assert passed == []


def test_a_flag_that_is_given_twice(passed):
    message = "expected num_epochs in study.toml or --num_epochs, not both. Rec"
    with pytest.raises(usage_error.UsageError, match=message):
        run_train("--study=study.toml", "--num_epochs=1")


def test_a_new_model(passed):
    with pytest.raises(usage_error.UsageError, match="no --start_new_model"):
        run_train("--study=study.toml", "--start_new_model")


def test_a_search_without_optuna(tmp_path, passed, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    start = STUDY.partition("[grid]")[0]
    text = f"{start}[search]\nnum_trials=2\n[search.flags]\nseed=[1, 2]\n"
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(ValueError, match=r"pip install \"yt8m_compact\[study"):
        run_train("--study=study.toml")


def make_run(**kwargs) -> study_run.StudyRun:
    values = {"classifier_projection": "circulant", "base_learning_rate": 0.1}
    return study_run.StudyRun("a", values, None, None, **kwargs)


@pytest.mark.parametrize(
    ("run", "number", "status", "end"),
    [
        (make_run(), 15, 143, "by signal 15; the same command continues\n"),
        (make_run(error="it diverged"), None, 1, "written: a, b\n"),
    ],
)
def test_ends(monkeypatch, capsys, run, number, status, end):
    result = runner.StudyResult((run,), ("a", "b"), number)
    monkeypatch.setattr(studies, "run_study", lambda *arguments: result)
    assert run_train("--study=study.toml") == status
    assert capsys.readouterr().out.endswith(end)


def test_no_plot_is_told(monkeypatch, capsys, passed):
    monkeypatch.setattr(studies, "can_plot", lambda: False)
    run_train("--study=study.toml")
    assert 'no plot: it needs pip install "yt8m_compact[plot]"' in (
        capsys.readouterr().out
    )


def _examples() -> list[str]:
    text = (project_file.ROOT / "docs" / "training.md").read_text()
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def _write_example(*changes: tuple[str, str]) -> None:
    """Writes the example of the docs, for the small data."""
    example, _ = _examples()
    for old, new in (
        ("data/", ""),
        ("validate*", "more*"),
        ("[1024, 128]", "[6, 3]"),
        ("rank=64", "rank=2"),
        *changes,
    ):
        assert old in example
        example = example.replace(old, new)
    with open("study.toml", "w") as file:
        file.write(example)


def test_the_example_of_the_docs_is_a_study(passed):
    _write_example()
    run_train("--study=study.toml", "--num_classes=5")
    assert len(passed[0][1]) == 3 * 2 * 2


@pytest.mark.slow
def test_the_example_of_the_docs_runs(tmp_path, capsys):
    # One of the 3 structures, one of the 2 rates.
    _write_example(('"dense", "low_rank(rank=2)", ', ""), ("[0.005, ", "["))
    assert run_train("--study=study.toml", "--num_classes=5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == [
        "classifier_projection",
        "base_learning_rate",
        "runs",
        "GAP@20",
    ]
    assert len(list(tmp_path.glob("runs/*/study_run.json"))) == 2
    assert os.path.exists("runs/study.csv")


def test_the_search_of_the_docs_is_one(tmp_path):
    grid, search = _examples()
    text = grid.partition("# All combinations")[0] + search
    (tmp_path / "study.toml").write_text(text)
    study = studies.load_study("study.toml")
    assert study.search.num_trials == 20
    assert study.search.flags["moe_num_mixtures"].is_whole
    assert set(study.named) <= {
        *tiny_runs.parse_flags(train.define_flags, "--train_dir=a"),
    }
    assert table.metric_name(study.metric) == "GAP@20"

"""Tests of what the benchmark of levers trains and prints."""

import dataclasses
import pathlib

import pytest

from benchmarks import levers
from benchmarks.front import cases
from benchmarks.front import data_sets

_YT8M = levers.DATA_SETS[cases.YT8M]
_ROW = levers.Row(
    data=cases.YT8M,
    split="test",
    lever="none",
    flags="--base_learning_rate=0.001",
    weights="raw",
    seed=0,
    gap=0.7,
    hit_at_1=0.8,
    perr=0.6,
    map=0.3,
    steps=720,
    date="2026-11-26",
)


@pytest.fixture(autouse=True)
def no_records(monkeypatch):
    """No records are at hand: AudioSet's are not split."""
    monkeypatch.setattr(
        data_sets.split_lib, "split_records", lambda *args, **kwargs: None
    )


@pytest.mark.parametrize(
    "data, lever",
    [
        pytest.param(data, lever, id=f"{data.name}-{lever.name}")
        for data in levers.DATA_SETS.values()
        for lever in data.levers
    ],
)
def test_flags_of_each_choice_are_valid(data, lever, monkeypatch, tmp_path):
    trained = {}
    experiment = levers.Levers(data, tmp_path, tmp_path, tmp_path / "rows.csv")
    monkeypatch.setattr(
        experiment,
        "_train",
        lambda split, values, seed, folder, length: trained.update(
            {folder: values}
        ),
    )
    monkeypatch.setattr(experiment, "_choose", lambda one: one.choices[1])
    # The first is the baseline, whose rate the others have.
    rates = {"base_learning_rate": "0.001"}
    assert (lever.teachers is not None) == ("teacher" in lever.flags)
    teachers = ""
    if lever.teachers is not None:
        found = [*experiment._teachers_of("test", lever.teachers)]
        assert len({*found}) == 2 and found == [*trained][-2:]
        for folder in found:
            values = {**lever.teachers.flags, **lever.teachers.choices[1]}
            if lever.teachers.teachers is not None:
                values["teacher"] = ",".join(map(str, [*trained][:2]))
            assert trained[folder] == values
        teachers = ",".join(map(str, found))
    for choice in lever.choices:
        values = {**rates, **lever.flags, **choice}
        if "teacher" in values:
            values["teacher"] = teachers
        config = experiment._config("test", values, 2, lever.length)
        config.model.check_options()
        config.training.check_options()
        assert config.training.seed == 2
        steps = data.num_steps["test"] * lever.length
        assert config.training.max_steps * config.training.batch_size == (
            256 * steps
        )
        if lever.flags.get("learning_rate_schedule") == "cosine":
            assert config.training.schedule_steps == steps


def test_rows_are_kept_and_measured_once(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    rows = [dataclasses.replace(_ROW, seed=seed) for seed in range(3)]
    levers.write_rows(path, rows)
    assert levers.read_rows(path) == rows
    experiment = levers.Levers(_YT8M, tmp_path, tmp_path, path)
    # All that it asks for is there, so that nothing is trained.
    monkeypatch.setattr(experiment, "_train", None)
    lever = dataclasses.replace(
        levers.BASELINE, choices=({"base_learning_rate": "0.001"},)
    )
    monkeypatch.setattr(levers, "BASELINE", lever)
    experiment.run((lever,))
    assert levers.read_rows(path) == rows


def test_rows_are_in_the_order_of_the_levers(tmp_path):
    rows = [
        dataclasses.replace(_ROW, data=data, split=split, lever=lever)
        for data in (cases.YT8M, cases.AUDIOSET)
        for lever in ("none", "Lion", "two teachers")
        for split in ("tuning", "test")
    ]
    path = tmp_path / "rows.csv"
    levers.write_rows(path, rows[::-1])
    assert levers.read_rows(path) == rows


def test_table_of_the_other_metric():
    rows = [
        dataclasses.replace(_ROW, data=cases.AUDIOSET, map=0.31),
        dataclasses.replace(
            _ROW, data=cases.AUDIOSET, lever="Lion", gap=0.5, map=0.33
        ),
        dataclasses.replace(_ROW, lever="Muon", map=0.9),
    ]
    lines = levers.table(rows, levers.DATA_SETS[cases.AUDIOSET]).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0][3:] == ["MAP", "gain", "of seeds", "GAP@20"]
    assert cells[3][0] == "Lion"
    assert cells[3][3:] == [".3300", "+.0200", "+.0200 to +.0200", ".5000"]
    assert len(cells) == 4


def test_table():
    rows = [
        dataclasses.replace(_ROW, gap=0.70),
        dataclasses.replace(_ROW, gap=0.72, seed=1),
        dataclasses.replace(_ROW, lever="mixup", gap=0.71, map=0.4, flags="-x"),
        dataclasses.replace(
            _ROW, lever="mixup", gap=0.75, seed=1, map=0.5, flags="-x"
        ),
        dataclasses.replace(_ROW, split="tuning", lever="mixup", gap=0.9),
    ]
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in levers.table(rows, _YT8M).splitlines()
    ]
    assert cells[2][2:] == ["2", ".7100", "+.0000", "+.0000 to +.0000", ".3000"]
    assert cells[3] == [
        "mixup",
        "`-x`",
        "2",
        ".7300",
        "+.0200",
        "+.0100 to +.0300",
        ".4500",
    ]
    assert len(cells) == 4


def test_wrong_name(monkeypatch, capsys):
    # Of the other data set; of none.
    arguments = ["levers", "--output_csv=x.csv", "--levers=Muon,mixup,Adamm"]
    arguments.append("--data=audioset")
    folders = ["--data_dir=data", "--work_dir=work"]
    monkeypatch.setattr("sys.argv", [*arguments, *folders])
    monkeypatch.setattr(
        pathlib.Path, "mkdir", lambda *args, **kwargs: pytest.fail("made")
    )
    with pytest.raises(SystemExit, match="2"):
        levers.main()
    assert "Received: mixup, Adamm" in capsys.readouterr().err

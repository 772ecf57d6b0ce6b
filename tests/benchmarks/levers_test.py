"""Tests of what the benchmark of levers trains and prints."""

import dataclasses
import pathlib

import pytest

from benchmarks import levers

_ROW = levers.Row(
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


@pytest.mark.parametrize("lever", levers.LEVERS, ids=lambda lever: lever.name)
def test_flags_of_each_choice_are_valid(lever, monkeypatch, tmp_path):
    trained = {}
    experiment = levers.Levers(tmp_path, tmp_path, tmp_path / "rows.csv")
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
        steps = 720 * lever.length
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
    experiment = levers.Levers(tmp_path, tmp_path, path)
    # All that it asks for is there, so that nothing is trained.
    monkeypatch.setattr(experiment, "_train", None)
    lever = dataclasses.replace(
        levers.BASELINE, choices=({"base_learning_rate": "0.001"},)
    )
    monkeypatch.setattr(levers, "BASELINE", lever)
    experiment.run((lever,))
    assert levers.read_rows(path) == rows


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
        for line in levers.table(rows).splitlines()
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
    arguments = ["levers", "--output_csv=x.csv", "--levers=mixup,Adamm"]
    folders = ["--data_dir=data", "--work_dir=work"]
    monkeypatch.setattr("sys.argv", [*arguments, *folders])
    monkeypatch.setattr(
        pathlib.Path, "mkdir", lambda *args, **kwargs: pytest.fail("made")
    )
    with pytest.raises(SystemExit, match="2"):
        levers.main()
    assert "Received: mixup,Adamm" in capsys.readouterr().err

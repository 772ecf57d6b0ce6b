"""Tests of the compression front, on tiny data and models."""

import dataclasses
import os

import numpy as np
import pytest

from benchmarks import compression_front
from benchmarks.front import cases
from benchmarks.front import data_sets
from benchmarks.front import experiment
from benchmarks.front import results
import tiny_runs
from yt8m_compact import models
from yt8m_compact.compression import clustering
from yt8m_compact.compression import deep_compression
from yt8m_compact.run import train_dir as train_dir_lib


def _tiny(family, precision, start=None, **kwargs):
    model = models.MlpConfig(
        **{
            "mlp_hidden_size": 8,
            "classifier_projection": "low_rank(rank=2)",
            "drop_rate": 0.0,
            **kwargs.pop("model", {}),
        }
    )
    if precision != "float32":
        model = cases.with_precision(model, cases.PRECISIONS[precision])
    name = f"{family}/1@{precision}"
    return cases.Case(
        cases.YT8M, family, name, precision, model, start=start, **kwargs
    )


def _tiny_cases():
    teacher = _tiny("teacher", "float32", length=2.0)
    mean = cases.Case(
        cases.YT8M,
        "teacher",
        "teacher/mean",
        "float32",
        teacher.model,
        members=(teacher, teacher),
    )
    floats = _tiny("dense", "float32")
    rounded = _tiny("dense", "int4", floats, is_rounded=True)
    trained = _tiny("dense", "binary", floats, is_aimed=True)
    pruned = _tiny(
        "deep_compression",
        "float32",
        floats,
        training={"pruning_density": 0.5, "pruning_steps": 2},
        model={"classifier_projection": "dense"},
    )
    coded = dataclasses.replace(
        pruned,
        name="deep_compression/1@coded",
        precision="coded",
        training={},
        start=pruned,
        num_clusters=4,
    )
    return [teacher, mean, floats, rounded, trained, pruned, coded]


@pytest.fixture
def tiny_front(monkeypatch, tmp_path):
    """Has the program measure tiny models; returns its command line."""
    train = tiny_runs.write_videos(tmp_path / "train")
    evaluate = tiny_runs.write_videos(tmp_path / "eval", 20, start=40)
    config = tiny_runs.video_config(train, max_steps=3)

    def make(name, split, data_dir, work_dir, num_steps):
        assert (name, split, data_dir) == ("yt8m", "validation", "DATA")
        return data_sets.DataSet(
            name=name,
            split=split,
            metric="gap",
            config=config.data,
            train_pattern=train,
            eval_pattern=evaluate,
            training=config.training,
            teacher_weight=0.9,
        )

    monkeypatch.setattr(data_sets, "make", make)
    monkeypatch.setattr(cases, "all_cases", _tiny_cases)
    monkeypatch.setattr(cases, "teachers", lambda data: _tiny_cases()[:1])
    return [
        "--data=yt8m",
        "--split=validation",
        f"--output_csv={tmp_path}/front.csv",
        "--data_dir=DATA",
        f"--work_dir={tmp_path}/work",
    ]


@pytest.mark.slow
def test_measures_what_is_not_there_and_shows_it(tiny_front, tmp_path, capsys):
    path = tmp_path / "front.csv"
    compression_front.main([*tiny_front, "--cases=teacher|@int4"])
    names = [row.case for row in results.read(path)]
    assert names == ["teacher/1@float32", "teacher/mean", "dense/1@int4"]
    folder = tmp_path / "work" / "yt8m_validation"
    # What others start from and learn from is kept, and no run.
    assert sorted(os.listdir(folder)) == [
        "dense_1@float32_seed0",
        "dense_1@int4_seed0",
        "teacher_1@float32_seed0",
        "teacher_1@float32_seed0.scores",
    ]
    before = path.read_text()
    times = {
        entry: os.stat(folder / entry).st_mtime_ns for entry in folder.iterdir()
    }
    picture = tmp_path / "front.png"
    capsys.readouterr()
    arguments = [*tiny_front, f"--plot={picture}", "--table"]
    compression_front.main([*arguments, "--cases=teacher|dense"])
    assert path.read_text().startswith(before)
    for entry, time in times.items():
        assert os.stat(entry).st_mtime_ns == time
    rows = {row.case: row for row in results.read(path)}
    assert list(rows)[3:] == ["dense/1@float32", "dense/1@binary"]
    floats, rounded = rows["dense/1@float32"], rows["dense/1@int4"]
    # 9 x 8 and 2 (8 + 5) weights, 4 vectors of 8 of batch norm, and a bias.
    assert floats.weights == rounded.weights == 72 + 26 + 32 + 5
    packed = folder / "dense_1@int4_seed0"
    assert rounded.bytes == sum(
        (packed / name).stat().st_size
        for name in ("config.json", "weights.safetensors")
    )
    assert rounded.low < rounded.value == rounded.gap < rounded.high
    assert rounded.row_ms > 0
    assert rounded.steps == 3 and rows["teacher/1@float32"].steps == 6
    # The mean of one and the same.
    assert rows["teacher/mean"].value == rows["teacher/1@float32"].value
    assert picture.stat().st_size > 10_000
    assert "| dense/1 " in capsys.readouterr().out
    compression_front.main([*tiny_front, "--budget_cases", "--seeds=1,2"])
    assert [(row.case, row.seed) for row in results.read(path)[5:]] == [
        ("dense/1@binary", 1),
        ("dense/1@binary", 2),
    ]


@pytest.mark.slow
def test_deep_compression_counts_the_bytes_of_its_code(tiny_front, tmp_path):
    compression_front.main(
        [
            *tiny_front,
            "--cases=^deep_compression|^dense.*float32",
            f"--plot={tmp_path}/front.png",
        ]
    )
    rows = {
        row.precision: row
        for row in results.read(tmp_path / "front.csv")
        if row.family == "deep_compression"
    }
    folder = tmp_path / "work" / "yt8m_validation"
    models_of = {}
    for precision in ("float32", "coded"):
        path = str(folder / f"deep_compression_1@{precision}_seed0")
        _, model, _ = train_dir_lib.TrainDir(path).restore_model()
        models_of[precision] = model
    saved = 0
    for name, size in (("hidden_0", 9 * 8), ("classifier", 8 * 5)):
        before, after = (
            model.get_layer(name).kernel.numpy() for model in models_of.values()
        )
        # Half is 0 after pruning, and what is left shares four values.
        assert np.count_nonzero(before) == size // 2
        np.testing.assert_array_equal(after != 0, before != 0)
        kept = before[before != 0]
        codes, centers = clustering.cluster(kept, 4)
        np.testing.assert_allclose(after[after != 0], centers[codes], rtol=1e-6)
        coded = deep_compression.deep_compress(
            {name: before}, density=0.5, num_clusters=4
        )
        saved += 4 * size - coded[name].coded_bytes
    assert saved > 0
    shipped = sum(
        (folder / "deep_compression_1@coded_seed0" / name).stat().st_size
        for name in ("config.json", "weights.safetensors")
    )
    assert rows["coded"].bytes == shipped - saved
    assert rows["float32"].steps == rows["coded"].steps == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--data=imagenet"], "yt8m, audioset. Received: imagenet"),
        (["--data_dir=DATA"], "--data_dir and --work_dir, or none"),
    ],
)
def test_wrong_command_lines(arguments, message, capsys):
    with pytest.raises(SystemExit):
        compression_front.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_what_a_signal_stops_is_not_measured(tiny_front, tmp_path, monkeypatch):
    train = experiment.training.train
    monkeypatch.setattr(
        experiment.training,
        "train",
        lambda *args: dataclasses.replace(train(*args), signal_number=15),
    )
    with pytest.raises(SystemExit) as stopped:
        compression_front.main([*tiny_front, "--cases=^teacher/1"])
    assert stopped.value.code == 143
    assert results.read(tmp_path / "front.csv") == []
    folder = tmp_path / "work" / "yt8m_validation"
    assert os.listdir(folder) == ["teacher_1@float32_seed0.run"]

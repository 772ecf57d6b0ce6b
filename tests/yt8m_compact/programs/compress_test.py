"""Tests of yt8m-compress."""

import functools
import json
import re
import shutil
import signal

import pytest

import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluation
from yt8m_compact.programs import compress
from yt8m_compact.run import train_dir as train_dir_lib


@functools.cache
def frame_run() -> tiny_runs.Run:
    """A trained DBoF of dense places, with batch norm, and data in 5 files."""
    folder = tiny_runs.make_folder()
    pattern = tiny_runs.write_frames(folder / "data", 40, num_files=5)
    config = tiny_runs.frame_config(
        pattern, tiny_runs.dbof_config(fc_projection="dense"), num_epochs=1
    )
    path = str(folder / "run")
    training.train(config, path)
    return tiny_runs.Run(path, pattern, config)


def run_compress(output_dir, *arguments: str) -> int:
    run = frame_run()
    flag_values = tiny_runs.parse_flags(
        compress.define_flags,
        f"--train_dir={run.path}",
        f"--train_data_pattern={run.pattern}",
        f"--output_dir={output_dir}",
        "--structures=low_rank(rank=2), dense",
        "--precisions=int8, int4(block_size=4)",
        "--num_sample_videos=8",
        "--num_epochs=1",
        *arguments,
    )
    return compress.main(flag_values, [])


@pytest.mark.slow
def test_a_folder_that_can_not_be_written_is_told_early():
    with pytest.raises(
        usage_error.UsageError, match="expected --output_dir to be a folder th"
    ):
        run_compress("/proc/compact", "--budget=100KB")


def test_preset_that_there_is_not():
    flag_values = tiny_runs.parse_flags(
        compress.define_flags,
        "--train_dir=preset:nope",
        "--train_data_pattern=x",
        "--output_dir=y",
        "--budget=100KB",
    )
    with pytest.raises(
        usage_error.UsageError, match="expected a preset, .*preset='nope'"
    ):
        compress.main(flag_values, [])


@pytest.mark.slow
def test_a_frame_level_run(tmp_path, capsys):
    more = tiny_runs.write_frames(tmp_path / "more", 12, start=40)
    arguments = ("--budget=3500B", f"--eval_data_pattern={more}")
    small = tmp_path / "small"
    assert run_compress(small, *arguments, "--dry_run") == 0
    chosen = capsys.readouterr().out
    assert "embedding_projection" in chosen and "budget: 3,500" in chosen
    assert "fine-tuning" not in chosen
    assert not train_dir_lib.TrainDir(str(small)).exists()
    assert run_compress(small, *arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(chosen.rstrip("\n"))
    with open(small / "compression.txt") as file:
        table = file.read()
    assert table in shown
    assert (small / "packed" / "weights.safetensors").stat().st_size <= 3500
    # To the last digit what yt8m-eval says.
    with open(small / "compression.json") as file:
        scores = json.load(file)["scores"]
    for stage, path in (("before", frame_run().path), ("tuned", str(small))):
        metrics = evaluation.evaluate_run(path, more).metrics
        assert scores[stage] == {k: metrics[k] for k in scores[stage]}
    assert scores["projected"]["gap"] != scores["before"]["gap"]
    rows = [line.split() for line in table.splitlines()]
    (row,) = [row for row in rows if row[:2] == ["after", "fine-tuning"]]
    assert row[2] == f"{scores['tuned']['gap']:.4f}"
    # Once more: the table alone.
    assert run_compress(small, *arguments) == 0
    assert capsys.readouterr().out.count("embedding_projection") == 1


@functools.cache
def mlp_run() -> tiny_runs.Run:
    """A trained MLP of 16 hidden units, and data in 5 files."""
    folder = tiny_runs.make_folder()
    pattern = tiny_runs.write_videos(folder / "data", 40, num_files=5)
    config = tiny_runs.video_config(
        pattern,
        models.MlpConfig(mlp_hidden_size=16),
        base_learning_rate=0.02,
        num_epochs=3,
    )
    path = str(folder / "run")
    training.train(config, path)
    return tiny_runs.Run(path, pattern, config)


def run_with_gates(output_dir) -> int:
    flag_values = tiny_runs.parse_flags(
        compress.define_flags,
        f"--train_dir={mlp_run().path}",
        f"--train_data_pattern={mlp_run().pattern}",
        f"--output_dir={output_dir}",
        "--budget=1200B",
        "--structures=dense",
        "--precisions=int8",
        "--unit_penalty=0.002",
        "--unit_epochs=3",
        "--num_epochs=1",
    )
    return compress.main(flag_values, [])


@pytest.mark.slow
def test_hidden_units_are_dropped(tmp_path, capsys):
    assert run_with_gates(tmp_path) == 0
    shown = capsys.readouterr().out
    number, left = map(
        int,
        re.search(
            r"hidden units: 16, of which (\d+) are needed; (\d+)", shown
        ).groups(),
    )
    assert number == left < 16
    for path, units in ((tmp_path, left), (tmp_path / "gates", 16)):
        run = train_dir_lib.TrainDir(str(path))
        assert run.load_config().model.mlp_hidden_size == units
    assert "without units" in shown and "after fine-tuning" in shown
    assert (tmp_path / "packed" / "weights.safetensors").stat().st_size <= 1200
    # Each is evaluated while it is trained, in its own folder.
    assert (tmp_path / "gates" / "evaluations.json").exists()


@pytest.mark.slow
def test_a_signal_while_gates_learn(tmp_path, capsys, monkeypatch):
    mlp_run()
    result = training.TrainingResult(3, 0, "ckpt-3", signal.SIGINT)
    monkeypatch.setattr(training, "train", lambda *args, **kwargs: result)
    assert run_with_gates(tmp_path) == 128 + signal.SIGINT
    assert capsys.readouterr().out == (
        "stopped by signal 2 at step 3; saved ckpt-3; the same command "
        "continues\n"
    )


@pytest.mark.slow
def test_a_signal(tmp_path, capsys, monkeypatch):
    frame_run()  # By the real thing.
    result = training.TrainingResult(3, 0, "ckpt-3", signal.SIGINT)
    monkeypatch.setattr(training, "train", lambda *args, **kwargs: result)
    assert run_compress(tmp_path, "--budget=3500B") == 128 + signal.SIGINT
    assert capsys.readouterr().out.endswith(
        "stopped by signal 2 at step 3; saved ckpt-3; the same command "
        "continues\n"
    )


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--budget=1", "expected budget to be a number and a unit"),
        ("--structures=rank", "expected a structure, one of dense"),
        ("--precisions=int5", "expected a precision, one of float32"),
        ("--precisions=", "expected precisions, comma-separated"),
        ("--teacher_weight=0", "expected teacher_weight to be above 0"),
        ("--base_learning_rate=-1", "expected base_learning_rate to be above"),
        ("--weights=best", "expected weights to be raw, ema, or average:N"),
        ("--train_data_pattern=", "expected --train_data_pattern"),
        ("--unit_penalty=0.1", "expected an MlpModel, to drop hidden units"),
    ],
)
def test_flags_that_are_wrong(tmp_path, flag, message):
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_compress(tmp_path, "--budget=1MB", flag)


def test_a_teacher_that_there_is_not(tmp_path):
    with pytest.raises(readers.DataError, match="matches .*'none.scores'"):
        run_compress(
            tmp_path / "small", "--budget=1MB", "--teacher=none.scores"
        )
    assert not (tmp_path / "small").exists()


@pytest.mark.slow
def test_real_videos(tmp_path, shared_data, capsys):
    """A dense model of real data in a fifth of its bytes, nearly as good."""
    files = [
        shared_data / f"yt8m_2018_video/validate000{n}.tfrecord"
        for n in range(6)
    ]
    for number, file in enumerate(files):
        shutil.copy(file, tmp_path / f"train{number}.tfrecord")
    config = tiny_runs.video_config(
        str(tmp_path / "train*"), models.LogisticConfig(), num_epochs=3
    )
    data = {
        "feature_names": ("mean_rgb", "mean_audio"),
        "feature_sizes": (1024, 128),
    }
    config = type(config)(
        data=type(config.data)(**data),
        model=config.model,
        training=config.training,
    )
    config = tiny_runs.change_training(config, batch_size=64)
    training.train(config, str(tmp_path / "run"))
    flag_values = tiny_runs.parse_flags(
        compress.define_flags,
        f"--train_dir={tmp_path}/run",
        f"--train_data_pattern={tmp_path}/train*",
        f"--output_dir={tmp_path}/small",
        "--structures=low_rank(rank=16), dense",
        "--precisions=int8, int4",
        "--budget=3.6MB",
        "--num_epochs=1",
    )
    assert compress.main(flag_values, []) == 0
    with open(tmp_path / "small" / "compression.json") as file:
        plan = json.load(file)
    assert plan["choice"]["structures"] == {
        "classifier_projection": "dense@int4"
    }
    scores = plan["scores"]
    assert scores["projected"]["gap"] > 0.97 * scores["before"]["gap"] > 0.2
    assert scores["tuned"]["gap"] > 0.97 * scores["before"]["gap"]

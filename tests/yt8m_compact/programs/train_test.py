"""Tests of yt8m-train."""

import os
import re
import signal
import sys
import time

from absl import flags
import numpy as np
import pytest

import prepared_data
import tiny_runs
from yt8m_compact import training
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import train
from yt8m_compact.run import train_dir as train_dir_lib


def run_train(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(train.define_flags, *arguments)
    return train.main(flag_values, [])


def test_preset_that_there_is_not():
    with pytest.raises(
        usage_error.UsageError, match="expected a preset, .*preset='nope'"
    ):
        run_train(
            "--train_dir=run",
            "--train_data_pattern=x",
            "--init_from=preset:nope",
        )


@pytest.mark.slow
def test_train(tmp_path, capsys):
    pattern = tiny_runs.write_videos(tmp_path / "data", 16)
    config = tiny_runs.video_config(pattern, num_epochs=1)
    path = f"{tmp_path}/run"
    arguments = [f"--train_dir={path}", *tiny_runs.training_flags(config)]
    assert run_train(*arguments) == 0
    assert train_dir_lib.TrainDir(path).load_config() == config
    done = (
        f"done: step 2, epoch 1, {path}/checkpoints/model.ckpt-2\n"
        f"evaluate: yt8m-eval --train_dir={path} --eval_data_pattern=...\n"
        f"watch: tensorboard --logdir {path}\n"
    )
    assert capsys.readouterr().out.endswith(done)
    # Once more: there is nothing left to do.
    assert run_train(*arguments) == 0
    assert capsys.readouterr().out == done
    assert run_train(*arguments, "--start_new_model", "--seed=1") == 0
    assert train_dir_lib.TrainDir(path).load_config().training.seed == 1
    assert len(list(tmp_path.glob("run.before-*"))) == 1


@pytest.mark.slow
def test_what_a_run_starts_from_is_printed(tmp_path, capsys):
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(
        run.config, init_from=run.path, max_steps=1
    )
    arguments = tiny_runs.training_flags(config)
    assert run_train(f"--train_dir={tmp_path}/run", *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"started from {run.path}:"
    assert lines[1].split() == "place weights were now norm kept".split()
    assert lines[2].split() == (
        "gates copied [9, 15] circulant [9, 15] circulant 1.0000".split()
    )
    assert lines[5].startswith("done: step 1")


@pytest.mark.slow
def test_what_is_left_out_of_the_data_is_printed(tmp_path, capsys):
    pattern = tiny_runs.write_videos(tmp_path / "data", 16)
    path = tmp_path / "data" / "train1.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    config = tiny_runs.video_config(pattern, num_epochs=1, on_data_error="skip")
    arguments = tiny_runs.training_flags(config)
    assert run_train(f"--train_dir={tmp_path}/run", *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "left out of the data:"
    assert lines[1].split() == "file records skipped bytes of its end".split()
    assert lines[3].startswith(f"{path} ")
    assert lines[4] == "first reasons:"
    assert lines[5].startswith(f"{path}: The record takes ")
    assert lines[6].startswith("done: step ")


@pytest.mark.slow
def test_data_of_tensorflow_datasets(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    splits = {"train": [12, 13], "validation": [5]}
    folder = prepared_data.write_prepared(tmp_path, splits)
    data = "--data=tfds:youtube8m/video_level"
    rest = ("--batch_size=5", "--num_epochs=1")
    assert run_train(f"--train_dir={tmp_path}/a", data, *rest) == 0
    assert "done: step 5, " in capsys.readouterr().out
    config = train_dir_lib.TrainDir(f"{tmp_path}/a").load_config()
    assert config.data.feature_names == ("mean_rgb", "mean_audio")
    # The same files by their names, and all flags: the same weights.
    files = f"--train_data_pattern={folder}/youtube8m-train*"
    features = (
        "--feature_names=mean_rgb,mean_audio",
        "--feature_sizes=6,3",
        "--num_classes=10",
    )
    other = f"--train_dir={tmp_path}/b"
    assert run_train(other, files, *features, *rest) == 0
    models = [
        train_dir_lib.TrainDir(f"{tmp_path}/{name}").restore_model(None)[1]
        for name in "ab"
    ]
    for one, two in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_array_equal(one, two)
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags, f"--train_dir={tmp_path}/a", data
    )
    capsys.readouterr()
    assert evaluate.main(flag_values, []) == 0
    # The validation split, not the train split.
    assert re.search(r"^videos +5$", capsys.readouterr().out, re.MULTILINE)


CALLBACKS = """
import keras

class Printer(keras.callbacks.Callback):
    def on_test_end(self, logs=None):
        print("validation", sorted(logs), flush=True)

def make(config):
    print("batch", config.training.batch_size)
    return Printer()
"""


@pytest.mark.slow
def test_watched(tmp_path, capsys, monkeypatch):
    """Evaluated, stopped early, profiled, with callbacks and class names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "printing.py").write_text(CALLBACKS)
    (tmp_path / "names.csv").write_text("index,name\n0,Zebra\n1,Yak\n")
    pattern = tiny_runs.write_videos(tmp_path / "data", 16)
    others = tiny_runs.write_videos(tmp_path / "data", 8, name="validate")
    config = tiny_runs.video_config(
        pattern,
        eval_data_pattern=others,
        eval_steps=1,
        eval_weights="ema",
        ema_momentum=0.9,
        early_stopping="gap",
        patience=2,
        # The weights stay as they are: no evaluation is better.
        base_learning_rate=1e-30,
    )
    path = f"{tmp_path}/run"
    arguments = [
        f"--train_dir={path}",
        "--callbacks=printing:make",
        "--vocabulary_file=names.csv",
        "--profile=1,2",
        *tiny_runs.training_flags(config),
    ]
    assert run_train(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["gap", "hit_at_1", "loss", "map", "perr"]
    assert lines[:4] == ["batch 8", *[f"validation {names}"] * 3]
    assert re.fullmatch(
        r"stopped early; best gap 0\.\d{4} at step 1: --checkpoint_step=best "
        "--weights=ema",
        lines[4],
    )
    assert lines[5].startswith("done: step 3, epoch 1, ")
    (_, table) = tiny_runs.read_events(f"{path}/validation/ema")["samples"][0]
    assert "Zebra" in table
    assert "Yak" in table
    assert os.path.isdir(f"{path}/train/plugins/profile")
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        f"--train_dir={path}",
        f"--eval_data_pattern={others}",
        "--checkpoint_step=best",
    )
    assert evaluate.main(flag_values, []) == 0
    assert f"of {path}, step 1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--profile=5"],
            "expected --profile to be START,END, the first and the last step "
            "of the profile. Received: profile=5",
        ),
        (["--profile=5,3"], "Received: profile=5,3"),
        (["--profile=0,3"], "whole numbers above 0. Received: profile='0,3'"),
        (
            ["--callbacks=nothing"],
            "expected callbacks to be module:function of Python, such as "
            "my_callbacks:make. Received: 'nothing'",
        ),
        (
            ["--early_stopping=gap"],
            "expected eval_data_pattern with early_stopping. Received: "
            "early_stopping='gap', eval_data_pattern=''",
        ),
    ],
)
def test_wrong_flags(tmp_path, arguments, message):
    pattern = tiny_runs.write_videos(tmp_path / "data", 3)
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_train(
            f"--train_dir={tmp_path}/run",
            f"--train_data_pattern={pattern}",
            *arguments,
        )


def test_no_data():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected --train_data_pattern. Files to train on: glob patterns, "
            "comma-separated. Received: train_data_pattern=''"
        ),
    ):
        run_train("--train_dir=run")


def test_no_train_dir():
    with pytest.raises(
        flags.IllegalFlagValueError,
        match="Flag --train_dir must have a value other than None",
    ):
        run_train("--train_data_pattern=data*")


def test_arguments_that_are_not_flags():
    flag_values = tiny_runs.parse_flags(train.define_flags, "--train_dir=run")
    with pytest.raises(ValueError, match="Received: LogisticModel data"):
        train.main(flag_values, ["LogisticModel", "data"])


def wait_for_checkpoint(path: str, step: int, process) -> None:
    for _ in range(3000):
        if max(train_dir_lib.TrainDir(path).checkpoints(), default=0) >= step:
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(process.communicate())


STUCK = """
import keras
import tensorflow as tf

class Stuck(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 4:
            print("stuck", flush=True)
            tf.queue.FIFOQueue(1, [tf.int32]).dequeue()

def make(config):
    return Stuck()
"""


@pytest.mark.slow
def test_a_second_interrupt_ends_what_is_stuck(tmp_path):
    """In TensorFlow, which waits without end; the same command goes on."""
    (tmp_path / "stuck.py").write_text(STUCK)
    pattern = tiny_runs.write_videos(tmp_path / "data")
    config = tiny_runs.video_config(pattern, checkpoint_steps=3, num_epochs=2)
    path = str(tmp_path / "run")
    command = [
        "-m",
        "yt8m_compact.programs.train",
        f"--train_dir={path}",
        *tiny_runs.training_flags(config),
    ]
    process = tiny_runs.start(
        *command, "--callbacks=stuck:make", folder=tmp_path
    )
    assert process.stdout.readline() == "stuck\n"
    time.sleep(0.5)  # from there to where it waits
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "can't be interrupted" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert errors.strip() == "ended at once by signal 2"
    assert max(train_dir_lib.TrainDir(path).checkpoints()) == 3
    again = tiny_runs.execute(*command, folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "continue from step 3 (epoch 1, " in again.stderr
    reference = str(tmp_path / "reference")
    training.train(config, reference)
    tiny_runs.assert_same_weights(path, reference)


@pytest.mark.slow
def test_kill_and_signal(tmp_path):
    # 250 steps an epoch: both processes are stopped in its middle.
    pattern = tiny_runs.write_videos(tmp_path / "data", 2000)
    config = tiny_runs.video_config(pattern, checkpoint_steps=3)
    path = str(tmp_path / "run")
    command = [
        "-m",
        "yt8m_compact.programs.train",
        f"--train_dir={path}",
        *tiny_runs.training_flags(config),
    ]

    process = tiny_runs.start(*command, folder=tmp_path)
    wait_for_checkpoint(path, 3, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    killed_at = max(train_dir_lib.TrainDir(path).checkpoints())

    process = tiny_runs.start(*command, folder=tmp_path)
    wait_for_checkpoint(path, killed_at + 1, process)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM == 143
    match = re.fullmatch(
        r"(?s).*stopped by signal 15 at step (\d+); saved (\S+); the same "
        r"command continues\n",
        output,
    )
    step = int(match[1])
    assert match[2] == f"{path}/checkpoints/model.ckpt-{step}"
    assert os.path.exists(f"{match[2]}.index")
    assert f"continue from step {killed_at} (epoch 1, " in errors
    assert killed_at < step < 250

    # Three processes give the weights that one gives.
    config = tiny_runs.change_training(config, max_steps=step + 4)
    training.train(config, path)
    reference = str(tmp_path / "reference")
    training.train(
        tiny_runs.change_training(config, checkpoint_steps=1000), reference
    )
    tiny_runs.assert_same_weights(path, reference)

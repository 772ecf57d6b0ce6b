"""Tests of runs that are stopped and continued."""

import dataclasses
import logging
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import step as step_lib


@pytest.fixture
def log(caplog) -> pytest.LogCaptureFixture:
    """What the package logs."""
    caplog.set_level(logging.INFO, "yt8m_compact")
    return caplog


def stop_and_continue(
    config: config_lib.Config, path: str, steps: int
) -> training.TrainingResult:
    stopped = training.train(
        tiny_runs.change_training(config, max_steps=steps), path
    )
    assert stopped.step == steps
    return training.train(config, path)


# An epoch has 5 steps: in the first epoch, at its end, in the second one.
@pytest.mark.slow
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_video_level(tmp_path, steps):
    reference = tiny_runs.video_run()
    result = stop_and_continue(reference.config, str(tmp_path), steps)
    assert (result.step, result.epoch) == (10, 2)
    tiny_runs.assert_same_weights(str(tmp_path), reference.path)


@pytest.mark.slow
def test_frame_level_with_random_frames(tmp_path):
    reference = tiny_runs.frame_run()
    assert reference.config.model.samples_random_frames
    result = stop_and_continue(reference.config, str(tmp_path), 7)
    assert (result.step, result.epoch) == (10, 2)
    tiny_runs.assert_same_weights(str(tmp_path), reference.path)


@pytest.mark.slow
def test_dropout(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path / "data", 24)
    model = models.AttentionConfig(
        attention_layers=1, attention_hidden_size=8, drop_rate=0.5
    )
    config = tiny_runs.frame_config(pattern, model, num_epochs=1)
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 2)
    tiny_runs.assert_same_weights(parts, whole)


@pytest.mark.slow
def test_noise_of_gates(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 24)
    model = models.MlpConfig(mlp_hidden_size=8, unit_penalty=0.01)
    config = tiny_runs.video_config(pattern, model, num_epochs=1)
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 2)
    tiny_runs.assert_same_weights(parts, whole)


@pytest.mark.slow
def test_under_xla(tmp_path):
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(run.config, jit_compile=True)
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 3)
    tiny_runs.assert_same_weights(parts, whole)


@pytest.mark.slow
def test_optimizer_with_state_and_decay(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 24)
    config = tiny_runs.video_config(
        pattern,
        optimizer="MomentumOptimizer",
        num_epochs=1,
        learning_rate_decay_examples=8.0,
        learning_rate_decay=0.5,
    )
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 2)
    tiny_runs.assert_same_weights(parts, whole)


def refuse_to_train(*args, **kwargs):
    raise AssertionError("a run that is done was trained")


# 5 steps an epoch: the last step of the run is a checkpoint's, or is not.
@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_steps", [1000, 5])
def test_finished_run(tmp_path, monkeypatch, checkpoint_steps):
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(
        run.config, num_epochs=1, checkpoint_steps=checkpoint_steps
    )
    path = str(tmp_path / "run")
    first = training.train(config, path)
    files = {
        p: (p.read_bytes(), p.stat().st_mtime_ns)
        for p in pathlib.Path(path, "checkpoints").iterdir()
    }
    monkeypatch.setattr(step_lib.TrainingStep, "run", refuse_to_train)
    assert training.train(config, path) == first
    assert files == {
        p: (p.read_bytes(), p.stat().st_mtime_ns)
        for p in pathlib.Path(path, "checkpoints").iterdir()
    }


@pytest.mark.slow
def test_more_epochs(tmp_path):
    reference = tiny_runs.video_run()
    config = tiny_runs.change_training(reference.config, num_epochs=1)
    training.train(config, str(tmp_path))
    training.train(reference.config, str(tmp_path))
    tiny_runs.assert_same_weights(str(tmp_path), reference.path)


@pytest.mark.slow
def test_changed_training_flags_are_taken_and_logged(tmp_path, log):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = tiny_runs.change_training(
        run.config,
        num_epochs=3,
        base_learning_rate=0.5,
        batch_size=20,
        log_steps=2,
    )
    result = training.train(config, run.path)
    assert (result.step, result.epoch) == (12, 3)
    assert train_dir_lib.TrainDir(run.path).load_config() == config
    assert [m for m in log.messages if m.startswith("changed")] == [
        "changed since the last start: training.batch_size: 8 -> 20",
        "changed since the last start: training.num_epochs: 2 -> 3",
        "changed since the last start: training.base_learning_rate: 0.1 -> 0.5",
        "changed since the last start: training.log_steps: 1 -> 2",
    ]
    assert any(
        m.startswith("continue from step 10 (epoch 3, video 0 of it): ")
        for m in log.messages
    )
    # Two steps after the change, only the second of which is logged.
    rates = tiny_runs.read_events(f"{run.path}/train")[
        "optimizer/learning_rate"
    ]
    assert rates[-1] == (12, pytest.approx(0.5))
    assert [step for step, _ in rates] == [*range(1, 11), 12]


@pytest.mark.parametrize(
    ("part", "change", "text"),
    [
        ("data", {"num_classes": 6}, "data.num_classes: 5 -> 6"),
        (
            "data",
            {
                "feature_names": ("mean_audio", "mean_rgb"),
                "feature_sizes": (3, 6),
            },
            "data.feature_names: ['mean_rgb', 'mean_audio'] -> ['mean_audio',"
            " 'mean_rgb']; data.feature_sizes: [6, 3] -> [3, 6]",
        ),
        (
            "model",
            {"classifier_projection": "dense"},
            "model.classifier_projection: 'circulant' -> 'dense'",
        ),
        (
            "training",
            {"optimizer": "RMSPropOptimizer"},
            "training.optimizer: 'Adam' -> 'RMSprop'",
        ),
    ],
)
def test_changed_flags_of_the_model_are_refused(part, change, text):
    run = tiny_runs.video_run()
    config = dataclasses.replace(
        run.config,
        **{part: dataclasses.replace(getattr(run.config, part), **change)},
    )
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{run.path}/config.json: expected the data, the model, the "
            "optimiser and the start of the run that is there. Received: "
            f"{text}. Use the same settings to continue it, another "
            "train_dir, or start_new_model=True"
        ),
    ):
        training.train(config, run.path)


def test_other_model_is_refused():
    run = tiny_runs.video_run()
    config = tiny_runs.video_config(run.pattern, models.LogisticConfig())
    with pytest.raises(ValueError, match="model.name: 'MoeModel' -> 'Logist"):
        training.train(config, run.path)


@pytest.mark.slow
def test_changed_flags_before_the_first_checkpoint(tmp_path, log):
    pattern = tiny_runs.write_videos(tmp_path / "data", 8)
    old = tiny_runs.video_config(pattern, num_epochs=1)
    path = str(tmp_path / "run")
    train_dir_lib.TrainDir(path).save_config(old)
    config = dataclasses.replace(old, model=models.MoeConfig())
    assert training.train(config, path).step == 1
    assert train_dir_lib.TrainDir(path).load_config() == config
    assert (
        "changed since the last start: model.name: 'LogisticModel' -> "
        "'MoeModel'" in log.messages
    )


RESTART = "the data's order changed: the epoch starts again"


def restarts(log: pytest.LogCaptureFixture) -> list[str]:
    """Why the epoch was started again, as far as it was."""
    return [m.removeprefix(f"{RESTART} ") for m in log.messages if RESTART in m]


@pytest.fixture
def stopped(tmp_path) -> tiny_runs.Run:
    """A run that was stopped after 3 of the 5 steps of its first epoch."""
    pattern = tiny_runs.write_videos(tmp_path / "data")
    config = tiny_runs.video_config(pattern, num_epochs=1)
    run = tiny_runs.Run(str(tmp_path / "run"), pattern, config)
    training.train(tiny_runs.change_training(config, max_steps=3), run.path)
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seed": 1}, "(seed: 0 -> 1)"),
        ({"shuffle_buffer": 0}, "(shuffle_buffer: 16 -> 0)"),
        ({"num_readers": 3}, "(num_readers: 2 -> 3)"),
    ],
)
def test_changed_order_restarts_the_epoch(stopped, log, change, why):
    config = tiny_runs.change_training(stopped.config, **change)
    assert training.train(config, stopped.path).step == 3 + 5
    assert restarts(log) == [why]


@pytest.mark.slow
def test_new_file_restarts_the_epoch(stopped, log):
    folder = os.path.dirname(stopped.pattern)
    record_makers.write_tfrecord(
        os.path.join(folder, "train9.tfrecord"),
        [record_makers.make_video_example(n, num_classes=5) for n in range(8)],
    )
    assert training.train(stopped.config, stopped.path).step == 3 + 6
    assert restarts(log) == ["(train9.tfrecord is new)"]


@pytest.mark.slow
def test_file_that_grew_restarts_the_epoch(stopped, log):
    file = os.path.join(os.path.dirname(stopped.pattern), "train1.tfrecord")
    before = os.path.getsize(file)
    record = record_makers.make_video_example(40, num_classes=5)
    more = record_makers.write_tfrecord(f"{file}.more", [record])
    with open(file, "ab") as grown, open(more, "rb") as source:
        grown.write(source.read())
    after = os.path.getsize(file)
    # 41 videos in batches of 8.
    assert training.train(stopped.config, stopped.path).step == 3 + 6
    assert restarts(log) == [
        f"(train1.tfrecord had {before} bytes, now {after})"
    ]


@pytest.mark.slow
def test_data_that_moved_goes_on(stopped, log, tmp_path, monkeypatch):
    (tmp_path / "job2").mkdir()
    shutil.copytree(tmp_path / "data", tmp_path / "job2" / "videos")
    monkeypatch.chdir(tmp_path / "job2")
    config = tiny_runs.change_training(
        stopped.config, train_data_pattern="videos/train*"
    )
    assert training.train(config, stopped.path).step == 5
    assert not restarts(log)
    whole = str(tmp_path / "whole")
    training.train(stopped.config, whole)
    tiny_runs.assert_same_weights(stopped.path, whole)


@pytest.mark.slow
def test_same_order_goes_on(stopped, log):
    assert training.train(stopped.config, stopped.path).step == 5
    assert not restarts(log)
    assert any(
        m.startswith("continue from step 3 (epoch 1, video 24 of it): ")
        for m in log.messages
    )


@pytest.mark.slow
def test_changed_order_after_a_crash(stopped, monkeypatch):
    config = tiny_runs.change_training(stopped.config, seed=1)
    with monkeypatch.context() as context:
        context.setattr(step_lib.TrainingStep, "run", refuse_to_train)
        with pytest.raises(AssertionError):
            training.train(config, stopped.path)
    # config.json says seed 1 by now, the checkpoint's place is seed 0's.
    assert training.train(config, stopped.path).step == 3 + 5


@pytest.mark.slow
def test_changed_order_between_two_epochs(tmp_path, log):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = tiny_runs.change_training(run.config, seed=1, num_epochs=3)
    assert training.train(config, run.path).step == 15
    assert not restarts(log)


def test_missing_config(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    os.remove(os.path.join(run.path, "config.json"))
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{run.path}: expected config.json beside the checkpoints. "
            "Received: none; choose another train_dir, or start_new_model=True "
            "to move this one aside"
        ),
    ):
        training.train(run.config, run.path)


def test_config_that_was_changed_by_hand(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = dataclasses.replace(
        run.config,
        model=dataclasses.replace(run.config.model, l2_normalize=False),
    )
    config_lib.save(config, os.path.join(run.path, "config.json"))
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{run.path}/config.json: expected the data and the model that "
            f"{run.path}/checkpoints/model.ckpt-10 was saved with. Received: "
            "model.l2_normalize: True -> False. Restore the config.json that "
            "yt8m-train wrote"
        ),
    ):
        training.train(config, run.path)


@pytest.mark.slow
def test_broken_checkpoint(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    checkpoints = pathlib.Path(run.path, "checkpoints")
    (checkpoints / "model.ckpt-10.index").write_bytes(b"no index")
    with pytest.raises(
        ValueError,
        match=(
            f"^{re.escape(str(checkpoints))}/model.ckpt-10: expected a "
            "checkpoint that can be read. Received: .* Use that of "
            "another step; to train on from the one before it, delete "
            r"the files .*/model.ckpt-10\.\*$"
        ),
    ):
        training.train(run.config, run.path)
    for file in checkpoints.glob("model.ckpt-10.*"):
        file.unlink()
    assert training.train(run.config, run.path).step == 10
    tiny_runs.assert_same_weights(run.path, tiny_runs.video_run().path)


@pytest.mark.slow
def test_moved_run(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    moved = str(tmp_path / "elsewhere (1)")
    shutil.move(run.path, moved)
    config = tiny_runs.change_training(run.config, max_steps=11, num_epochs=3)
    assert training.train(config, moved).step == 11
    assert tiny_runs.weights_of(moved)


SKIPPED = {"on_data_error": "skip", "classifier_bias": "zeros", "num_epochs": 2}


def write_with_bad(tmp_path, bad: set[int], number: int = 36) -> str:
    """Writes videos in one file; those of some numbers have a wrong label."""
    records = [
        record_makers.make_video_example(index, labels=[7], num_classes=8)
        if index in bad
        else record_makers.make_video_example(index, num_classes=5)
        for index in range(number)
    ]
    return record_makers.write_tfrecord(tmp_path / "bad.tfrecord", records)


# Batches of 4. Whole ones are left out: three in a row, the last two, some
# beside such that lose a record, the first five. Then the same in an order at
# random, in which few are whole.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "steps_an_epoch", "stop", "shuffle_buffer"),
    [
        ({*range(4, 16)}, 6, 1, 0),
        ({*range(4, 16)}, 6, 4, 0),
        ({*range(28, 36)}, 7, 7, 0),
        ({5, 6, 9, 22, *range(28, 32)}, 8, 7, 0),
        ({*range(20)}, 4, 2, 0),
        ({5, 6, 9, 22, *range(28, 32)}, None, 5, 9),
    ],
)
def test_left_out_batches_are_not_repeated(
    tmp_path, bad, steps_an_epoch, stop, shuffle_buffer
):
    config = tiny_runs.video_config(
        write_with_bad(tmp_path, bad),
        batch_size=4,
        shuffle_buffer=shuffle_buffer,
        **SKIPPED,
    )
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    done = training.train(config, whole)
    if steps_an_epoch:
        assert (done.step, done.epoch) == (2 * steps_an_epoch, 2)
    again = stop_and_continue(config, parts, stop)
    assert (again.step, again.epoch) == (done.step, done.epoch)
    tiny_runs.assert_same_weights(parts, whole)


@pytest.mark.slow
def test_epoch_of_which_nothing_is_left_is_done(tmp_path):
    # Stopped after the last batch that is good, and continued in a process
    # that has trained on nothing yet.
    config = tiny_runs.video_config(
        write_with_bad(tmp_path, {*range(8, 36)}),
        batch_size=4,
        shuffle_buffer=0,
        **{**SKIPPED, "num_epochs": 1},
    )
    result = stop_and_continue(config, str(tmp_path / "run"), 2)
    assert (result.step, result.epoch) == (2, 1)


@pytest.mark.slow
def test_nothing_but_damaged_records(tmp_path, monkeypatch):
    monkeypatch.setattr(
        training.loop.readers, "check_format", lambda *a, **k: 0
    )
    config = tiny_runs.video_config(
        write_with_bad(tmp_path, {*range(36)}), batch_size=4, **SKIPPED
    )
    with pytest.raises(
        readers.DataError,
        match=(
            r"bad\.tfrecord: expected at least one record to train on\. "
            r"Received:\nfile .*\n-+ .*\n.*bad\.tfrecord +36 +0\n"
            r"first reasons:\n"
            r".*bad\.tfrecord: expected labels from 0 to 4\. Received: 7\. "
        ),
    ):
        training.train(config, str(tmp_path / "run"))


@pytest.mark.slow
@pytest.mark.parametrize("split", [False, True], ids=["segments", "halves"])
def test_batches_of_other_sizes_than_were_read(tmp_path, split):
    """Of segments, videos without one leave a batch that is empty."""
    no_segments = {*range(8, 16)}
    records = [
        record_makers.make_frame_example(
            index,
            8,
            num_classes=5,
            **(
                {}
                if split
                else {
                    "segments": []
                    if index in no_segments
                    else [(0, index % 5, 1.0), (1, (index + 1) % 5, 0.0)]
                }
            ),
        )
        for index in range(24)
    ]
    file = record_makers.write_tfrecord(tmp_path / "f.tfrecord", records)
    config = tiny_runs.frame_config(
        file,
        batch_size=4,
        shuffle_buffer=0,
        num_epochs=1,
        classifier_bias="zeros",
        split_videos=split,
    )
    data = dataclasses.replace(config.data, segment_labels=not split)
    config = dataclasses.replace(config, data=data)
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    done = training.train(config, whole)
    assert done.step == (6 if split else 4)
    # After the two batches that are left out.
    assert stop_and_continue(config, parts, 3).step == done.step
    tiny_runs.assert_same_weights(parts, whole)


# Each lever that has a state of its own, or draws at random.
LEVERS = {
    "averages and sums": {
        "optimizer": "Lion",
        "base_learning_rate": 0.003,
        "learning_rate_schedule": "cosine",
        "schedule_steps": 10,
        "warmup_steps": 2,
        "clip_gradients": "global",
        "weight_decay": 0.1,
        "ema_momentum": 0.75,
        "gradient_accumulation_steps": 3,
        "mixup_alpha": 0.4,
        "label_smoothing": 0.1,
        "positive_weight": 2.0,
    },
    "no schedule, in 16 bits": {
        "optimizer": "ScheduleFreeAdamW",
        "learning_rate_schedule": "constant",
        "warmup_steps": 2,
        "dtype_policy": "mixed_bfloat16",
        "label_loss": "FocalLoss",
    },
    "pruning": {
        "pruning_density": 0.3,
        "pruning_steps": 3,
        "ema_momentum": 0.75,
    },
    "scaled losses": {
        "optimizer": "AdamW",
        "dtype_policy": "mixed_float16",
        "gradient_accumulation_steps": 2,
        "ema_momentum": 0.75,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVERS)
def test_levers(tmp_path, name):
    pattern = tiny_runs.write_videos(tmp_path / "data", 32)
    config = tiny_runs.video_config(pattern, num_epochs=1, **LEVERS[name])
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 2)
    assert_same_state(parts, whole)


@pytest.mark.slow
def test_muon(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path / "data", 24)
    config = tiny_runs.frame_config(pattern, num_epochs=1, optimizer="Muon")
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    stop_and_continue(config, parts, 2)
    assert_same_state(parts, whole)


def assert_same_state(path: str, expected: str) -> None:
    """Compares all that the last checkpoints hold, to the last bit."""
    readers_of = [
        tf.train.load_checkpoint(
            train_dir_lib.TrainDir(folder).find_checkpoint()
        )
        for folder in (path, expected)
    ]
    names = set(readers_of[1].get_variable_to_shape_map())
    # What is counted of saving, and the settings, of which one is max_steps.
    names -= {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    names = {n for n in names if not n.startswith(("save_counter", "config"))}
    assert any(name.startswith("optimizer/") for name in names)
    for name in names:
        found, wanted = (reader.get_tensor(name) for reader in readers_of)
        np.testing.assert_array_equal(found, wanted, err_msg=name)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ema_momentum": 0.9}, "training.ema_momentum: None -> 0.9"),
        (
            {"gradient_accumulation_steps": 2},
            "training.gradient_accumulation_steps: 1 -> 2",
        ),
        (
            {"dtype_policy": "mixed_float16"},
            "training.dtype_policy: 'float32' -> 'mixed_float16'",
        ),
    ],
)
def test_changed_state_of_the_optimizer_is_refused(change, text):
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(run.config, **change)
    with pytest.raises(ValueError, match=re.escape(f"Received: {text}. Use")):
        training.train(config, run.path)


@pytest.mark.slow
def test_other_momentum_of_the_average_and_other_schedule(tmp_path, log):
    pattern = tiny_runs.write_videos(tmp_path / "data", 16)
    config = tiny_runs.video_config(
        pattern, num_epochs=1, ema_momentum=0.5, max_steps=1
    )
    path = str(tmp_path / "run")
    training.train(config, path)
    config = tiny_runs.change_training(
        config,
        ema_momentum=0.75,
        max_steps=None,
        learning_rate_schedule="constant",
    )
    assert training.train(config, path).step == 2
    changed = "changed since the last start: training."
    assert f"{changed}ema_momentum: 0.5 -> 0.75" in log.messages

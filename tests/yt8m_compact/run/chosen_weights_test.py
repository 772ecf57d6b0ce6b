"""Tests of weights that are averages: NumPy's, of every step's checkpoint."""

import functools
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import layers
from yt8m_compact import training
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

STEPS = 5
# What the moving average keeps at each step but the first: (t - 1) / (t + 8).
KEPT = (1 / 10, 2 / 11, 3 / 12, 4 / 13)


SETTINGS = {
    "num_epochs": 1,
    "checkpoint_steps": 1,
    "keep_checkpoints": 100,
    "base_learning_rate": 0.03,
}


def train(folder, model=None, **kwargs) -> tiny_runs.Run:
    """Trains a model; every step has a checkpoint."""
    pattern = tiny_runs.write_videos(os.path.join(folder, "data"))
    config = tiny_runs.video_config(pattern, model, **SETTINGS, **kwargs)
    return train_config(folder, config)


def train_config(folder, config) -> tiny_runs.Run:
    run = tiny_runs.Run(os.path.join(folder, "run"), "", config)
    assert training.train(config, run.path).step == STEPS
    return run


@functools.cache
def averaging_run() -> tiny_runs.Run:
    return train(tiny_runs.make_folder(), ema_momentum=0.75)


@functools.cache
def schedule_free_run() -> tiny_runs.Run:
    return train(
        tiny_runs.make_folder(),
        optimizer="ScheduleFreeAdamW",
        learning_rate_schedule="constant",
        dtype_policy="mixed_float16",
    )


def restore(run, choice="raw", step=None):
    """Returns the model with the weights chosen."""
    _, model, found = train_dir_lib.TrainDir(run.path).restore_model(
        step, weight_choice.parse(choice)
    )
    assert found == (STEPS if step is None else step)
    return model


def values(variables) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_ema_is_that_of_the_weights_of_each_step():
    run = averaging_run()
    expected = values(restore(run, step=1).trainable_variables)
    for step, kept in enumerate(KEPT, start=2):
        raw = values(restore(run, step=step).trainable_variables)
        expected = [
            kept * old + (1 - kept) * new
            for old, new in zip(expected, raw, strict=True)
        ]
    model = restore(run, "ema")
    assert_close(values(model.trainable_variables), expected)
    raw = values(restore(run).trainable_variables)
    assert max_difference(expected, raw) > 1e-2


def max_difference(found, expected) -> float:
    return max(
        np.abs(one - other).max()
        for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.slow
def test_statistics_of_batch_norm(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path / "data")
    config = tiny_runs.frame_config(pattern, ema_momentum=0.75, **SETTINGS)
    run = train_config(tmp_path, config)
    statistics = [
        values(restore(run, step=step).non_trainable_variables)
        for step in (STEPS - 1, STEPS)
    ]
    assert max_difference(*statistics) > 1e-3
    # With the moving average, theirs; with a mean, their mean.
    average = values(restore(run, step=1).non_trainable_variables)
    for step, kept in enumerate(KEPT, start=2):
        raw = values(restore(run, step=step).non_trainable_variables)
        average = [
            kept * old + (1 - kept) * new
            for old, new in zip(average, raw, strict=True)
        ]
    found = values(restore(run, "ema").non_trainable_variables)
    assert_close(found, average)
    found = values(restore(run, "average:2").non_trainable_variables)
    expected = [np.mean(pair, axis=0) for pair in zip(*statistics, strict=True)]
    assert_close(found, expected)


@pytest.mark.slow
def test_older_averages_without_statistics(tmp_path, monkeypatch):
    """As a version left them that averaged what is trained alone."""
    pattern = tiny_runs.write_frames(tmp_path / "data")
    config = tiny_runs.frame_config(pattern, ema_momentum=0.75, **SETTINGS)
    with monkeypatch.context() as context:
        context.setattr(layers, "moving_statistics", lambda model: [])
        run = train_config(tmp_path, config)
    raw = values(restore(run).non_trainable_variables)
    found = values(restore(run, "ema").non_trainable_variables)
    assert_close(found, raw)
    # It goes on, with averages that start there.
    config = tiny_runs.change_training(config, num_epochs=2)
    assert training.train(config, run.path).step == 2 * STEPS
    model = train_dir_lib.TrainDir(run.path).restore_model()[1]
    after = values(model.non_trainable_variables)
    assert max_difference(after, raw) > 1e-3
    model = train_dir_lib.TrainDir(run.path).restore_model(
        choice=weight_choice.parse("ema")
    )[1]
    averages = values(model.non_trainable_variables)
    assert max_difference(averages, after) > 1e-3
    assert max_difference(averages, raw) < 10


@pytest.mark.slow
def test_ema_before_the_first_step_is_the_start():
    run = averaging_run()
    assert_close(
        values(restore(run, "ema", step=0).weights),
        values(restore(run, step=0).weights),
    )


@pytest.mark.parametrize("step", [None, 4])
def test_mean_of_checkpoints(step):
    run = averaging_run()
    last = step or STEPS
    raw = [
        values(restore(run, step=number).weights)
        for number in range(last - 2, last + 1)
    ]
    expected = [np.mean(group, axis=0) for group in zip(*raw, strict=True)]
    assert_close(values(restore(run, "average:3", step).weights), expected)


@pytest.mark.slow
def test_schedule_free_weights_are_the_mean_of_its_sequence():
    run = schedule_free_run()
    model = restore(run)
    paths = train_dir_lib.TrainDir(run.path).checkpoints()
    for variable in model.trainable_variables:
        key = (
            f"optimizer/inner.S{variable.path.replace('/', '_')}_momentum"
            "/.ATTRIBUTES/VARIABLE_VALUE"
        )
        sequence = [
            tf.train.load_checkpoint(paths[step]).get_tensor(key)
            for step in range(1, STEPS + 1)
        ]
        # Defazio et al., equation 5, with a constant learning rate.
        np.testing.assert_allclose(
            variable.numpy(), np.mean(sequence, axis=0), rtol=1e-3, atol=1e-5
        )


@pytest.mark.slow
def test_mean_of_schedule_free_checkpoints():
    run = schedule_free_run()
    raw = [
        values(restore(run, step=number).weights)
        for number in (STEPS - 1, STEPS)
    ]
    expected = [np.mean(group, axis=0) for group in zip(*raw, strict=True)]
    assert_close(values(restore(run, "average:2").weights), expected)


def test_no_moving_average():
    run = tiny_runs.video_run()
    path = train_dir_lib.TrainDir(run.path).find_checkpoint()
    message = (
        f"{path}: expected a run with ema_momentum, which keeps the moving "
        "average of its weights, for weights=ema. Received: ema_momentum=None;"
        " use weights=raw or average:N, or train with --ema_momentum=0.999"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(run.path).restore_model(
            choice=weight_choice.parse("ema")
        )


def test_moving_average_that_config_json_only_says(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    run_dir = train_dir_lib.TrainDir(run.path)
    run_dir.save_config(tiny_runs.change_training(run.config, ema_momentum=0.5))
    message = (
        f"{run_dir.find_checkpoint()}: expected the average of gates/kernel, "
        "which the run's optimiser keeps. Received: a checkpoint without it; "
        "restore the config.json that the run was started with"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_dir.restore_model(choice=weight_choice.parse("ema"))


@pytest.mark.parametrize(
    ("step", "up_to", "steps"),
    [(None, "", "0, 5, 10"), (5, " up to step 5", "0, 5")],
)
def test_fewer_checkpoints_than_asked_for(step, up_to, steps):
    run_dir = train_dir_lib.TrainDir(tiny_runs.video_run().path)
    message = (
        f"{run_dir.checkpoints_path}: expected at least 4 checkpoints{up_to} "
        f"for weights=average:4. Received: those of the steps {steps}; train "
        "with --keep_checkpoints=4 or more"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_dir.restore_model(step, weight_choice.parse("average:4"))


def test_older_checkpoint_that_training_deletes_before_it_is_read(
    tmp_path, monkeypatch
):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    run_dir = train_dir_lib.TrainDir(run.path)
    folder = pathlib.Path(run_dir.checkpoints_path)
    find = train_dir_lib.TrainDir.find_checkpoints
    found = []

    def find_and_delete(self, *args):
        found.append(find(self, *args))
        if len(found) == 1:
            for file in folder.glob("model.ckpt-10.*"):
                new = file.name.replace("-10.", "-15.")
                (folder / new).write_bytes(file.read_bytes())
            for file in folder.glob("model.ckpt-5.*"):
                file.unlink()
            paths = [str(folder / f"model.ckpt-{step}") for step in (5, 10, 15)]
            tf.compat.v1.train.update_checkpoint_state(
                str(folder), paths[-1], paths
            )
        return found[-1]

    monkeypatch.setattr(
        train_dir_lib.TrainDir, "find_checkpoints", find_and_delete
    )
    _, model, _ = run_dir.restore_model(choice=weight_choice.parse("average:2"))
    assert [[os.path.basename(p) for p in paths] for paths in found] == [
        ["model.ckpt-5", "model.ckpt-10"],
        ["model.ckpt-10", "model.ckpt-15"],
    ]
    # 15 is a copy of 10.
    expected = tiny_runs.weights_of(tiny_runs.video_run().path)
    for weight in model.weights:
        np.testing.assert_array_equal(weight.numpy(), expected[weight.path])

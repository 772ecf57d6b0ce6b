"""Tests of the checkpoints of a run that goes on."""

import os
import pathlib
import re
import shutil

import pytest
import tensorflow as tf

from yt8m_compact.eval import follow_checkpoints
from yt8m_compact.run import train_dir as train_dir_lib


class Trainer:
    """Saves checkpoints as training does, without any."""

    def __init__(self, path: pathlib.Path, keep: int = 1) -> None:
        self.run = train_dir_lib.TrainDir(str(path))
        self._keep = keep
        self._now = 1_000_000_000
        self.start()

    def start(self) -> None:
        os.makedirs(self.run.path)
        pathlib.Path(self.run.config_path).write_text("{}")
        self._manager = self.run.checkpoint_manager(
            tf.train.Checkpoint(v=tf.Variable(1.0)), self._keep
        )

        self._date(self.run.config_path)

    def save(self, step: int) -> str:
        path = self._manager.save(checkpoint_number=step)
        self._date(f"{path}.index")
        return path

    def _date(self, path: str) -> None:
        """Dates a file a minute after the last one: seconds are compared."""
        self._now += 60
        os.utime(path, (self._now, self._now))


@pytest.fixture
def trainer(tmp_path, monkeypatch) -> Trainer:
    monkeypatch.setattr(follow_checkpoints, "_POLL_SECONDS", 0.01)
    return Trainer(tmp_path / "run")


def steps_of(trainer, *actions, timeout=0.1) -> list[int]:
    """Follows; after each checkpoint it does the next of the actions."""
    found, actions = [], list(actions)
    for path in follow_checkpoints.follow_checkpoints(
        trainer.run, 0.0, timeout
    ):
        found.append(train_dir_lib.checkpoint_step(path))
        if actions:
            actions.pop(0)()
    return found


def test_each_new_one_until_none_comes(trainer):
    trainer.save(0)
    found = steps_of(trainer, lambda: trainer.save(5), lambda: trainer.save(10))
    assert found == [0, 5, 10]


def test_only_the_newest_of_several(trainer):
    trainer.save(0)

    def save_two():
        trainer.save(5)
        trainer.save(10)

    assert steps_of(trainer, save_two) == [0, 10]


def test_the_same_step_again_at_the_end_of_an_epoch(trainer):
    trainer.save(5)
    assert steps_of(trainer, lambda: trainer.save(5)) == [5]


@pytest.mark.parametrize("step", [0, 5, 10])
def test_a_new_run_in_its_place(trainer, step):
    """Whether its newest checkpoint is of a lower, equal or higher step."""
    trainer.save(5)

    def start_new():
        os.rename(trainer.run.path, f"{trainer.run.path}.before")
        trainer.start()
        trainer.save(step)

    assert steps_of(trainer, start_new) == [5, step]


def test_a_run_that_is_moved_away(trainer):
    trainer.save(5)
    assert steps_of(trainer, lambda: shutil.rmtree(trainer.run.path)) == [5]


def test_a_run_that_is_half_moved_away(trainer):
    trainer.save(5)

    def move():
        os.remove(trainer.run.config_path)
        trainer.save(10)

    assert steps_of(trainer, move) == [5]


def test_a_checkpoint_without_an_index_is_for_the_reader_to_refuse(trainer):
    os.remove(trainer.save(5) + ".index")
    assert steps_of(trainer) == [5]


def test_none_at_all(trainer):
    message = (
        f"{trainer.run.checkpoints_path}: expected a checkpoint. Received: "
        "none for 0.1 s; is train_dir that of a run?"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        steps_of(trainer)


def test_the_interval_between_two(trainer, monkeypatch):
    now = [100.0]
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(follow_checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(follow_checkpoints.time, "sleep", sleep)
    trainer.save(0)
    followed = follow_checkpoints.follow_checkpoints(trainer.run, 30.0, 100.0)
    next(followed)
    now[0] += 10.0  # What the evaluation takes.
    trainer.save(5)
    next(followed)
    assert slept == [20.0]

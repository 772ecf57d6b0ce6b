"""Tests of the profile of some steps."""

import re

import pytest

import tiny_runs
from yt8m_compact import training
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import profiler


@pytest.fixture
def position():
    return position_lib.Position()


@pytest.mark.slow
def test_files_appear(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data")
    config = tiny_runs.video_config(pattern, num_epochs=1, log_steps=100)
    path = tmp_path / "run"
    training.train(
        config, str(path), watching=training.Watching(profile=(2, 3))
    )
    files = list((path / "train" / "plugins" / "profile").glob("*/*.xplane.pb"))
    assert len(files) == 1
    assert files[0].stat().st_size > 1000
    # By its marks TensorBoard knows which steps there are.
    assert b"step_num" in files[0].read_bytes()


def test_the_steps_asked_for(position, monkeypatch):
    calls = []
    experimental = profiler.tf.profiler.experimental
    monkeypatch.setattr(
        experimental, "start", lambda path: calls.append(int(position.step))
    )
    monkeypatch.setattr(
        experimental, "stop", lambda: calls.append(int(position.step))
    )
    callback = profiler.Profiler((4, 6), position, "run/train")
    sizes = []
    while int(position.step) < 9:
        size = callback.steps_to_edge(int(position.step)) or 2
        callback.on_train_batch_begin(0)
        position.step.assign_add(size)
        callback.on_train_batch_end(0)
        sizes.append(size)
    # Three steps to the start of step 4, then each, then as many as one likes.
    assert sizes == [3, 1, 1, 1, 2, 2]
    assert calls == [3, 6]
    callback.close()
    assert calls == [3, 6]


def test_training_ends_before(position, caplog):
    position.step.assign(3)
    profiler.Profiler((4, 6), position, "run/train").on_train_end()
    assert caplog.messages == [
        "nothing was profiled: training ended at step 3, before step 4"
    ]


@pytest.mark.parametrize("steps", [(0, 3), (5, 4)])
def test_no_such_steps(position, steps):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected profile to be START,END: the first and the last step to "
            f"profile, from 1. Received: profile={steps}"
        ),
    ):
        profiler.Profiler(steps, position, "run/train")

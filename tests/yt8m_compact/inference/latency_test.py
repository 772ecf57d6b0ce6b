"""Tests of how long the prediction of one video takes."""

import time

import pytest
import tensorflow as tf

import small_artefacts
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import latency
from yt8m_compact.run import train_dir as train_dir_lib


def test_the_fastest_of_many_calls():
    seconds = [0.05, 0.04, *[0.02] * 3, 0.001]

    def call():
        time.sleep(seconds.pop(0) if len(seconds) > 1 else seconds[0])
        calls.append(0)

    calls = []
    found = latency._measure(call)
    assert 1 <= found < 20
    assert len(calls) > 10


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
def test_models_are_called_with_one_video(level, monkeypatch):
    made = small_artefacts.make(level)
    config, model, _ = train_dir_lib.TrainDir(made.run.path).restore_model()
    if level == "video":
        batch = {"features": tf.random.uniform([5, 9], seed=1)}
    else:
        batch = {
            "frames": tf.ones([5, 4, 9], tf.uint8),
            "num_frames": tf.constant([4, 3, 2, 1, 4]),
        }
    batch["labels"] = tf.zeros([5, 5])
    assert latency.measure(config, model, batch) > 0
    # By operations of its own, and by the function of a SavedModel.
    for name in ("litert", "packed"):
        _, artefact = artefacts.load(made.path(name))
        sizes = set()
        call = type(artefact).__call__

        def spy(self, inputs, call=call, sizes=sizes):
            sizes.update(len(value) for value in inputs.values())
            return call(self, inputs)

        monkeypatch.setattr(type(artefact), "__call__", spy)
        assert latency.measure_artefact(artefact, batch) > 0
        assert sizes == {1}

"""Tests of runs that are killed at random moments (kill -9).

Children are forked from a process that has imported all and computed nothing,
so that each is killed in training, not in an import of ten seconds.
"""

import os

import pytest

import tiny_runs
from yt8m_compact.eval import evaluation

# Forked often enough for the moments that matter; YT8M_KILLS=100 for more.
_KILLS = int(os.environ.get("YT8M_KILLS", "2"))

_SCRIPT = """
import os, random, signal, sys, time

from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir
from yt8m_compact.training import loop

path, text, kills, seed = sys.argv[1:]
config = config_lib.Config.from_json(text, path)
draw = random.Random(int(seed))
run = train_dir.TrainDir(path)


def steps():
    '''Lists checkpoints by the names of their files: TensorFlow stays idle.'''
    folder = os.path.join(path, "checkpoints")
    if not os.path.isdir(folder):
        return []
    return sorted(
        int(name.split("-")[1].split(".")[0])
        for name in os.listdir(folder)
        if name.startswith("model.ckpt-") and name.endswith(".index")
    )


killed = reached = 0
longest = 6.0
while killed < int(kills):
    child = os.fork()
    if not child:
        loop.train(config, path)
        os._exit(0)
    # At first as long as a start takes, then anywhere.
    time.sleep(draw.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        print("ended", os.WEXITSTATUS(status), killed, flush=True)
        sys.exit(0 if os.WEXITSTATUS(status) == 0 else 1)
    killed += 1
    found = steps()
    if reached and (not found or found[-1] < reached):
        sys.exit(f"lost: {reached} was there, now {found}")
    reached = found[-1] if found else 0
    print("killed", killed, "at", reached, flush=True)
loop.train(config, path)
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_at_random_moments(tmp_path):
    """No checkpoint is lost, and the end is that of a run left alone.

    By its weights, and by its evaluation on other videos.
    """
    pattern = tiny_runs.write_videos(tmp_path / "data")
    others = tiny_runs.write_videos(
        tmp_path / "data", 12, name="validate", start=40
    )
    config = tiny_runs.video_config(
        pattern,
        tiny_runs.models.MoeConfig(classifier_projection="circulant"),
        num_epochs=10 * max(1, _KILLS),
        checkpoint_steps=1,
        base_learning_rate=0.01,
    )
    whole, path = str(tmp_path / "whole"), str(tmp_path / "run")
    process = tiny_runs.execute(
        "-c",
        _SCRIPT,
        path,
        config.to_json(),
        str(_KILLS),
        "0",
        folder=tmp_path,
        timeout=120 + 60 * _KILLS,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert f"killed {_KILLS} at" in process.stdout
    assert process.stdout.endswith("done\n")
    tiny_runs.training.train(
        tiny_runs.change_training(config, checkpoint_steps=1000), whole
    )
    tiny_runs.assert_same_weights(path, whole)
    found, expected = (
        evaluation.evaluate_run(folder, others) for folder in (path, whole)
    )
    assert found.step == expected.step > 0
    assert found.metrics == expected.metrics

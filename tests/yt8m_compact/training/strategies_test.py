"""Tests of strategies: which there is, and what they train.

Several devices are logical ones of this machine's processors; several machines
are processes that find each other over loopback.
"""

import collections
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf

import free_ports
import tiny_runs
from yt8m_compact import training
from yt8m_compact.eval import validation
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import meeting
from yt8m_compact.training import strategies

_TIMEOUT = 240

# Trains on so many logical devices.
_ON_DEVICES = """
import json, sys
import tensorflow as tf
number, path, text = int(sys.argv[1]), sys.argv[2], sys.argv[3]
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * number,
)
from yt8m_compact import training
from yt8m_compact.run import config
training.train(config.Config.from_json(text, path), path)
"""


@pytest.fixture
def environment(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


EVERY_NUMBER = os.environ.get("YT8M_EVERY_NUMBER") == "true"


def choose(**numbers):
    """Says what is trained on how many: frames alone in an ordinary run.

    YT8M_EVERY_NUMBER=true trains each kind of data on all numbers.
    """
    every = tuple(sorted(numbers.values()))
    if EVERY_NUMBER:
        return [(kind, every) for kind in numbers]
    return [("frames", (numbers["frames"],))]


def settings(**kwargs):
    return config_lib.TrainingConfig(**kwargs)


def cluster(index, *addresses, kind="worker", **others):
    return json.dumps(
        {
            "cluster": {"worker": addresses, **others},
            "task": {"type": kind, "index": index},
        }
    )


@pytest.mark.parametrize("strategy", ["auto", "one_device"])
def test_one_device_by_default(environment, strategy):
    del environment
    workers = strategies.make_workers(settings(strategy=strategy))
    assert workers.strategy.num_replicas_in_sync == 1
    assert (workers.number, workers.index, workers.addresses) == (1, 0, ())
    assert workers.is_chief
    assert workers.local_replicas == 1


@pytest.mark.parametrize(
    ("found", "kwargs", "message"),
    [
        (
            0,
            {"num_gpu": 2},
            "num_gpu=2, and 0 on this machine; training on the processors",
        ),
        (
            1,
            {"num_gpu": 4},
            "num_gpu=4, and 1 on this machine; training on 1 GPU",
        ),
        (
            3,
            {"num_gpu": 2, "strategy": "one_device"},
            "num_gpu=2, and strategy=one_device; training on 1 GPU",
        ),
        (0, {}, None),
        (1, {"num_gpu": 1}, None),
        (3, {"num_gpu": 1}, None),
    ],
)
def test_fewer_gpus_than_were_asked_for(
    environment, caplog, found, kwargs, message
):
    devices = tf.config.list_logical_devices
    gpu = collections.namedtuple("Device", "name")("GPU:0")
    environment.setattr(
        tf.config,
        "list_logical_devices",
        lambda kind: [gpu] * found if kind == "GPU" else devices(kind),
    )
    strategies.make_workers(settings(**kwargs))
    said = [one for one in caplog.messages if "num_gpu" in one]
    expected = "expected as many GPUs as num_gpu says. Received: "
    assert said == ([f"{expected}{message}"] if message else [])


@pytest.mark.parametrize(
    ("num_gpu", "seen"),
    [(None, None), (2, ["a", "b"]), (3, None), (4, None)],
)
def test_workers_see_no_more_gpus_than_they_may_use(environment, num_gpu, seen):
    """A stand-in for GPUs: as many as a test needs are on no machine."""
    found = []
    environment.setattr(
        tf.config, "list_physical_devices", lambda kind: ["a", "b", "c"]
    )
    environment.setattr(
        tf.config,
        "set_visible_devices",
        lambda devices, kind: found.append((devices, kind)),
    )
    environment.setattr(meeting, "wait_for_all", lambda *args: None)
    environment.setattr(
        tf.distribute,
        "MultiWorkerMirroredStrategy",
        lambda resolver: tf.distribute.get_strategy(),
    )
    environment.setenv("TF_CONFIG", cluster(0, "localhost:1", "localhost:2"))
    strategies.make_workers(settings(num_gpu=num_gpu))
    assert found == ([(seen, "GPU")] if seen else [])


def test_a_cluster_of_one_is_one_device(environment):
    environment.setenv("TF_CONFIG", cluster(0, "localhost:1"))
    workers = strategies.make_workers(settings())
    assert workers.strategy is tf.distribute.get_strategy()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"cluster": {"worker": ["a:1"]}}',
        cluster(2, "a:1", "b:1"),
        cluster(-1, "a:1", "b:1"),
        cluster("0", "a:1", "b:1"),
        cluster(0, "a:1", "a:1"),
        cluster(0, "a", "b:1"),
        cluster(0, 1, 2),
        cluster(0, "a:1", "b:1", kind="chief"),
        cluster(0, "a:1", "b:1", ps=["c:1"]),
        cluster(0, "a:1", "b:1", chief=["c:1", "d:1"]),
    ],
)
def test_tf_config_that_names_no_cluster(environment, text):
    environment.setenv("TF_CONFIG", text)
    with pytest.raises(
        ValueError,
        match=(
            "^expected TF_CONFIG to name each worker once and which of them "
            r"this is, such as \{.*\. Received: TF_CONFIG=" + re.escape(text)
        ),
    ):
        strategies.make_workers(settings())


def test_who_trains_with_others(environment):
    assert not strategies.trains_with_others(settings())
    assert strategies.trains_with_others(settings(strategy="multi_worker"))
    environment.setenv("TF_CONFIG", cluster(0, "a:1", "b:1"))
    assert strategies.trains_with_others(settings())
    assert not strategies.trains_with_others(settings(strategy="mirrored"))
    environment.setenv("TF_CONFIG", cluster(0, "a:1"))
    assert not strategies.trains_with_others(settings())


def test_tasks_of_slurm_are_workers(environment):
    """Three machines, two of them with two tasks; none has a GPU."""
    for name, value in {
        "SLURM_PROCID": "3",
        "SLURM_STEP_NUM_TASKS": "5",
        "SLURM_STEP_NODELIST": "node[07-08],other",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    }.items():
        environment.setenv(name, value)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    resolver = strategies._resolve_slurm()
    assert resolver.cluster_spec().as_dict() == {
        "worker": [
            "node07:8888",
            "node07:8889",
            "node08:8888",
            "node08:8889",
            "other:8888",
        ]
    }
    assert (resolver.task_type, resolver.task_id) == ("worker", 3)
    gpus = len(tf.config.list_logical_devices("GPU"))
    assert resolver.num_accelerators().get("GPU", 0) == gpus
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible


def test_several_workers_without_a_cluster(environment):
    del environment
    with pytest.raises(
        ValueError,
        match="^expected TF_CONFIG with strategy=multi_worker, or a job step",
    ):
        strategies.make_workers(settings(strategy="multi_worker"))


def test_lost_workers_are_named():
    workers = strategies.Workers(
        tf.distribute.get_strategy(), 2, 1, ("a:1", "b:1")
    )
    with (
        pytest.raises(
            ConnectionError,
            match=(
                r"^worker 1 of 2: expected all to go on \(a:1, b:1\)\. "
                r"Received: peer is gone\. Start all again with the same "
                "command: they continue from the last checkpoint$"
            ),
        ),
        strategies.readable_errors(workers),
    ):
        raise tf.errors.UnavailableError(None, None, "peer is gone")


def test_errors_of_one_worker_stay_as_they_are():
    workers = strategies.Workers(tf.distribute.get_strategy())
    with (
        pytest.raises(tf.errors.UnavailableError),
        strategies.readable_errors(workers),
    ):
        raise tf.errors.UnavailableError(None, None, "disk is gone")


def test_a_folder_that_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(strategies, "_VISIBLE_SECONDS", 0.0)
    workers = strategies.Workers(
        tf.distribute.get_strategy(), 2, 1, ("a:1", "b:1")
    )
    run = tiny_runs.train_dir_lib.TrainDir(str(tmp_path))
    with pytest.raises(
        ValueError,
        match=(
            f"^{tmp_path}: expected a folder that all workers share. Received: "
            r"no checkpoint of step 5, which worker 0 \(a:1\) has written, for "
            "worker 1$"
        ),
    ):
        workers.wait_for_checkpoint(run, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"data_shards": 4, "batch_size": 6},
            "expected a batch_size, which counts the videos of all workers, "
            "that 4 shards of the data can fill. Received: batch_size=6",
        ),
        (
            {"data_shards": 4},
            "expected a file for each of 4 shards of the data, one or several "
            "of each worker. Received: 3 files; give more files",
        ),
    ],
)
def test_shards_that_do_not_fit(tmp_path, values, message):
    videos = tiny_runs.write_videos(tmp_path / "data")
    config = tiny_runs.video_config(videos, **values)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        training.train(config, str(tmp_path / "run"))


def make_config(folder, kind, **kwargs):
    """Makes a run of 24 steps, of 43 videos in 4 files."""
    # Adam makes as much of a gradient that is nothing but rounding, such as
    # that of a bias before batch norm, as of others.
    values = {
        "num_epochs": 4,
        "optimizer": "MomentumOptimizer",
        "data_shards": 4,
        **kwargs,
    }
    if kind == "videos":
        pattern = tiny_runs.write_videos(folder / "data", 43, num_files=4)
        return tiny_runs.video_config(pattern, **values)
    pattern = tiny_runs.write_frames(folder / "data", 43, num_files=4)
    return tiny_runs.frame_config(pattern, **values)


def assert_close_weights(path, expected):
    found, wanted = tiny_runs.weights_of(path), tiny_runs.weights_of(expected)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(
            found[name], value, rtol=0, atol=1e-5, err_msg=name
        )


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "numbers"), choose(videos=5, frames=2))
def test_devices_train_as_one(tmp_path, kind, numbers):
    """Batches of 8, and of 3 at an epoch's end, on 2 and on 5 devices."""
    config = make_config(tmp_path, kind, data_shards=None)
    whole = str(tmp_path / "whole")
    training.train(config, whole)
    config = tiny_runs.change_training(config, strategy="mirrored")
    for number in numbers:
        path = str(tmp_path / str(number))
        process = tiny_runs.execute(
            "-c",
            _ON_DEVICES,
            str(number),
            path,
            config.to_json(),
            folder=tmp_path,
        )
        assert process.returncode == 0, process.stderr
        assert_close_weights(path, whole)


@contextlib.contextmanager
def started_workers(configs, path, folder):
    """Starts yt8m-train in a process for each configuration."""
    addresses = [f"localhost:{port}" for port in free_ports.find(len(configs))]
    processes = [
        tiny_runs.start(
            "-m",
            "yt8m_compact.programs.train",
            f"--train_dir={path}",
            *tiny_runs.training_flags(config),
            folder=folder,
            variables={"TF_CONFIG": cluster(index, *addresses)},
        )
        for index, config in enumerate(configs)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def train_together(config, path, number, folder):
    with started_workers([config] * number, path, folder) as processes:
        for process in processes:
            _, errors = process.communicate(timeout=_TIMEOUT)
            assert process.returncode == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "numbers"), choose(videos=4, frames=2))
def test_workers_train_as_one(tmp_path, kind, numbers):
    config = make_config(tmp_path, kind)
    whole = str(tmp_path / "whole")
    training.train(config, whole)
    for number in numbers:
        path = str(tmp_path / str(number))
        train_together(config, path, number, tmp_path)
        assert_close_weights(path, whole)
        names = [
            sorted(name.split(".")[0] for name in os.listdir(folder))
            for folder in (path, whole)
        ]
        assert names[0] == names[1]


@pytest.mark.slow
def test_workers_evaluate_and_stop_early_as_one(tmp_path):
    config = make_config(tmp_path, "videos")
    others = tiny_runs.write_videos(
        tmp_path / "data", 9, name="validate", start=50
    )
    config = tiny_runs.change_training(
        config,
        eval_data_pattern=others,
        eval_steps=2,
        early_stopping="gap",
        patience=1,
    )
    found, alone, together = [], tmp_path / "alone", tmp_path / "together"
    training.train(
        config,
        str(alone),
        watching=training.Watching(
            evaluate=validation.Validation(str(alone), config.training)
        ),
    )
    train_together(config, str(together), 2, tmp_path)
    for path in (alone, together):
        content = json.loads((path / "evaluations.json").read_text())
        gaps = [one["metrics"]["gap"] for one in content["evaluations"]]
        run = tiny_runs.train_dir_lib.TrainDir(str(path))
        found.append((gaps, max(run.checkpoints()), run.best_checkpoint()[-2:]))
    (gaps, *one), (other_gaps, *other) = found
    assert one == other
    # It stopped where there was one that was not better.
    assert one[0] == 2 * len(gaps) < 24
    np.testing.assert_allclose(gaps, other_gaps, rtol=1e-4)


@pytest.mark.slow
def test_workers_and_devices_learn_from_teachers(tmp_path):
    """From a model and its scores; the shares of a batch have their own."""
    config = make_config(tmp_path, "videos")
    teacher, scores = str(tmp_path / "teacher"), str(tmp_path / "scores")
    training.train(
        tiny_runs.change_training(config, base_learning_rate=0.5), teacher
    )
    predictors.write_scores(
        predictors.predictor_from_train_dir(teacher),
        config.training.train_data_pattern,
        scores,
    )
    saved = str(tmp_path / "saved")
    own, model, _ = tiny_runs.train_dir_lib.TrainDir(teacher).restore_model()
    serving.save(serving.ServingModule(own, model, top_k=1), saved)
    config = tiny_runs.change_training(
        config, teacher=f"{teacher},{scores},{saved}", teacher_weight=1.0
    )
    whole = str(tmp_path / "whole")
    training.train(config, whole)
    path = str(tmp_path / "workers")
    train_together(config, path, 2, tmp_path)
    assert_close_weights(path, whole)
    path = str(tmp_path / "devices")
    mirrored = tiny_runs.change_training(config, strategy="mirrored")
    process = tiny_runs.execute(
        "-c", _ON_DEVICES, "2", path, mirrored.to_json(), folder=tmp_path
    )
    assert process.returncode == 0, process.stderr
    assert_close_weights(path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1] if EVERY_NUMBER else [1])
def test_a_worker_that_is_killed(tmp_path, killed):
    """The other ends with an error, and the same command goes on."""
    config = make_config(tmp_path, "videos", num_epochs=15, checkpoint_steps=7)
    whole = str(tmp_path / "whole")
    training.train(config, whole)
    path = str(tmp_path / "run")
    run = tiny_runs.train_dir_lib.TrainDir(path)
    with started_workers([config] * 2, path, tmp_path) as processes:
        deadline = time.monotonic() + _TIMEOUT
        while max(run.checkpoints(), default=0) < 7:
            assert time.monotonic() < deadline
            assert processes[killed].poll() is None
            time.sleep(0.1)
        processes[killed].send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        other = processes[1 - killed]
        try:
            _, errors = other.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            pytest.fail("the other worker went on waiting for a minute")
        assert time.monotonic() - killed_at < 60
        assert other.returncode == 1
        (line,) = (
            line for line in errors.splitlines() if "expected all to" in line
        )
        assert (
            f"worker {1 - killed} of 2: expected all to go on (localhost:"
            in line
        )
    assert 7 <= max(run.checkpoints()) < 90
    train_together(config, path, 2, tmp_path)
    assert max(run.checkpoints()) == 90
    assert_close_weights(path, whole)


@pytest.mark.slow
def test_a_signal_to_one_worker_stops_all(tmp_path):
    config = make_config(tmp_path, "videos", num_epochs=10000)
    path = str(tmp_path / "run")
    run = tiny_runs.train_dir_lib.TrainDir(path)
    with started_workers([config] * 2, path, tmp_path) as processes:
        deadline = time.monotonic() + _TIMEOUT
        while max(run.checkpoints(), default=0) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes[1].send_signal(signal.SIGTERM)
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert "Error" not in errors
        assert processes[1].returncode == 128 + signal.SIGTERM
    step = max(run.checkpoints())
    _, model, restored = run.restore_model()
    assert restored == step
    assert model.count_params()


@pytest.mark.slow
def test_workers_with_other_settings(tmp_path):
    config = make_config(tmp_path, "videos")
    configs = [
        tiny_runs.change_training(config, base_learning_rate=rate)
        for rate in (0.01, 0.02)
    ]
    path = str(tmp_path / "run")
    with started_workers(configs, path, tmp_path) as processes:
        errors = [
            process.communicate(timeout=_TIMEOUT)[1] for process in processes
        ]
    assert [process.returncode for process in processes] == [1, 1]
    assert (
        "expected the same settings in all workers. Received: "
        "--base_learning_rate: 0.01 -> 0.02 in worker 1"
    ) in errors[1]
    assert "expected all to go on" in errors[0]


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_nobody_answers(environment, tmp_path, index):
    """The chief as well as another one says who was to answer."""
    addresses = [f"localhost:{port}" for port in free_ports.find(2)]
    environment.setenv("TF_CONFIG", cluster(index, *addresses))
    config = make_config(tmp_path, "videos", connect_timeout=1)
    with pytest.raises(
        TimeoutError,
        match=(
            f"^worker {index} of 2: expected the others to answer within 1 s. "
            f"Received: no answer from {addresses[1 - index]}. Start all with "
            "the same command, and check that they reach each other's addresses"
        ),
    ):
        training.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_port_that_is_taken(environment):
    with socket.create_server(("", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        environment.setenv("TF_CONFIG", cluster(0, address, "localhost:1"))
        with pytest.raises(
            OSError,
            match=(
                "^worker 0 of 2: expected a port that is free on this machine. "
                f"Received: {address}: "
            ),
        ):
            strategies.make_workers(settings())


# Meets the others, as a worker does, and is none: it accepts connections.
_NO_WORKER = """
import socket, sys
from yt8m_compact.training import meeting
addresses = sys.argv[1:]
print("there", flush=True)
meeting.wait_for_all(addresses, 1, 120)
server = socket.create_server(("", int(addresses[1].rpartition(":")[2])))
kept = []
while True:
    kept.append(server.accept())
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_worker_that_tensorflow_gets_no_answer_of(tmp_path, is_interrupted):
    """The other one ends in time, by itself and by Ctrl-C."""
    addresses = [f"localhost:{port}" for port in free_ports.find(2)]
    config = make_config(
        tmp_path, "videos", connect_timeout=60 if is_interrupted else 5
    )
    other = tiny_runs.start("-c", _NO_WORKER, *addresses, folder=tmp_path)
    assert other.stdout.readline() == "there\n"
    process = tiny_runs.start(
        "-m",
        "yt8m_compact.programs.train",
        f"--train_dir={tmp_path}/run",
        *tiny_runs.training_flags(config),
        folder=tmp_path,
        variables={"TF_CONFIG": cluster(0, *addresses)},
    )
    try:
        for line in process.stderr:
            if "all answer" in line:
                break
        start = time.monotonic()
        if is_interrupted:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - start < 20
        if is_interrupted:
            assert process.returncode == -signal.SIGINT
            assert errors == ""
        else:
            assert process.returncode == 1
            assert errors.endswith(
                "error: worker 0 of 2: expected TensorFlow to connect the "
                "workers within 5 s, since all have answered. Received: "
                f"nothing, of {addresses[1]}. Start all again with the same "
                "command, and see in their logs whether one has ended\n"
            )
    finally:
        for one in (process, other):
            one.kill()
            one.communicate()
    assert not (tmp_path / "run").exists()

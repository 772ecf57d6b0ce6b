"""Tests of reading by tf.data service, whose processes are real ones."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

import free_ports
import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.readers import records
from yt8m_compact.training import data_service

_SCRIPT = (
    pathlib.Path(__file__).parents[3] / "docs" / "cluster" / "data_service.py"
)
_SECONDS = 60


class Service:
    """A dispatcher and workers, as docs/cluster has them."""

    def __init__(self, num_workers):
        port, *ports = free_ports.find(1 + num_workers)
        self.address = f"localhost:{port}"
        self.workers = {}
        self._processes = [self._start("dispatcher", f"--port={port}")]
        for one in ports:
            self.start_worker(one)
        for process in [*self._processes, *self.workers.values()]:
            assert process.stdout.readline().endswith(": serving\n")

    def start_worker(self, port):
        self.workers[port] = self._start(
            "worker",
            f"--dispatcher={self.address}",
            f"--address=localhost:{port}",
        )

    @staticmethod
    def _start(*arguments):
        return subprocess.Popen(
            [sys.executable, str(_SCRIPT), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def lose_worker(self):
        """Kills one; returns its port."""
        port, worker = self.workers.popitem()
        worker.kill()
        worker.wait()
        return port

    def stop(self):
        for process in [*self._processes, *self.workers.values()]:
            process.kill()
            process.wait()


@contextlib.contextmanager
def serving(num_workers):
    started = Service(num_workers)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def service():
    with serving(2) as started:
        yield started


def settings(**kwargs):
    return {
        "batch_size": 8,
        "shuffle_buffer": 16,
        "seed": 3,
        "count_records": True,
        **kwargs,
    }


def read(address, pattern, reader, *, skip_examples=0, timeout=30, **kwargs):
    return data_service.read(
        address,
        reader,
        readers.expand_patterns(pattern),
        settings(**kwargs),
        skip_examples=skip_examples,
        timeout=timeout,
    )


def video_reader():
    return readers.VideoLevelReader(
        tuple(tiny_runs.VIDEO_SIZES),
        tuple(tiny_runs.VIDEO_SIZES.values()),
        tiny_runs.NUM_CLASSES,
    )


def read_to_the_end(dataset):
    with readers.readable_errors():
        return list(dataset)


def make_config(folder, kind, **kwargs):
    if kind == "videos":
        pattern = tiny_runs.write_videos(folder / "data", 43, num_files=4)
        return tiny_runs.video_config(pattern, **kwargs)
    pattern = tiny_runs.write_frames(folder / "data", 43, num_files=4)
    return tiny_runs.frame_config(pattern, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "shards"), [("videos", None), ("frames", None), ("frames", 4)]
)
def test_runs_are_those_without_a_service(tmp_path, service, kind, shards):
    """Frames are sampled at random; a run goes on in the midst of an epoch."""
    config = make_config(tmp_path, kind, data_shards=shards)
    whole, served = str(tmp_path / "whole"), str(tmp_path / "served")
    training.train(config, whole)
    config = tiny_runs.change_training(config, data_service=service.address)
    training.train(tiny_runs.change_training(config, max_steps=3), served)
    training.train(config, served)
    tiny_runs.assert_same_weights(served, whole)


@pytest.mark.slow
def test_a_data_set_can_be_read_again(tmp_path, service):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    dataset = read(service.address, pattern, video_reader(), skip_examples=5)
    expected = readers.make_dataset(
        video_reader(),
        readers.expand_patterns(pattern),
        skip_examples=5,
        **settings(),
    )
    assert dataset.element_spec == expected.element_spec
    for _ in range(2):
        for batch, wanted in zip(dataset, expected, strict=True):
            for name, value in wanted.items():
                np.testing.assert_array_equal(batch[name], value, err_msg=name)


@pytest.mark.slow
def test_real_records(service, shared_data):
    files = readers.expand_patterns(
        f"{shared_data}/yt8m_2018_video/validate000[0-3]*"
    )
    reader = readers.VideoLevelReader(("mean_rgb",), (1024,))
    values = settings(batch_size=256)
    expected = list(readers.make_dataset(reader, files, **values))
    found = data_service.read(
        service.address, reader, files, values, skip_examples=0, timeout=30
    )
    for batch, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(batch["id"], wanted["id"])
        np.testing.assert_array_equal(batch["features"], wanted["features"])


@pytest.mark.slow
def test_damage_is_named_as_without_a_service(tmp_path, service):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    path = tmp_path / "train2.tfrecord"
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF
    path.write_bytes(data)
    files = readers.expand_patterns(pattern)
    datasets = (
        readers.make_dataset(video_reader(), files, **settings()),
        read(service.address, pattern, video_reader()),
    )
    batches, errors = [], []
    for dataset in datasets:
        batches.append([])
        with pytest.raises(readers.DataError) as error:
            with readers.readable_errors():
                for batch in dataset:
                    batches[-1].append(batch["id"].numpy().tolist())
        errors.append(str(error.value))
    assert errors[0] == errors[1]
    assert batches[0] == batches[1]
    assert f"{path}: record 10 (byte" in errors[0]


@pytest.mark.slow
def test_a_wrong_record_is_named_as_without_a_service(tmp_path, service):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    reader = readers.VideoLevelReader(
        ("mean_rgb", "mean_audio"), (6, 4), tiny_runs.NUM_CLASSES
    )
    with pytest.raises(
        readers.DataError,
        match=r"train\d.tfrecord: record \d+: expected the feature "
        "'mean_audio' to be 4 float values. Received: 3",
    ):
        read_to_the_end(read(service.address, pattern, reader))


@pytest.mark.slow
def test_what_needs_python_is_read_here(tmp_path, service, caplog):
    """A record with a key that is not YouTube-8M's, in the midst."""
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    path = str(tmp_path / "train1.tfrecord")
    contents = [r.numpy() for r in tf.data.TFRecordDataset(path)]
    example = tf.train.Example.FromString(contents[5])
    example.features.feature["url"].bytes_list.value.append(b"somewhere")
    contents[5] = example.SerializeToString()
    with tf.io.TFRecordWriter(path) as writer:
        for record in contents:
            writer.write(record)
    expected = read_to_the_end(
        readers.make_dataset(
            video_reader(), readers.expand_patterns(pattern), **settings()
        )
    )
    found = read_to_the_end(read(service.address, pattern, video_reader()))
    for batch, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(batch["id"], wanted["id"])
        np.testing.assert_array_equal(batch["features"], wanted["features"])
    assert "can't read labels of segments" in caplog.text


@pytest.mark.slow
def test_a_record_that_the_parser_refuses_is_read_here(
    tmp_path, service, caplog
):
    """An unread feature of another type, early in many batches."""
    path = str(tmp_path / "a.tfrecord")
    good = record_makers.make_video_example(0, num_classes=5)
    example = tf.train.Example.FromString(good)
    feature = example.features.feature["mean_audio"]
    feature.ClearField("float_list")
    feature.int64_list.value.append(3)
    contents = [good] * 200
    contents[20] = example.SerializeToString()
    record_makers.write_tfrecord(path, contents)
    reader = readers.VideoLevelReader(("mean_rgb",), (6,), 5)
    batches = read_to_the_end(
        read(service.address, path, reader, shuffle_buffer=0)
    )
    assert sum(len(batch["id"]) for batch in batches) == 200
    assert "can't read labels of segments" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 4])
def test_a_signal_while_a_batch_is_waited_for(tmp_path, shards):
    """It is saved at once, and the same command goes on."""
    config = make_config(tmp_path, "videos", data_shards=shards)
    whole, path = str(tmp_path / "whole"), str(tmp_path / "run")
    training.train(config, whole)
    with serving(1) as started:
        config = tiny_runs.change_training(
            config, data_service=started.address, connect_timeout=200
        )
        training.train(tiny_runs.change_training(config, max_steps=3), path)
        port = started.lose_worker()
        process = tiny_runs.start(
            "-m",
            "yt8m_compact.programs.train",
            f"--train_dir={path}",
            *tiny_runs.training_flags(config),
            folder=tmp_path,
        )
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("folder "):
                break
        time.sleep(8)  # It waits then.
        process.terminate()
        start = time.monotonic()
        try:
            output, _ = process.communicate(timeout=_SECONDS)
        finally:
            process.kill()
        assert process.returncode == 143, (lines, output)
        assert time.monotonic() - start < 30
        assert "stopped by signal 15 at step 3; saved" in output
        started.start_worker(port)
        training.train(config, path)
    tiny_runs.assert_same_weights(path, whole)


@pytest.mark.slow
def test_what_is_wrong_with_what_is_read_here(tmp_path, service):
    """After a record that needs Python, one of another size."""
    path = str(tmp_path / "a.tfrecord")
    good = record_makers.make_video_example(0, num_classes=5)
    example = tf.train.Example.FromString(good)
    example.features.feature["url"].bytes_list.value.append(b"somewhere")
    unusual = example.SerializeToString()
    del example.features.feature["mean_rgb"].float_list.value[3:]
    record_makers.write_tfrecord(
        path, [good] * 8 + [unusual] * 8 + [example.SerializeToString()]
    )
    with pytest.raises(
        readers.DataError,
        match=f"^{path}: record 16: expected the feature 'mean_rgb' to be 6 "
        "float values. Received: 3",
    ):
        read_to_the_end(
            read(service.address, path, video_reader(), shuffle_buffer=0)
        )


@pytest.mark.slow
def test_a_file_that_is_gone(tmp_path, service):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    dataset = read(service.address, pattern, video_reader())
    (tmp_path / "train2.tfrecord").unlink()
    with pytest.raises(
        readers.DataError,
        match=f"^{tmp_path}/train2.tfrecord: expected a TFRecord file that can "
        "be opened",
    ):
        read_to_the_end(dataset)


@pytest.mark.slow
def test_files_that_the_workers_do_not_have(tmp_path, service, monkeypatch):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    monkeypatch.setattr(data_service, "_name_for_workers", lambda name: "gone")
    monkeypatch.setattr(
        records, "filled_files", lambda files, skipped: (files, [9] * 4)
    )
    dataset = read(service.address, pattern, video_reader())
    monkeypatch.undo()
    with pytest.raises(
        readers.DataError,
        match=f"^expected the workers of data_service={service.address} to "
        "read what this machine can read. Received: gone, record 0 ",
    ):
        read_to_the_end(dataset)


@pytest.mark.slow
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_worker_that_is_lost(tmp_path, comes_back):
    """Nothing is left out; the same command goes on to the same weights."""
    config = make_config(tmp_path, "videos", num_epochs=2000)
    config = tiny_runs.change_training(config, max_steps=30)
    whole, path = str(tmp_path / "whole"), str(tmp_path / "run")
    training.train(config, whole)
    with serving(1) as started:
        config = tiny_runs.change_training(
            config, data_service=started.address, connect_timeout=_SECONDS
        )
        training.train(tiny_runs.change_training(config, max_steps=9), path)
        port = started.lose_worker()
        if not comes_back:
            quick = tiny_runs.change_training(config, connect_timeout=2)
            start = time.monotonic()
            with pytest.raises(
                readers.DataError,
                match=f"^expected a batch of data_service={started.address} "
                "within 2 s. Received: none",
            ):
                training.train(quick, path)
            assert time.monotonic() - start < 30
        started.start_worker(port)
        training.train(config, path)
    tiny_runs.assert_same_weights(path, whole)


@pytest.mark.slow
def test_a_worker_that_is_started_again_has_lost_its_shard(tmp_path):
    """It does not count as the end of the data."""
    pattern = tiny_runs.write_videos(tmp_path, 4000, num_files=4)
    with serving(1) as started:
        dataset = read(
            started.address, pattern, video_reader(), timeout=_SECONDS
        )
        iterator = iter(dataset)
        with (
            pytest.raises(
                readers.DataError,
                match="^expected the worker of data_service="
                f"{started.address} to read the shard to its end. Received: "
                "less",
            ),
            readers.readable_errors(),
        ):
            next(iterator)
            started.start_worker(started.lose_worker())
            for _ in iterator:
                pass


@contextlib.contextmanager
def silent_server():
    """Accepts connections and says nothing."""
    with socket.create_server(("localhost", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def no_server():
    yield free_ports.find(1)[0]


@pytest.mark.parametrize(
    ("server", "answer"),
    [
        (silent_server, "none, though something listens there"),
        (no_server, "none, and nobody listens there"),
    ],
)
def test_an_address_without_a_dispatcher(tmp_path, server, answer):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    with server() as port:
        address = f"localhost:{port}"
        start = time.monotonic()
        with pytest.raises(
            readers.DataError,
            match=f"^expected a batch of data_service={address} within 1 s. "
            f"Received: {answer}",
        ):
            read_to_the_end(read(address, pattern, video_reader(), timeout=1))
        assert time.monotonic() - start < 20


@pytest.mark.slow
def test_a_program_without_a_dispatcher_ends(tmp_path):
    """One line, and no thread that TensorFlow holds keeps it."""
    config = make_config(tmp_path, "videos", connect_timeout=1)
    with silent_server() as port:
        config = tiny_runs.change_training(
            config, data_service=f"localhost:{port}"
        )
        process = tiny_runs.execute(
            "-m",
            "yt8m_compact.programs.train",
            f"--train_dir={tmp_path / 'run'}",
            *tiny_runs.training_flags(config),
            folder=tmp_path,
        )
    assert process.returncode == 1
    assert (
        f"expected a batch of --data_service=localhost:{port} within 1 s"
        in process.stderr
    )
    assert "Traceback" not in process.stderr


def test_waiting_is_told(monkeypatch, caplog):
    monkeypatch.setattr(data_service, "_TOLD_SECONDS", 0.1)
    monkeypatch.setattr(data_service, "_POLL_SECONDS", 0.1)
    monkeypatch.setattr(
        data_service, "_distribute", lambda *_: threading.Event().wait()
    )
    fetcher = data_service._Fetcher(tf.data.Dataset.range(1), "a:1")
    with pytest.raises(data_service._Stop):
        fetcher.fetch(0.3)
    assert "waiting for a batch of data_service=a:1 since 0 s" in caplog.text

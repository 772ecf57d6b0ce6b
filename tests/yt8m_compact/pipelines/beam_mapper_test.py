"""Tests of tasks that workers of Apache Beam do."""

import functools
import os
import pathlib
import signal
import time

import pytest
import tensorflow as tf

from yt8m_compact import pipelines
from yt8m_compact import readers
from yt8m_compact.pipelines import beam_mapper
from yt8m_compact.pipelines import beam_options


class UnpicklableError(ValueError):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def _square(folder, task, update):
    """Squares; says in a file that it did."""
    update(task)
    with open(os.path.join(folder, f"{task}.log"), "a") as file:
        file.write(f"{os.getpid()}\n")
    if task == 7:
        raise readers.DataError("a.tfrecord: record 7: bad")
    if task == 8:
        raise UnpicklableError(1, 2)
    return task * task


def _counts(folder):
    return {
        int(path.stem): len(path.read_text().splitlines())
        for path in pathlib.Path(folder).iterdir()
    }


def test_results_in_the_order_of_tasks(tmp_path, monkeypatch):
    logs, temporary = tmp_path / "logs", tmp_path / "tmp"
    logs.mkdir()
    temporary.mkdir()
    mapper = pipelines.make_mapper(
        "DirectRunner", f"--temp_location={temporary}"
    )
    counts = []
    found = list(
        mapper.map(
            functools.partial(_square, str(logs)), [3, 1, 2], counts.append
        )
    )
    assert found == [(3, 9), (1, 1), (2, 4)]
    assert counts == [3, 1, 2]
    assert _counts(logs) == {1: 1, 2: 1, 3: 1}
    assert list(temporary.iterdir()) == []
    assert list(mapper.map(_square, [])) == []


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        (7, readers.DataError, "^a.tfrecord: record 7: bad$"),
        (8, RuntimeError, "^UnpicklableError: 1 and 2$"),
    ],
)
def test_the_error_of_a_task(tmp_path, task, kind, message, capfd):
    mapper = pipelines.make_mapper("direct")
    found = []
    with pytest.raises(kind, match=message):
        found.extend(
            mapper.map(functools.partial(_square, str(tmp_path)), [2, task, 3])
        )
    # What was done before, and nothing after it.
    assert found in ([(2, 4)], [])
    assert len(_counts(tmp_path)) < 3
    assert "Traceback" not in capfd.readouterr().err


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, also where a shell runs this in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("interruptible")
def test_a_program_that_is_interrupted(tmp_path):
    mapper = pipelines.make_mapper("direct")
    with pytest.raises(KeyboardInterrupt):
        list(mapper.map(functools.partial(_interrupt, str(tmp_path)), [1, 2]))
    # The first one was told to end, and no other one began.
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert (tmp_path / "1").read_text() == "ended"
    # It holds for this call alone.
    logs = tmp_path / "logs"
    logs.mkdir()
    results = mapper.map(functools.partial(_square, str(logs)), [2])
    assert list(results) == [(2, 4)]


def _interrupt(folder, task, update):
    """Interrupts the main thread, and goes on until it is told to end."""
    path = pathlib.Path(folder) / str(task)
    path.write_text("began")
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(200):
        try:
            update(1)
        except InterruptedError:
            path.write_text("ended")
            raise
        time.sleep(0.05)


def _fail_once(folder, task, update):
    update(1)
    path = os.path.join(folder, str(task))
    if not os.path.exists(path):
        pathlib.Path(path).touch()
        raise tf.errors.UnavailableError(None, None, f"{task}: try again")
    return task


def _fail_always(task, update):
    del update
    raise tf.errors.UnavailableError(None, None, f"{task}: try again")


def test_a_runner_that_tries_again(tmp_path, capfd):
    # As runners of other machines do.
    folder = tmp_path / "tasks"
    folder.mkdir()
    mapper = pipelines.make_mapper(
        "BundleBasedDirectRunner", f"--temp_location={tmp_path}/tmp"
    )
    counts = []
    results = mapper.map(
        functools.partial(_fail_once, str(folder)), [4, 5], counts.append
    )
    assert list(results) == [(4, 4), (5, 5)]
    assert counts == [1, 1]
    with pytest.raises(tf.errors.UnavailableError, match="^4: try again$"):
        list(mapper.map(_fail_always, [4]))
    assert "Traceback" not in capfd.readouterr().err
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (
            RuntimeError("no quota\nat line 3"),
            "to its end. Received: no quota; ",
        ),
        (None, "expected the results of all workers. Received: some are"),
    ],
)
def test_a_runner_that_fails(monkeypatch, trouble, message):
    monkeypatch.setattr(
        beam_mapper.BeamMapper, "_run", lambda *arguments: trouble
    )
    with pytest.raises(OSError, match=message):
        list(pipelines.make_mapper("direct").map(_square, [1]))


class Ended:
    def __init__(self, state):
        self._state = state

    def run_pipeline(self, pipeline, options):
        return self

    def wait_until_finish(self):
        return self._state


def test_a_pipeline_that_is_cancelled(monkeypatch):
    beam = beam_options.load_beam()
    mapper = pipelines.make_mapper("direct")
    monkeypatch.setattr(beam.Pipeline, "run", lambda self: Ended("CANCELLED"))
    with pytest.raises(OSError, match="ended in the state CANCELLED"):
        list(mapper.map(_square, [1]))

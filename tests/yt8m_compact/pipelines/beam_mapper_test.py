"""Tests of tasks that workers of Apache Beam do."""

import functools
import os
import pathlib
import signal
import threading
import time

import pytest

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


def test_a_program_that_is_interrupted(tmp_path):
    mapper = pipelines.make_mapper("direct")
    number = threading.get_native_id()
    with pytest.raises(KeyboardInterrupt):
        list(mapper.map(functools.partial(_interrupt, number), [1, 2]))
    # It holds for this one alone.
    results = mapper.map(functools.partial(_square, str(tmp_path)), [2])
    assert list(results) == [(2, 4)]


def _interrupt(number, task, update):
    """Interrupts the main thread, and goes on until it is told to end."""
    del task
    assert threading.get_native_id() != number
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(200):
        update(1)
        time.sleep(0.1)
    raise AssertionError("was not told to end")


class TryingAgain:
    """A runner of other machines, as far as `_run` sees it."""

    def __init__(self, state="DONE", tries=1):
        self._state, self._tries = state, tries

    def __call__(self, mapper, function, tasks, folder):
        for element in map(beam_mapper.pickle.dumps, enumerate(tasks)):
            for _ in range(self._tries):
                try:
                    beam_mapper._do(
                        beam_mapper.pickle.dumps(function),
                        folder,
                        False,
                        element,
                    )
                except ValueError as error:
                    trouble = error
                    continue
                break
            else:
                return trouble
        return None


def _fail_once(folder, task, update):
    path = os.path.join(folder, str(task))
    if not os.path.exists(path):
        pathlib.Path(path).touch()
        raise readers.DataError(f"failed at {task}")
    return task


@pytest.mark.parametrize("tries", [1, 2])
def test_a_task_that_is_tried_again(tmp_path, monkeypatch, tries):
    run = TryingAgain(tries=tries)
    monkeypatch.setattr(
        beam_mapper.BeamMapper,
        "_run",
        lambda self, *arguments: run(self, *arguments),
    )
    mapper = pipelines.make_mapper("direct")
    results = mapper.map(functools.partial(_fail_once, str(tmp_path)), [4, 5])
    if tries == 1:
        with pytest.raises(readers.DataError, match="failed at 4"):
            list(results)
    else:
        assert list(results) == [(4, 4), (5, 5)]


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

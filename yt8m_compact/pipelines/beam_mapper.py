"""Has the workers of an Apache Beam runner do tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
import concurrent.futures
import contextlib
import dataclasses
import functools
import logging
import os
import pickle
import secrets
import sys
import threading
from typing import Any

from absl import logging as absl_logging

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import lean_keras
from yt8m_compact import quiet_logging
from yt8m_compact import task_mapping
from yt8m_compact import tensorflow_silence
from yt8m_compact import usage_error
from yt8m_compact.pipelines import beam_options

with lazy.imports():
    import tensorflow as tf

_Function = Callable[[Any, task_mapping.Update], Any]
_DONE = "{:05d}.done"
_FAILED = "{:05d}.failed"
_READERS = 16
# A model fills the memory, and computes with all cores: a process does one task
# at a time, whatever threads its runner has.
_ONE_AT_A_TIME = threading.Lock()
# Ends tasks that threads of this process are at, when it is to end.
_STOPPED = threading.Event()
_STOPPING_SECONDS = 60.0
_WAITING_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class BeamMapper:
    """A `task_mapping.Mapper` whose processes are workers of Apache Beam.

    A task is an element of a pipeline. Its result is written to a folder that
    all workers reach, under a name that the task gives: one that a runner
    starts again overwrites what it wrote with the same. So is the error of a
    task that fails in the end, which is raised here as if it had been done
    here.

    Attributes:
        runner: the name of the runner.
        options: its options, Beam's `PipelineOptions`.
    """

    runner: str
    options: Any

    @contextlib.contextmanager
    def shared_folder(self) -> Iterator[str]:
        """Makes a folder that all workers reach, which goes at the end.

        Yields:
            The folder: in the options' `temp_location`, or one of this machine.

        Raises:
            OSError: if it can't be made.
        """
        location = beam_options.temp_location(self.options)
        if not location:
            with files.temporary_folder() as folder:
                yield folder
            return
        location = files.expand_user(location)
        folder = os.path.join(location, f"yt8m_compact.{secrets.token_hex(6)}")
        tf.io.gfile.makedirs(folder)
        try:
            yield folder
        finally:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(folder)

    def map(
        self,
        function: Callable[
            [task_mapping.Task, task_mapping.Update], task_mapping.Result
        ],
        tasks: Sequence[task_mapping.Task],
        update: task_mapping.Update | None = None,
    ) -> Iterator[tuple[task_mapping.Task, task_mapping.Result]]:
        """Calls a function with each task; see `task_mapping.Mapper`.

        Args:
            function: as there.
            tasks: likewise.
            update: likewise.

        Yields:
            Tasks with their results, in their order, when all are done.

        Raises:
            Exception: what the function raised, of the first task for which it
                did, after the results that there are.
            OSError: if the runner failed, or a result is not found.
        """
        if not tasks:
            return
        with self.shared_folder() as folder:
            trouble = self._run(function, tasks, folder)
            there = {*files.list_folder(folder)}
            done = [
                index
                for index in range(len(tasks))
                if _DONE.format(index) in there
            ]
            for index, (number, result) in zip(
                done, _load_all(folder, map(_DONE.format, done)), strict=True
            ):
                if update is not None:
                    update(number)
                yield tasks[index], result
            for index in sorted({*range(len(tasks))} - {*done}):
                name = _FAILED.format(index)
                if name in there:
                    raise _load(os.path.join(folder, name)) from trouble
            if len(done) < len(tasks):
                self._tell(folder, trouble)

    def _run(
        self,
        function: _Function,
        tasks: Sequence[task_mapping.Task],
        folder: str,
    ) -> BaseException | None:
        """Runs a pipeline; returns why it failed, None where it didn't."""
        beam = beam_options.load_beam()
        pipeline = beam.Pipeline(
            beam_options.make_runner(self.runner, self.options), self.options
        )
        # Bytes need no coder that would know what is in them.
        elements = [pickle.dumps(numbered) for numbered in enumerate(tasks)]
        (
            pipeline
            | "tasks" >> beam.Create(elements)
            # What it is a function of is not imported before `_prepare`.
            | "do"
            >> beam.Map(
                functools.partial(
                    _do,
                    pickle.dumps(function),
                    folder,
                    beam_options.is_local(self.runner),
                )
            )
        )
        runs: list[Any] = []
        ended: list[Any] = []
        # Not `Thread.join`: where a signal comes, it takes a thread for dead.
        finished = threading.Event()

        def run() -> None:
            try:
                runs.append(pipeline.run())
                state = runs[0].wait_until_finish()
                ended.append(state or runs[0].state)
            except BaseException as error:
                ended.append(error)
            finally:
                finished.set()

        # Signals come to this thread, and Beam would not pass them on.
        with _quiet():
            threading.Thread(target=run, daemon=True).start()
            try:
                while not finished.wait(_WAITING_SECONDS):
                    pass
            except KeyboardInterrupt:
                _STOPPED.set()
                if beam_options.is_local(self.runner):
                    # Other processes begin nothing more; nobody reads it.
                    _save(os.path.join(folder, _FAILED.format(len(tasks))), 0)
                with contextlib.suppress(Exception):
                    for one in runs:
                        one.cancel()
                finished.wait(_STOPPING_SECONDS)
                raise
            finally:
                _STOPPED.clear()
        (found,) = ended
        if isinstance(found, BaseException):
            return found
        if found != "DONE":
            return OSError(f"the pipeline ended in the state {found}")
        return None

    def _tell(self, folder: str, trouble: BaseException | None) -> None:
        """Raises what went wrong outside of tasks.

        Args:
            folder: of the results, of which some are missing.
            trouble: why the pipeline failed, or None.

        Raises:
            OSError: always.
        """
        if trouble is not None:
            raise OSError(
                f"expected {self.runner} to run a pipeline to its end. "
                f"Received: {_first_line(trouble)}; --verbosity=1 says more"
            ) from trouble
        raise OSError(
            f"{folder}: expected the results of all workers. Received: some "
            "are not there; name a folder that all machines reach in "
            "--runner_options=--temp_location=..."
        )


def make_mapper(runner: str, options: str = "") -> BeamMapper:
    """Makes a mapper of what a command line says.

    Args:
        runner: the name of a runner of Apache Beam.
        options: its options, as a shell reads them.

    Returns:
        The mapper.

    Raises:
        UsageError: if Beam is not installed, it has no such runner or option,
            or a runner of other machines is given no folder.
    """
    beam = beam_options.load_beam()
    parsed = beam_options.parse_options(options)
    made = beam_options.make_runner(runner, parsed)
    if beam_options.is_local(runner):
        if _tells_little():
            beam_options.silence_workers(parsed)
    elif not beam_options.temp_location(parsed):
        raise usage_error.UsageError(
            "expected --runner_options to have --temp_location, a folder that "
            f"all machines reach, for {runner}. Received: "
            f"runner_options={options!r}"
        )
    try:
        with _quiet():
            beam.Pipeline(made, parsed)
    except ValueError as error:
        lacks = "; ".join(str(error).strip().splitlines()[1:]) or str(error)
        raise usage_error.UsageError(
            f"expected --runner_options that {runner} runs with. Received: "
            f"runner_options={options!r} ({lacks})"
        ) from error
    return BeamMapper(runner, parsed)


def _do(function: bytes, folder: str, stops: bool, element: bytes) -> int:
    """Does a task in a worker, and writes its result or its error.

    Args:
        function: pickled.
        folder: where to write.
        stops: whether one error ends all. If not, the runner hears of it, and
            tries again or gives up.
        element: the number of the task and the task, pickled.

    Returns:
        The number of the task.
    """
    from apache_beam import metrics

    counter = metrics.Metrics.counter("yt8m_compact", "records")
    with _ONE_AT_A_TIME:
        _prepare()
        index, task = pickle.loads(element)
        done = os.path.join(folder, _DONE.format(index))
        number = 0

        def update(more: int) -> None:
            nonlocal number
            if _STOPPED.is_set():
                raise InterruptedError("the program is to end")
            number += more
            counter.inc(more)

        # By an attempt of which nobody heard; or there is nobody to hear of it.
        if files.exists(done) or _STOPPED.is_set():
            return index
        if stops and any(map(_tells_failure, files.list_folder(folder))):
            return index
        try:
            result = pickle.loads(function)(task, update)
        except Exception as error:
            _save(os.path.join(folder, _FAILED.format(index)), _sent(error))
            if stops:
                return index
            raise
        _save(done, (number, result))
    return index


def _prepare() -> None:
    """Imports TensorFlow in a worker, as programs do."""
    if "tensorflow" in sys.modules:
        return
    lean_keras.prepare()
    # No process is forked beside the threads of a worker.
    with tensorflow_silence.without_notes():
        tf.__version__  # noqa: B018


def _sent(error: Exception) -> Exception:
    """Returns an error that another process can be told of."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _tells_failure(name: str) -> bool:
    return os.path.splitext(name)[1] == os.path.splitext(_FAILED)[1]


def _save(path: str, value: Any) -> None:
    with files.writing(path, "wb") as file:
        file.write(pickle.dumps(value))


def _load(path: str) -> Any:
    """Reads what `_save` wrote, in a folder that was made for this alone."""
    with tf.io.gfile.GFile(path, "rb") as file:
        return pickle.loads(file.read())


def _load_all(folder: str, names: Iterable[str]) -> Iterator[Any]:
    """Reads files, several at a time, since those of a network take long."""
    paths = [os.path.join(folder, name) for name in names]
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(_load, paths)


def _quiet() -> contextlib.AbstractContextManager[None]:
    """Keeps Beam from printing the stacks of errors that we tell in a line."""
    if not _tells_little():
        return contextlib.nullcontext()
    return quiet_logging.only(logging.CRITICAL, "apache_beam")


def _tells_little() -> bool:
    """Whether nobody asked for more than warnings, by --verbosity."""
    return absl_logging.get_verbosity() <= absl_logging.WARNING


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]

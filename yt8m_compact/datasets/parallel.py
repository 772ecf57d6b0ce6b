"""Work on many files, by several processes, with one progress bar."""

from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import multiprocessing
import os
import queue
import signal
import types
from typing import Any

import tqdm

from yt8m_compact import lean_keras
from yt8m_compact import task_mapping
from yt8m_compact import tensorflow_silence

Task = task_mapping.Task
Result = task_mapping.Result
Update = task_mapping.Update

# A process costs a few seconds, to import TensorFlow: about what it takes to
# work through so many bytes.
_BYTES_PER_PROCESS = 1 << 28
_UPDATE_SECONDS = 0.2
_reports: Any = None  # in a worker process: where progress goes


def choose_num_processes(
    num_processes: int, num_tasks: int, num_bytes: int
) -> int:
    """Returns how many processes to use.

    Args:
        num_processes: What the user wants, 0 for a choice by size.
        num_tasks: How many files there are.
        num_bytes: Their size, all together.

    Raises:
        ValueError: If `num_processes` is negative.
    """
    if num_processes < 0:
        raise ValueError(
            "expected 0 (chosen by the size of the data) or more. Received: "
            f"num_processes={num_processes}"
        )
    if not num_processes:
        try:
            num_cores = len(os.sched_getaffinity(0))
        except AttributeError:  # macOS
            num_cores = os.cpu_count() or 1
        num_processes = min(num_cores, 1 + num_bytes // _BYTES_PER_PROCESS)
    return max(1, min(num_processes, num_tasks))


def map_tasks(
    function: Callable[[Task, Update], Result],
    tasks: Sequence[Task],
    *,
    num_processes: int,
    bar: tqdm.tqdm,
    mapper: task_mapping.Mapper | None = None,
) -> Iterator[tuple[Task, Result]]:
    """Calls a function with each task, in several processes.

    Args:
        function: Gets a task, and what to call with a number of records done.
            A function of a module, if there is more than one process.
        tasks: What to do.
        num_processes: How many processes; with 1 it is done in this one.
        bar: Counts the records.
        mapper: What has other processes do it, in the place of ours.

    Yields:
        Tasks with their results, as they are done.
    """
    if mapper is not None:
        yield from mapper.map(function, tasks, bar.update)
        return
    if num_processes == 1:
        for task in tasks:
            yield task, function(task, bar.update)
        return
    # A forked process would inherit TensorFlow's locks without its threads.
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    executor = concurrent.futures.ProcessPoolExecutor(
        num_processes, context, _start_worker, (reports,)
    )
    try:
        futures = {
            executor.submit(_call, function, task): task for task in tasks
        }
        waiting = set(futures)
        while waiting:
            done, waiting = concurrent.futures.wait(
                waiting,
                _UPDATE_SECONDS,
                concurrent.futures.FIRST_COMPLETED,
            )
            _drain(reports, bar)
            for future in done:
                yield futures[future], future.result()
        _drain(reports, bar)
    except (GeneratorExit, KeyboardInterrupt):
        # Nobody waits for what the others do, maybe for minutes more. There
        # is no public way before Python 3.14.
        for process in (executor._processes or {}).values():
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(reports: Any) -> None:
    global _reports
    _reports = reports
    tensorflow_silence.prepare_worker()
    lean_keras.prepare()
    # Ctrl-C is for the process that started this one, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: types.FrameType | None) -> None:
    raise SystemExit(128 + number)


def _call(function: Callable[[Task, Update], Result], task: Task) -> Result:
    done = 0

    def update(number: int) -> None:
        nonlocal done
        done += number
        if done >= 100:
            _reports.put(done)
            done = 0

    try:
        result = function(task, update)
    except SystemExit as ended:  # Unfinished files are gone: end all of it.
        os._exit(ended.code)
    _reports.put(done)
    return result


def _drain(reports: Any, bar: tqdm.tqdm) -> None:
    while True:
        try:
            bar.update(reports.get_nowait())
        except queue.Empty:
            return

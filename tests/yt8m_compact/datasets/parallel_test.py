"""Tests of work by several processes."""

import os
import pathlib
import time

import pytest
import tqdm

from yt8m_compact import files
from yt8m_compact.datasets import parallel
from yt8m_compact.datasets import scan
from yt8m_compact.datasets import verify


def test_how_many_processes():
    assert parallel.choose_num_processes(3, 10, 0) == 3
    assert parallel.choose_num_processes(3, 2, 0) == 2
    assert parallel.choose_num_processes(0, 10, 1000) == 1
    cores = len(os.sched_getaffinity(0))
    assert parallel.choose_num_processes(0, 10**6, 10**12) == cores
    assert parallel.choose_num_processes(0, 0, 0) == 1
    with pytest.raises(ValueError, match="Received: num_processes=-1"):
        parallel.choose_num_processes(-1, 1, 1)


def _square(task, update):
    update(1)
    return task * task


def test_one_process_keeps_the_order():
    with tqdm.tqdm(disable=False, file=open(os.devnull, "w")) as bar:
        found = list(
            parallel.map_tasks(_square, [3, 1, 2], num_processes=1, bar=bar)
        )
        assert bar.n == 3
    assert found == [(3, 9), (1, 1), (2, 4)]


@pytest.mark.slow
def test_two_processes_give_the_same_reports(tmp_path):
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.tfrecord"
        path.write_bytes(b"no record" * (number + 2))
        files.append((str(path), None))
    with tqdm.tqdm(disable=True) as bar:
        one, two = (
            dict(
                parallel.map_tasks(
                    verify.check_file, files, num_processes=n, bar=bar
                )
            )
            for n in (1, 2)
        )
    assert set(one) == set(two) == set(files)
    for task in files:
        assert one[task].counts == two[task].counts
        assert one[task].counts[scan.BAD_HEADER] == 1
        assert one[task].lost_bytes == two[task].lost_bytes > 0


def _write_slowly(task, update):
    path, seconds = task
    with files.writing(path) as file:
        pathlib.Path(f"{path}.started").touch()
        file.write("x")
        time.sleep(seconds)


@pytest.mark.slow
def test_what_nobody_waits_for_ends(tmp_path):
    seconds = {"a": 0, "b": 900, "c": 900}
    tasks = [(str(tmp_path / name), each) for name, each in seconds.items()]
    with tqdm.tqdm(disable=True) as bar:
        found = parallel.map_tasks(
            _write_slowly, tasks, num_processes=2, bar=bar
        )
        assert next(found) == (tasks[0], None)
        while not (tmp_path / "b.started").exists():
            time.sleep(0.1)
        found.close()  # As an error or Ctrl-C do.
    done = {"a", "a.started", "b.started"}
    assert done <= {*os.listdir(tmp_path)} <= done | {"c.started"}

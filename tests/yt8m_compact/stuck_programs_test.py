"""Tests of signals to programs that wait where Python can't be reached."""

import os
import signal
import subprocess
import threading
import time

import pytest

import tiny_runs
from yt8m_compact import stuck_programs

# A lock of C that is taken twice is waited for without end; signals do not
# interrupt that, nor does Python see them.
_STUCK = """
import ctypes
from yt8m_compact import program

def main(flag_values, arguments):
    lock = ctypes.create_string_buffer(64)
    libc = ctypes.CDLL(None)
    libc.pthread_mutex_lock(lock)
    print("waiting", flush=True)
    libc.pthread_mutex_lock(lock)

program.run("Waits.", lambda flag_values: None, main)
"""
# Takes no signal to heart, in Python, and ends after the last one.
_BUSY = """
import signal
from yt8m_compact import program

def main(flag_values, arguments):
    taken = []
    signal.signal(signal.SIGINT, lambda number, frame: taken.append(number))
    print("waiting", flush=True)
    while len(taken) < 3:
        signal.pause()

program.run("Waits.", lambda flag_values: None, main)
"""
# Inside TensorFlow, for what nobody puts there.
_QUEUE = """
from yt8m_compact import program

def main(flag_values, arguments):
    import tensorflow as tf
    queue = tf.queue.FIFOQueue(1, [tf.int32])
    print("waiting", flush=True)
    queue.dequeue()

program.run("Waits.", lambda flag_values: None, main)
"""


def start(script: str) -> subprocess.Popen:
    process = tiny_runs.start("-c", script, folder=".")
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.2)
    return process


def line_of(process) -> str:
    """Reads the next line of standard error that is not empty."""
    while True:
        line = process.stderr.readline()
        if line.strip() or not line:
            return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "name"),
    [
        (_STUCK, "SIGINT"),
        (_STUCK, "SIGTERM"),
        (_STUCK, "SIGHUP"),
        (_QUEUE, "SIGINT"),
    ],
)
def test_a_second_signal_ends_what_is_stuck(script, name):
    number = getattr(signal, name)
    process = start(script)
    # Twice at once is once: some send it to a process and to its group.
    process.send_signal(number)
    process.send_signal(number)
    assert line_of(process) == (
        f"signal {number:d}: what goes on can't be interrupted, and is waited "
        "for. Send it again to end at once: what was saved before stays as it "
        "is\n"
    )
    assert process.poll() is None
    process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert errors.strip() == f"ended at once by signal {number:d}"


@pytest.mark.slow
def test_what_takes_signals_is_left_to_them():
    process = start(_BUSY)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(1.3)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_all_is_as_before_at_the_end():
    before = signal.getsignal(signal.SIGURG)
    threads = threading.active_count()
    with stuck_programs.ending():
        assert threading.active_count() == threads + 1
        assert signal.getsignal(signal.SIGURG) != before
    assert threading.active_count() == threads
    assert signal.getsignal(signal.SIGURG) == before
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    assert fd == -1


def test_nothing_is_done_off_the_main_thread():
    counts = []

    def run():
        with stuck_programs.ending():
            counts.append(threading.active_count())

    thread = threading.Thread(target=run)
    before = threading.active_count()
    thread.start()
    thread.join()
    assert counts == [before + 1]


def test_signals_of_children_are_theirs():
    """A forked process would write to what its parent reads."""
    with stuck_programs.ending():
        child = os.fork()
        if not child:
            fd = signal.set_wakeup_fd(-1)
            os._exit(0 if fd == -1 else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0


_HELD = """
import atexit, sys, threading, time
from yt8m_compact import stuck_programs
atexit.register(print, "finished")
with stuck_programs.leaving_held_threads():
    threading.Thread(
        target=time.sleep, args=[60], name=stuck_programs.HELD_THREAD
    ).start()
    sys.exit(7)
"""


def test_a_held_thread_does_not_keep_the_program(tmp_path):
    """What is to be done at the end is done."""
    process = tiny_runs.execute("-c", _HELD, folder=tmp_path)
    assert (process.returncode, process.stdout) == (7, "finished\n")


def test_other_threads_are_waited_for():
    """One that was there before is not the program's."""
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait, name=stuck_programs.HELD_THREAD)
    thread.start()
    try:
        with pytest.raises(SystemExit), stuck_programs.leaving_held_threads():
            raise SystemExit(0)
    finally:
        ends.set()
        thread.join()
    assert stuck_programs.untaken_signal() is None

"""Lets a second Ctrl-C end a program that the first one does not reach.

Python runs what a signal is for between two steps of its own. While the main
thread waits inside TensorFlow, for a file or another worker say, that may be
never: only what C does when a signal comes still happens, and what other
threads do, where the main one does not keep Python's lock.
"""

import atexit
from collections.abc import Iterator
import contextlib
import functools
import os
import select
import signal
import socket
import sys
import threading
import time
import types

# Ctrl-C, and what job starters and terminals send.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Asks the main thread for an answer. Nothing else uses it, and it is ignored
# where nobody listens.
_ASK = signal.SIGURG
# What takes longer is told: a step of a large model may.
_SECONDS = 1.0
_WAITING = (
    "\nsignal {}: what goes on can't be interrupted, and is waited for. Send "
    "it again to end at once: what was saved before stays as it is\n"
)
_ENDED = "\nended at once by signal {}\n"
_STDERR = 2
# Name of threads that TensorFlow may hold for longer than the program lasts.
HELD_THREAD = "held by TensorFlow"

# What the main thread was sent and has not taken: a number, or nothing.
_untaken: list[int] = []


def untaken_signal() -> int | None:
    """Returns the signal that the main thread waits too long to take.

    For other threads, on whose work it may be that it waits.

    Returns:
        Its number, None if there is none, and outside of `ending`.

    Example:
        >>> untaken_signal() is None
        True
    """
    return _untaken[-1] if _untaken else None


@contextlib.contextmanager
def leaving_held_threads() -> Iterator[None]:
    """Ends the process at once where it exits and a new thread is held.

    TensorFlow's clients try to reach who does not answer for minutes, and
    Python's end would wait for them.

    Yields:
        While `SystemExit` is the end of the process.
    """
    before = set(threading.enumerate())
    try:
        yield
    except SystemExit as end:
        started = set(threading.enumerate()) - before
        if any(thread.name == HELD_THREAD for thread in started) and (
            end.code is None or isinstance(end.code, int)
        ):
            atexit._run_exitfuncs()  # Trackers of runs end in them.
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            os._exit(end.code or 0)
        raise


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Ends the process by a second signal, where the first one is not taken.

    After SIGINT, SIGTERM or SIGHUP the main thread has a second to run
    anything in Python. If it does, what it does about the signal is its own
    matter. If not, standard error says that another signal ends the process
    at once, and the next one does, with 128 and its number as exit status:
    nothing is cleaned up, as by `kill -9`. Signals until then, which some
    starters of jobs send twice, count as one. Off the main thread, this does
    nothing.

    Yields:
        While that is so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _forget_in_children()
    answered = threading.Event()

    def answer(number: int, frame: types.FrameType | None) -> None:
        del number, frame
        answered.set()

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.signal(_ASK, answer)
    fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=_watch, args=[reader, answered], daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(fd)
        writer.close()
        watcher.join()
        reader.close()
        signal.signal(_ASK, before)


@functools.cache
def _forget_in_children() -> None:
    """Keeps what a forked process is sent from ending this one."""
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


def _watch(reader: socket.socket, answered: threading.Event) -> None:
    """Gets the number of each signal, when it comes."""
    asked_at: float | None = None  # of a signal that was not taken yet
    is_told = False
    number = 0
    while True:
        timeout = None
        if asked_at is not None and not is_told:
            timeout = max(0.0, asked_at + _SECONDS - time.monotonic())
        ready, _, _ = select.select([reader], [], [], timeout)
        if asked_at is not None and answered.is_set():
            asked_at, is_told = None, False
            _untaken.clear()
        if not ready:
            if asked_at is not None:
                _say(_WAITING.format(number))
                is_told = True
                _untaken.append(number)
            continue
        content = reader.recv(64)
        if not content:
            return
        numbers = [one for one in content if one in _SIGNALS]
        if not numbers:
            continue
        number = numbers[-1]
        if is_told:
            _say(_ENDED.format(number))
            os._exit(128 + number)
        if asked_at is None:
            asked_at = time.monotonic()
            answered.clear()
            signal.pthread_kill(threading.main_thread().ident, _ASK)


def _say(text: str) -> None:
    """Writes what needs no lock, which the main thread may hold."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, text.encode())

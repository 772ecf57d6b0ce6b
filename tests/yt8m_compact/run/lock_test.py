"""Tests of the lock of a run's folder."""

import json
import os
import re
import signal
import time

import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact.run import lock as run_lock

HOLD = """
import sys
from yt8m_compact.run import lock as run_lock
with run_lock.RunLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "run")


def lock_path(folder: str) -> str:
    return os.path.join(folder, "trainer.lock")


def test_one_at_a_time(folder):
    with run_lock.RunLock(folder) as lock:
        lock.check()
        assert os.listdir(folder) == ["trainer.lock"]
        with pytest.raises(
            OSError,
            match=(
                f"^{re.escape(folder)}: expected a folder that no one else "
                rf"trains in\. Received: that of process {os.getpid()} on "
                r"\S+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+: .*; wait for "
                "its end, stop it, or choose another folder$"
            ),
        ):
            run_lock.RunLock(folder).__enter__()
    assert os.listdir(folder) == []
    with run_lock.RunLock(folder):
        pass


def test_other_folders_are_free(tmp_path):
    with run_lock.RunLock(str(tmp_path / "a")):
        with run_lock.RunLock(str(tmp_path / "b")):
            pass


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock(folder, tmp_path):
    process = tiny_runs.start("-c", HOLD, folder, folder=tmp_path, stdin=-1)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(OSError, match=f"that of process {process.pid} on "):
        run_lock.RunLock(folder).__enter__()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.path.exists(lock_path(folder))
    with run_lock.RunLock(folder):
        holder = json.loads(open(lock_path(folder)).read())
        assert holder["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": 3}', "[" * 9999])
def test_a_holder_that_does_not_tell_who_it_is(folder, text):
    with run_lock.RunLock(folder):
        with open(lock_path(folder), "w") as file:
            file.write(text)
        with pytest.raises(OSError, match="of a process that does not say whi"):
            run_lock.RunLock(folder).__enter__()


def test_a_folder_that_was_renamed(folder, tmp_path):
    moved = str(tmp_path / "moved")
    with run_lock.RunLock(folder) as lock:
        os.rename(folder, moved)
        lock.follow(moved)
        assert os.listdir(moved) == []
        with pytest.raises(OSError, match="no one else trains in"):
            run_lock.RunLock(folder).__enter__()
        with run_lock.RunLock(moved):
            pass
    assert os.listdir(folder) == []


def test_a_run_that_was_moved_within_its_folder(folder):
    with run_lock.RunLock(folder) as lock:
        os.mkdir(os.path.join(folder, "before"))
        lock.follow(os.path.join(folder, "before"))
        with pytest.raises(OSError, match="no one else trains in"):
            run_lock.RunLock(folder).__enter__()
    assert os.listdir(folder) == ["before"]


def test_a_folder_that_another_trainer_took_after_the_renaming(
    folder, tmp_path
):
    moved = str(tmp_path / "moved")
    with run_lock.RunLock(folder) as lock:
        os.rename(folder, moved)
        with run_lock.RunLock(folder):
            with pytest.raises(OSError, match="no one else trains in"):
                lock.follow(moved)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "run")
    with pytest.raises(
        OSError,
        match=(
            f"^{re.escape(folder)}: expected a folder that can be written, to "
            "train in it. Received: .*; choose another folder$"
        ),
    ):
        run_lock.RunLock(folder).__enter__()


def test_a_lock_that_was_removed_meanwhile(folder, monkeypatch):
    """Who waited for a lock has that of a file that is gone by then."""
    flock = run_lock.fcntl.flock
    calls = []

    def remove_first(descriptor, operation):
        if not calls:
            os.remove(lock_path(folder))
        calls.append(operation)
        flock(descriptor, operation)

    monkeypatch.setattr(run_lock.fcntl, "flock", remove_first)
    with run_lock.RunLock(folder):
        assert len(calls) == 2
        with pytest.raises(OSError, match="no one else trains in"):
            run_lock.RunLock(folder).__enter__()


@pytest.fixture
def fast(monkeypatch) -> None:
    """Leases that are renewed every 20 ms and end after 200 ms."""
    monkeypatch.setattr(run_lock, "_RENEW_SECONDS", 0.02)
    monkeypatch.setattr(run_lock, "_EXPIRE_SECONDS", 0.2)
    monkeypatch.setattr(run_lock, "_SETTLE_SECONDS", 0.05)


@pytest.fixture
def remote(fast, request) -> str:
    """A folder that is not local: TensorFlow's file system in memory."""
    return f"ram://{request.node.name}/run"


def write_other(folder: str) -> None:
    """Writes the lease of another process."""
    # This file system appends to a file that is there.
    other = f"{lock_path(folder)}.other"
    with tf.io.gfile.GFile(other, "w") as file:
        file.write("{}")
    tf.io.gfile.rename(other, lock_path(folder), overwrite=True)


def test_lease_of_one_that_lives(remote):
    with run_lock.RunLock(remote) as lock:
        with pytest.raises(
            run_lock.HeldError,
            match=f"^{re.escape(remote)}: expected a folder that no one else "
            f"trains in. Received: that of process {os.getpid()} on",
        ):
            run_lock.RunLock(remote).__enter__()
        lock.check()
    assert not tf.io.gfile.exists(lock_path(remote))


def test_lease_of_one_that_was_killed(remote):
    tf.io.gfile.makedirs(remote)
    write_other(remote)
    start = time.monotonic()
    with run_lock.RunLock(remote):
        assert time.monotonic() - start >= 0.2
        with tf.io.gfile.GFile(lock_path(remote)) as file:
            assert json.loads(file.read())["pid"] == os.getpid()


def test_lease_that_was_taken_over(remote):
    with run_lock.RunLock(remote) as lock:
        write_other(remote)
        end = time.monotonic() + 10
        with pytest.raises(run_lock.HeldError, match="that of a process that"):
            while time.monotonic() < end:
                lock.check()
                time.sleep(0.01)
    # It is the other one's.
    assert tf.io.gfile.exists(lock_path(remote))


def test_lease_that_two_write_at_once(remote, monkeypatch):
    sleep = time.sleep

    def write_too(seconds):
        write_other(remote)
        sleep(seconds)

    monkeypatch.setattr(run_lock.time, "sleep", write_too)
    with pytest.raises(run_lock.HeldError, match="that of a process that"):
        run_lock.RunLock(remote).__enter__()


def test_lease_of_a_folder_that_was_renamed(remote):
    with run_lock.RunLock(remote) as lock:
        moved = f"{remote}.before"
        tf.io.gfile.makedirs(moved)
        tf.io.gfile.copy(lock_path(remote), lock_path(moved))
        lock.follow(moved)
        assert not tf.io.gfile.exists(lock_path(moved))
        write_other(remote)
        with pytest.raises(run_lock.HeldError, match="that of a process that"):
            lock.follow(moved)


def test_file_system_without_locks(folder, fast, monkeypatch, caplog):
    def no_locks(descriptor, operation):
        raise OSError(run_lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock.fcntl, "flock", no_locks)
    with run_lock.RunLock(folder):
        assert (
            f"{folder}: its file system has no locks (No locks available)"
            in caplog.text
        )
        with pytest.raises(run_lock.HeldError, match=f"process {os.getpid()} "):
            run_lock.RunLock(folder).__enter__()
    assert os.listdir(folder) == []

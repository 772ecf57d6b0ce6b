"""One trainer for the folder of a run."""

import contextlib
import dataclasses
import errno
import fcntl
import json
import logging
import os
import secrets
import shlex
import socket
import sys
import threading
import time

import tensorflow as tf

from yt8m_compact import files

LOCK_FILE = "trainer.lock"
# A lease is renewed so often, and is that of a dead process after so long.
_RENEW_SECONDS = 15.0
_EXPIRE_SECONDS = 60.0
# Of two that write a lease at once, one has the last word by then.
_SETTLE_SECONDS = 2.0
_COMMAND_LENGTH = 300
# What file systems say that have no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_ERRORS = (OSError, tf.errors.OpError)

_LOGGER = logging.getLogger(__name__)


class RunLock:
    """Keeps others from training in a folder, while it is entered.

    In a local folder it is a lock of a file, which ends with the process,
    however that ends. Elsewhere (`gs://...`), and where there are no locks, it
    is a lease: a file that is written again every 15 s, and that another
    trainer takes over when it has not changed for 60 s.

    Args:
        folder: The folder; made if need be.

    Raises:
        OSError: On entering, if another trainer has the folder, or it can't
            be written.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock: _FileLock | _Lease | None = None

    def __enter__(self) -> "RunLock":
        """Takes the lock."""
        try:
            tf.io.gfile.makedirs(self._folder)
            if files.is_local(self._folder):
                self._lock = _lock_local(self._folder)
            else:
                self._lock = _Lease(self._folder)
        except HeldError:
            raise
        except _ERRORS as error:
            raise OSError(
                f"{self._folder}: expected a folder that can be written, to "
                f"train in it. Received: {_reason(error)}; choose another "
                "folder"
            ) from error
        return self

    def __exit__(self, *unused: object) -> None:
        """Gives the lock back."""
        self._lock.release()

    def follow(self, moved: str) -> None:
        """Keeps the lock after the run was moved: takes that of a new folder.

        Args:
            moved: The folder that holds the run now; this one, renamed, or one
                in it.

        Raises:
            OSError: If another trainer has taken the folder in between.
        """
        tf.io.gfile.makedirs(self._folder)
        self._lock = self._lock.follow(moved)

    def check(self) -> None:
        """Checks that no one has taken the folder over.

        Raises:
            OSError: If someone has, since this process has not shown for a
                while that it lives.
        """
        self._lock.check()


class HeldError(OSError):
    """Another process trains in the folder."""


@dataclasses.dataclass(frozen=True)
class _Holder:
    """Who has a lock; what its file holds."""

    token: str
    host: str
    pid: int
    since: str
    command: str
    renewed: int = 0

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self)) + "\n"


def _this_process() -> _Holder:
    return _Holder(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        since=time.strftime("%Y-%m-%d %H:%M:%S %z"),
        command=shlex.join(sys.argv)[:_COMMAND_LENGTH],
    )


def _describe(text: str) -> str:
    """Says who wrote the file of a lock, as far as it tells."""
    try:
        holder = _Holder(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return "a process that does not say which"
    text = (
        f"process {holder.pid} on {holder.host}, since {holder.since}: "
        f"{holder.command}"
    )
    return text if text.isprintable() else repr(text)


def _held_error(folder: str, text: str) -> HeldError:
    return HeldError(
        f"{folder}: expected a folder that no one else trains in. Received: "
        f"that of {_describe(text)}; wait for its end, stop it, or choose "
        "another folder"
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "message", None)
    return str(text or error).split("\n", 1)[0]


def _lock_local(folder: str) -> "_FileLock | _Lease":
    try:
        return _FileLock(folder)
    except HeldError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _LOGGER.warning(
            "%s: its file system has no locks (%s); a file there, written "
            "again every %g s, keeps other trainers away",
            folder,
            error.strerror,
            _RENEW_SECONDS,
        )
        return _Lease(folder)


class _FileLock:
    """A lock of the system's on a file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, LOCK_FILE)
        self._descriptor = self._acquire()
        # A full disk takes no name, and is no reason not to lock.
        with contextlib.suppress(OSError):
            os.truncate(self._descriptor, 0)
            os.pwrite(self._descriptor, _this_process().to_json().encode(), 0)

    def _acquire(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The one that had it may have removed the file since.
                if self._is_at(self._path, descriptor):
                    return descriptor
            except BlockingIOError:
                text = os.pread(descriptor, 1 << 16, 0).decode(errors="replace")
                os.close(descriptor)
                raise _held_error(self._folder, text) from None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @staticmethod
    def _is_at(path: str, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.stat(path), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """The system keeps it."""

    def follow(self, moved: str) -> "_FileLock":
        if self._is_at(self._path, self._descriptor):
            return self  # What was moved is in the folder.
        taken = _FileLock(self._folder)
        self._path = os.path.join(moved, LOCK_FILE)
        self.release()
        return taken

    def release(self) -> None:
        # Before the lock ends: then it is not yet that of someone else.
        if self._is_at(self._path, self._descriptor):
            with contextlib.suppress(OSError):
                os.remove(self._path)
        os.close(self._descriptor)


class _Lease:
    """A file that shows by its changes that its process lives."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, LOCK_FILE)
        self._holder = _this_process()
        self._taken_by: str | None = None
        self._expect_dead(self._read())
        self._write()
        time.sleep(_SETTLE_SECONDS)
        self._expect_own()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _read(self) -> str | None:
        try:
            with tf.io.gfile.GFile(self._path) as file:
                return file.read() or None
        except tf.errors.NotFoundError:
            return None

    def _write(self) -> None:
        # Not through `files.writing`, which locks local files.
        partial = f"{self._path}.{self._holder.token}"
        with tf.io.gfile.GFile(partial, "w") as file:
            file.write(self._holder.to_json())
        tf.io.gfile.rename(partial, self._path, overwrite=True)

    def _is_own(self, text: str | None) -> bool:
        return text is not None and self._holder.token in text

    def _expect_dead(self, holder: str | None) -> None:
        if holder is None:
            return
        _LOGGER.info(
            "%s: looking for %g s whether its trainer lives, %s",
            self._folder,
            _EXPIRE_SECONDS,
            _describe(holder),
        )
        end = time.monotonic() + _EXPIRE_SECONDS
        while time.monotonic() < end:
            time.sleep(min(_SETTLE_SECONDS, _EXPIRE_SECONDS))
            now = self._read()
            if now is None:
                return
            if now != holder:
                raise _held_error(self._folder, now)

    def _expect_own(self) -> None:
        holder = self._read()
        if not self._is_own(holder):
            raise _held_error(self._folder, holder or "")

    def _renew(self) -> None:
        while not self._stopped.wait(_RENEW_SECONDS):
            # A network that fails for a while is no reason to end.
            with contextlib.suppress(*_ERRORS):
                holder = self._read()
                if holder is not None and not self._is_own(holder):
                    self._taken_by = holder
                    return
                self._holder = dataclasses.replace(
                    self._holder, renewed=self._holder.renewed + 1
                )
                self._write()

    def check(self) -> None:
        if self._taken_by is not None:
            raise _held_error(self._folder, self._taken_by)

    def follow(self, moved: str) -> "_Lease":
        with contextlib.suppress(*_ERRORS):
            tf.io.gfile.remove(os.path.join(moved, LOCK_FILE))
        holder = self._read()
        if holder is not None and not self._is_own(holder):
            raise _held_error(self._folder, holder)
        self._write()
        return self

    def release(self) -> None:
        self._stopped.set()
        self._thread.join()
        with contextlib.suppress(*_ERRORS):
            if self._is_own(self._read()):
                tf.io.gfile.remove(self._path)

"""Files that appear whole or not at all, whatever their path names.

Local files are locked while they are written, so that what a killed process
left behind can be told from what another one is writing, and goes when the
same file is next written. File systems that only `tf.io.gfile` reaches
(`gs://...`) have no locks: there a killed process leaves its temporary file.
"""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
import stat
import sys
from typing import IO

import tensorflow as tf

# Ends every temporary name: no pattern of data ends so.
PARTIAL = ".partial"
_TOKEN_BYTES = 6
# A name may have 255 bytes; the rest is for the dots, the token and the ending.
_KEPT_BYTES = 200
_DESCRIPTOR = re.compile(
    r"/(?:dev|proc/(?P<process>self|thread-self|\d+))/fd/(?P<number>\d+)"
)


def expand_user(path: str | os.PathLike[str]) -> str:
    """Replaces a leading `~` by the home folder, which no shell does in a flag.

    Args:
        path: A path, local or of any file system that TensorFlow knows.

    Returns:
        The path.
    """
    return os.path.expanduser(os.fspath(path))


def is_local(path: str) -> bool:
    """Whether a path is one of this system, not `gs://...` and the like."""
    return "://" not in path


@contextlib.contextmanager
def writing(
    path: str | os.PathLike[str], mode: str = "w"
) -> Iterator[IO | tf.io.gfile.GFile]:
    """Opens a file that appears when it is complete.

    Until then it has a name of its own in the same folder, so that two
    processes that write one file do not meet: the last one to end wins. If
    anything fails, the file is as it was before and nothing is left behind.
    What can't be replaced is written through: devices, pipes, `/dev/stdout`,
    and a file that is mounted by itself. Links are followed.

    Args:
        path: The file, local or of any file system that TensorFlow knows.
        mode: "w" for text in UTF-8, "wb" for bytes.

    Yields:
        The open file.

    Raises:
        OSError: If it can't be written; the error names the file.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    path = expand_user(path)
    if not is_local(path):
        with writing_path(path) as partial:
            with tf.io.gfile.GFile(partial, mode) as file:
                yield file
        return
    encoding = None if "b" in mode else "utf-8"
    with _naming(path):
        descriptor = _own_descriptor(path)
        if descriptor is not None:
            # A second opening of what standard output was sent to would start
            # at its beginning again.
            sys.stdout.flush()
            sys.stderr.flush()
            duplicate = os.dup(descriptor)
            with open(duplicate, mode, encoding=encoding) as file:
                yield file
            return
        with writing_path(path) as partial:
            with open(partial, mode, encoding=encoding) as file:
                yield file
                file.flush()
                if partial != path:
                    os.fsync(file.fileno())


@contextlib.contextmanager
def writing_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Names a file to write in the place of another, for who opens by name.

    Args:
        path: The file that is to appear, as in `writing`.

    Yields:
        The name to write to: a new one, or that of the file itself where it
        can't be replaced.

    Raises:
        OSError: If the file can't be written; the error names it.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    path = expand_user(path)
    if not is_local(path):
        partial = _partial_name(path)
        try:
            yield partial
            tf.io.gfile.rename(partial, path, overwrite=True)
        except BaseException:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(partial)
            raise
        return
    with _naming(path):
        if _exists_irregular(path):
            yield path
            return
        target = os.path.realpath(path)
        _remove_abandoned(target)
        partial = _partial_name(target)
        # Nobody else removes what is locked; the lock ends with the process.
        lock = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield partial
            _replace(partial, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(partial)
            raise
        finally:
            os.close(lock)


@contextlib.contextmanager
def writing_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """Makes a folder that appears when all of it is there.

    Args:
        path: The folder; there must be none of this name, or an empty one.

    Yields:
        A new folder to write to, in the folder that will hold it.

    Raises:
        OSError: If it can't be written; the error names the folder.
        tf.errors.OpError: Likewise, of a folder that is not local.
    """
    path = expand_user(path).rstrip("/") or "/"
    if not is_local(path):
        partial = _partial_name(path)
        try:
            tf.io.gfile.makedirs(partial)
            yield partial
            tf.io.gfile.rename(partial, path)
        except BaseException:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(partial)
            raise
        return
    with _naming(path):
        target = os.path.realpath(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _remove_abandoned(target)
        partial = _partial_name(target)
        os.mkdir(partial)
        lock = os.open(partial, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield partial
            _replace_folder(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        finally:
            os.close(lock)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Gives the errors of files their name: a full disk has none."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path
        raise


def _partial_name(path: str) -> str:
    folder, name = os.path.split(path)
    kept = name.encode()[:_KEPT_BYTES].decode(errors="ignore")
    token = secrets.token_hex(_TOKEN_BYTES)
    return os.path.join(folder, f".{kept}.{token}{PARTIAL}")


def _remove_abandoned(path: str) -> None:
    """Removes what processes that were killed left of the same file."""
    pattern = _partial_name(glob.escape(path))
    token = "[0-9a-f]" * (2 * _TOKEN_BYTES)
    head, tail = pattern[: -len(PARTIAL) - 2 * _TOKEN_BYTES], PARTIAL
    for partial in glob.glob(f"{head}{token}{tail}"):
        with contextlib.suppress(OSError):
            lock = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.isdir(partial):
                    shutil.rmtree(partial)
                else:
                    os.remove(partial)
            finally:
                os.close(lock)


def _exists_irregular(path: str) -> bool:
    """Whether a path leads to a device, a pipe or an open file of a process."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) or bool(_DESCRIPTOR.fullmatch(_follow(path)))


def _own_descriptor(path: str) -> int | None:
    """Returns the number of the open file that `/dev/stdout` and such name."""
    match = _DESCRIPTOR.fullmatch(_follow(path))
    own = (None, "self", "thread-self", str(os.getpid()))
    if match is None or match["process"] not in own:
        return None
    return int(match["number"])


def _follow(path: str) -> str:
    """Follows links, up to one that stands for an open file."""
    for _ in range(40):
        path = os.path.normpath(os.path.join(os.getcwd(), path))
        if _DESCRIPTOR.fullmatch(path) or not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return path


def _replace(partial: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
    try:
        os.replace(partial, target)
    except OSError as error:
        # A file that is mounted by itself, as containers do, keeps its place.
        if error.errno != errno.EBUSY:
            raise
        with open(partial, "rb") as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
        os.remove(partial)


def _replace_folder(partial: str, target: str) -> None:
    try:
        os.rename(partial, target)
    except OSError as error:
        # An empty folder that is mounted keeps its place.
        if error.errno != errno.EBUSY or os.listdir(target):
            raise
        for name in os.listdir(partial):
            shutil.move(os.path.join(partial, name), target)
        os.rmdir(partial)

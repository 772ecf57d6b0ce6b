"""Files that appear whole or not at all, whatever their path names.

Local files are locked while they are written, so that what a killed process
left behind can be told from what another one is writing, and goes when the
same file is next written, or a folder beside a folder. Where there are no
locks, leftovers stay: on file
systems that only `tf.io.gfile` reaches (`gs://...`), on mounts without them,
and on Windows. Two machines that write one file where locks are not shared
may end with an error, never with a mixed file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from typing import IO, Any

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Ends every temporary name: no pattern of data ends so.
PARTIAL = ".partial"
_TOKEN_BYTES = 6
_TEMPORARY = "yt8m_compact"
# A name may have 255 bytes, 143 where names are encrypted; the rest is for the
# dots, the token and the ending.
_KEPT_BYTES = 100
_PARTIAL_NAME = re.compile(
    rf"\.(?P<name>[^/]+)\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}{re.escape(PARTIAL)}"
)
_DESCRIPTOR = re.compile(
    r"/(?:dev|proc/(?P<process>self|thread-self|\d+)(?:/task/\d+)?)/fd/"
    r"(?P<number>\d+)"
)
# What a folder answers in which nothing can be made or replaced.
_FIXED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
# What file systems answer that can't say when data are on the disk.
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def expand_user(path: str | os.PathLike[str]) -> str:
    """Replaces a leading `~` by the home folder, which no shell does in a flag.

    Args:
        path: A path, local or of any file system that TensorFlow knows.

    Returns:
        The path.

    Raises:
        ValueError: If there is no such user or home folder, nor a file of
            this name.
    """
    path = os.fspath(path)
    expanded = os.path.expanduser(path)
    if expanded.startswith("~") and not os.path.lexists(path):
        user = path.split("/", 1)[0]
        raise ValueError(
            f"expected a path whose {user} is the home folder of a user; write "
            f"./{user} for what is called so. Received: path={path!r}"
        )
    return expanded


def is_local(path: str) -> bool:
    """Whether a path is one of this system, not `gs://...` and the like."""
    return "://" not in path


def real_path(path: str) -> str:
    """Follows links, so that two names of a file are one.

    Args:
        path: its name.

    Returns:
        The name without links; of what is not local, the same.
    """
    return os.path.realpath(path) if is_local(path) else path


def is_folder(path: str) -> bool:
    """Whether a path is a folder; one of this system without TensorFlow."""
    return os.path.isdir(path) if is_local(path) else tf.io.gfile.isdir(path)


def exists(path: str) -> bool:
    """Whether a path is there; one of this system without TensorFlow."""
    return os.path.exists(path) if is_local(path) else tf.io.gfile.exists(path)


def list_folder(path: str) -> list[str]:
    """Lists the names in a folder; in one of this system without TensorFlow."""
    return os.listdir(path) if is_local(path) else tf.io.gfile.listdir(path)


def show_whole_names(text: str) -> str:
    """Replaces temporary names in an error by those that were meant."""
    return _PARTIAL_NAME.sub(lambda match: match["name"], text)


@contextlib.contextmanager
def writing(
    path: str | os.PathLike[str],
    mode: str = "w",
    *,
    check: Callable[[str], object] | None = None,
) -> Iterator[IO | tf.io.gfile.GFile]:
    """Opens a file that appears when it is complete.

    Until then it has a name of its own in the same folder, so that two
    processes that write one file do not meet: the last one to end wins. If
    anything fails, the file is as it was before and nothing is left behind.
    Links are followed. What can't be replaced is written through: devices,
    pipes, `/dev/stdout`, a file that is mounted by itself, and one in a folder
    where nothing can be made. A hard link is cut off: its other names keep
    what they had.

    Args:
        path: The file, local or of any file system that TensorFlow knows.
        mode: "w" for text in UTF-8, "wb" for bytes.
        check: Looks at the complete file before it appears, under the name
            that it gets, and raises an error if it shall not. Not called for
            what is written through.

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
            if check is not None:
                check(partial)
        return
    descriptor = _own_descriptor(path)
    if descriptor is not None:
        # A second opening of what standard output was sent to would start
        # at its beginning again.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        try:
            duplicate = os.dup(descriptor)
        except OSError as error:
            raise _error(error.errno, path) from error
        with _open(duplicate, mode, path) as file:
            yield file
        return
    with writing_path(path) as partial:
        with _naming(path):
            file = _open(partial, mode, path)
        with file:
            yield file
        if check is not None and partial != path:
            check(partial)


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Writes a JSON file, whole or not at all, for people to read, too.

    Args:
        path: The file, as in `writing`.
        values: What JSON can hold.

    Raises:
        TypeError: If JSON can't hold it.
        OSError: If the file can't be written; the error names it.
        tf.errors.OpError: Likewise, of a file that is not local.
    """
    text = json.dumps(values, indent=2) + "\n"
    with writing(path) as file:
        file.write(text)


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
        made = None if _exists_irregular(path) else _make_partial(path)
    if made is None:
        yield path
        return
    target, partial, lock = made
    try:
        with _naming(path):
            yield partial
            _sync(lock, path)
            if fcntl is None:
                os.close(lock)  # Windows renames no open file.
                lock = None
            _replace(partial, target, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def writing_folder(
    path: str | os.PathLike[str], *, replace: bool = False
) -> Iterator[str]:
    """Makes a folder that appears when all of it is there.

    A folder that can't be replaced, such as a mounted one, gets the contents
    one by one at the end. What processes that were killed left of this and of
    other folders beside it goes.

    Args:
        path: The folder; there must be none of this name, or an empty one.
        replace: Whether what is in the folder goes when the new one is
            complete. If not, that there is something is found at the end.

    Yields:
        A new folder to write to.

    Raises:
        OSError: If it can't be written; the error names the folder.
        tf.errors.OpError: Likewise, of a folder that is not local.
    """
    path = expand_user(path)
    if not path:
        raise _error(errno.ENOENT, path)
    path = path.rstrip("/") or "/"
    if not is_local(path):
        partial = _partial_name(path)
        try:
            tf.io.gfile.makedirs(partial)
            yield partial
            if replace and tf.io.gfile.exists(path):
                tf.io.gfile.rmtree(path)
            tf.io.gfile.rename(partial, path)
        except BaseException:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(partial)
            raise
        return
    with _naming(path):
        target = os.path.realpath(path)
        partial, lock = _make_partial_folder(target)
    try:
        with _naming(path):
            yield partial
            _replace_folder(partial, target, replace)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def removing_new_folders(path: str | os.PathLike[str]) -> Iterator[None]:
    """Removes a folder that was made for what failed, where it stayed empty.

    Folders that it lies in and that were made with it go, too; what was there
    before stays, and so does all that has anything in it.

    Args:
        path: The folder, which may be made while this is open.

    Yields:
        Nothing.
    """
    folder, missing = os.path.abspath(expand_user(path)), []
    while is_local(os.fspath(path)) and not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    try:
        yield
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """Makes a folder of this system for this process alone, which goes again.

    As `tempfile.TemporaryDirectory` does; but what processes that were killed
    left of such folders goes, too.

    Yields:
        The folder.

    Raises:
        OSError: If it can't be made.
    """
    target = os.path.join(tempfile.gettempdir(), _TEMPORARY)
    folder, lock = _make_partial_folder(target, mode=0o700)
    try:
        yield folder
    finally:
        # Windows keeps files that are open.
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def expect_writable(path: str | os.PathLike[str]) -> None:
    """Finds out whether `writing` can begin, before what takes long.

    Args:
        path: The file that is to appear later; its folder is there.

    Raises:
        OSError: If it can't be written; the error names it.
    """
    path = expand_user(path)
    if not is_local(path) or _own_descriptor(path) is not None:
        return
    with _naming(path):
        made = None if _exists_irregular(path) else _make_partial(path)
        if made is not None:
            _, partial, lock = made
            os.close(lock)  # Windows removes no open file.
            os.remove(partial)


def expect_writable_folder(path: str | os.PathLike[str]) -> None:
    """Finds out whether `writing_folder` can begin, before what takes long.

    Args:
        path: The folder that is to appear later. What it is to lie in may not
            be there yet, and is not made.

    Raises:
        OSError: If it can't be written; the error names it, or what it would
            lie in.
    """
    path = expand_user(path)
    if not is_local(path):
        return
    target = os.path.realpath(path)
    while not os.path.lexists(os.path.dirname(target)):
        target = os.path.dirname(target)
    if not os.path.isdir(os.path.dirname(target)):
        raise _error(errno.ENOTDIR, os.path.dirname(target))
    with _naming(path):
        partial, lock = _make_partial_folder(target)
        os.rmdir(partial)
    if lock is not None:
        os.close(lock)


class _NamedFile(io.FileIO):
    """A file that names itself where writing fails: a full disk does not."""

    def __init__(self, file: str | int, mode: str, name: str) -> None:
        super().__init__(file, mode)
        self._shown = name

    def write(self, data: bytes) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = error.filename or self._shown
            raise


def _open(file: str | int, mode: str, name: str) -> IO:
    stream = io.BufferedWriter(_NamedFile(file, mode.rstrip("b"), name))
    if "b" in mode:
        return stream
    return io.TextIOWrapper(stream, encoding="utf-8")


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Gives errors the name that a user knows, where they have a temporary one.

    Those of the caller, which may be about any other file, stay as they are.
    """
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else ""
        if _PARTIAL_NAME.fullmatch(os.path.basename(name)):
            raise _error(error.errno, path) from error
        raise


def _partial_name(path: str) -> str:
    folder, name = os.path.split(path)
    # Valid UTF-8, which TensorFlow insists on, whatever the name is.
    kept = os.fsencode(name)[:_KEPT_BYTES].decode(errors="ignore")
    token = secrets.token_hex(_TOKEN_BYTES)
    return os.path.join(folder, f".{kept}.{token}{PARTIAL}")


def _make_partial(path: str) -> tuple[str, str, int] | None:
    """Makes a file to write in the place of another, and locks it.

    Returns:
        The file to replace, the new one and its open lock; None where nothing
        can be made beside the file, which can be written itself.
    """
    if not path or path.endswith(os.sep):
        raise _error(errno.EISDIR if path else errno.ENOENT, path)
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.access(target, os.W_OK):
        # Whoever took away the right to write it wants it to stay.
        raise _error(errno.EACCES, path)
    _remove_abandoned(target)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    while True:
        partial = _partial_name(target)
        try:
            lock = os.open(partial, flags, 0o666)
        except OSError as error:
            if error.errno in _FIXED and os.path.exists(target):
                return None
            raise
        if _lock_new(lock, partial):
            return target, partial, lock


def _make_partial_folder(
    target: str, mode: int = 0o777
) -> tuple[str, int | None]:
    """Makes a folder to write in the place of another, and locks it."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    _remove_abandoned(target, folders_beside=True)
    inner = os.path.join(target, os.path.basename(target))
    empty = False
    if os.path.exists(target):
        _remove_abandoned(inner)
        empty = not os.listdir(target)
    # Beside a folder that is mounted there may be another file system, or
    # nothing that can be written.
    path = inner if empty and os.path.ismount(target) else target
    while True:
        partial = _partial_name(path)
        try:
            os.mkdir(partial, mode)
        except OSError as error:
            usable = path == target and os.path.isdir(target)
            if error.errno not in _FIXED or not usable:
                raise
            path = inner
            continue
        if fcntl is None:
            return partial, None
        try:
            lock = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:  # Taken for what somebody left behind.
            continue
        if _lock_new(lock, partial):
            return partial, lock


def _lock_new(lock: int, partial: str) -> bool:
    """Locks what was just made; False if somebody removed it before that."""
    if fcntl is None:
        return True
    # Where there are no locks, nobody else finds that it has none.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        if os.path.samestat(os.fstat(lock), os.lstat(partial)):
            return True
    except FileNotFoundError:
        pass
    os.close(lock)
    return False


def _remove_abandoned(path: str, folders_beside: bool = False) -> None:
    """Removes what processes that were killed left.

    Args:
        path: of this file or folder.
        folders_beside: of any folder beside it, too. Not of files: where locks
            are not shared, many machines write files side by side.
    """
    if fcntl is None:
        return
    folder = os.path.dirname(path)
    meant = _PARTIAL_NAME.fullmatch(os.path.basename(_partial_name(path)))
    try:
        names = os.listdir(folder)
    except OSError:  # Whoever wants to write there is told why not.
        return
    for name in names:
        match = _PARTIAL_NAME.fullmatch(name)
        if not meant or not match:
            continue
        partial = os.path.join(folder, name)
        if match["name"] != meant["name"] and not (
            folders_beside and os.path.isdir(partial)
        ):
            continue
        with contextlib.suppress(OSError):
            lock = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(partial)
            finally:
                os.close(lock)


def _sync(lock: int, path: str) -> None:
    """Waits for the disk: some are found to be full only then."""
    try:
        os.fsync(lock)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise _error(error.errno, path) from error


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
        folder, name = os.path.split(path)
        path = os.path.join(os.path.realpath(folder), name)
        if _DESCRIPTOR.fullmatch(path) or not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return path


def _keep_access(partial: str, target: str) -> None:
    """Gives what is new the owner and the rights of what it replaces."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return
    if fcntl is not None:
        new = os.stat(partial)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            with contextlib.suppress(OSError):
                os.chown(partial, old.st_uid, old.st_gid)
    with contextlib.suppress(PermissionError):
        os.chmod(partial, stat.S_IMODE(old.st_mode))


def _replace(partial: str, target: str, path: str) -> None:
    _keep_access(partial, target)
    try:
        os.replace(partial, target)
    except OSError as error:
        # A file that is mounted by itself, as containers do, keeps its place.
        if error.errno not in _FIXED or not os.path.isfile(target):
            raise
        # Over what was there, which needs no room of its own on the disk.
        with open(partial, "rb") as source, _open(target, "r+b", path) as file:
            shutil.copyfileobj(source, file)
            file.truncate()
        os.remove(partial)


def _replace_folder(partial: str, target: str, replace: bool) -> None:
    if os.path.dirname(partial) != target:
        _keep_access(partial, target)
        try:
            _rename_folder(partial, target, replace)
            return
        except OSError as error:
            # What is mounted keeps its place.
            if error.errno not in _FIXED or not os.path.isdir(target):
                raise
    inner = {os.path.basename(partial)}
    if replace:
        for name in {*os.listdir(target)} - inner:
            _remove(os.path.join(target, name))
    if {*os.listdir(target)} - inner:
        raise _error(errno.ENOTEMPTY, target)
    names = os.listdir(partial)
    try:
        for name in names:
            shutil.move(os.path.join(partial, name), target)
    except BaseException:
        for name in names:
            with contextlib.suppress(OSError):
                _remove(os.path.join(target, name))
        raise
    os.rmdir(partial)


def _rename_folder(partial: str, target: str, replace: bool) -> None:
    if not (replace and os.path.isdir(target) and os.listdir(target)):
        os.rename(partial, target)
        return
    old = _partial_name(target)
    with _locked(target):  # Nobody takes it for what was left behind.
        os.rename(target, old)
        try:
            os.rename(partial, target)
        except BaseException:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Locks a folder, where that can be done."""
    lock = None
    if fcntl is not None:
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)

"""Tests of files that appear whole or not at all."""

from collections.abc import Callable
import contextlib
import ctypes
import errno
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import pytest

from yt8m_compact import files

NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may make devices and mounts"
)
needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="there is no /proc"
)


def write(path, text="new\n"):
    with files.writing(path) as file:
        file.write(text)


def names(folder: pathlib.Path) -> list[str]:
    return sorted(os.listdir(folder))


def in_child(function: Callable[[], object], **streams: int) -> int:
    """Calls a function in a process of its own, without a second TensorFlow.

    Args:
        function: what to call.
        **streams: open files to be its `stdin` and `stdout`.

    Returns:
        The number of the process, to be waited for.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for number, name in enumerate(("stdin", "stdout")):
            if name in streams:
                os.dup2(streams[name], number)
                stream = open(number, "rw"[number], closefd=False)
                setattr(sys, name, stream)
        function()
        sys.stdout.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(child: int) -> int:
    """Waits for a process; returns its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def with_mounts(
    folder: pathlib.Path, commands: str, function: Callable[[], object]
) -> None:
    """Calls a function where commands mounted something nobody else sees."""
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(folder)]
    try:
        subprocess.run(probe, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounts are not permitted here")

    def call():
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(0x20000) == 0  # CLONE_NEWNS
        os.chdir(folder)
        private = "mount --make-rprivate /"
        subprocess.run(["bash", "-ec", f"{private}; {commands}"], check=True)
        os.chdir(folder)  # What is mounted there now.
        function()

    assert wait(in_child(call)) == 0


class Expected(Exception):
    """What fails in the middle of writing."""


# Regular files.


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old\n")
    with files.writing(path) as file:
        file.write("né\n")
        file.flush()
        assert path.read_text() == "old\n"
        (partial,) = {*names(tmp_path)} - {"out.csv"}
        assert partial.startswith(".out.csv.")
        assert partial.endswith(files.PARTIAL)
    assert path.read_bytes() == b"n\xc3\xa9\n"
    assert names(tmp_path) == ["out.csv"]


def test_bytes(tmp_path):
    with files.writing(tmp_path / "a", "wb") as file:
        file.write(b"\xff\n")
    assert (tmp_path / "a").read_bytes() == b"\xff\n"


@pytest.mark.parametrize("old", ["old\n", None])
def test_a_failure_leaves_everything_as_it_was(tmp_path, old):
    path = tmp_path / "out.csv"
    if old:
        path.write_text(old)
    with pytest.raises(Expected), files.writing(path) as file:
        file.write("half of it")
        raise Expected
    assert names(tmp_path) == (["out.csv"] if old else [])
    assert not old or path.read_text() == old


def test_a_file_is_looked_at_before_it_appears(tmp_path):
    path = tmp_path / "a"
    write(path, "old\n")
    seen = []

    def look(name):
        seen.append((name, pathlib.Path(name).read_text(), path.read_text()))
        if len(seen) == 2:
            raise ValueError("refused")

    with files.writing(path, check=look) as file:
        file.write("new\n")
    assert path.read_text() == "new\n"
    with (
        pytest.raises(ValueError, match="refused"),
        files.writing(path, check=look) as file,
    ):
        file.write("newer\n")
    assert [text for _, *text in seen] == [
        ["new\n", "old\n"],
        ["newer\n", "new\n"],
    ]
    assert path.read_text() == "new\n"
    assert names(tmp_path) == ["a"]
    # Not what fails before, nor what is written through.
    with (
        pytest.raises(KeyError),
        files.writing(path, check=look),
    ):
        raise KeyError
    with open(tmp_path / "b", "w") as other:
        name = f"/dev/fd/{other.fileno()}"
        with files.writing(name, check=look) as file:
            file.write("x")
    assert (tmp_path / "b").read_text() == "x"
    assert len(seen) == 2


def test_who_opens_by_name(tmp_path):
    with files.writing_path(tmp_path / "a.png") as partial:
        pathlib.Path(partial).write_text("picture")
        assert not (tmp_path / "a.png").exists()
    assert (tmp_path / "a.png").read_text() == "picture"
    with pytest.raises(Expected), files.writing_path(tmp_path / "b") as partial:
        raise Expected
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_rights_of_the_umask(tmp_path, umask, mode):
    old = os.umask(umask)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_rights_are_kept(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@needs_root
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    os.chown(path, NOBODY, NOBODY)
    write(path)
    assert path.read_text() == "new\n"
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


def as_nobody(function) -> int:
    """Calls a function in a process without root's rights."""

    def call():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        function()

    return wait(in_child(call))


def open_to_all(folder: pathlib.Path) -> None:
    """Lets everybody reach a folder of a test."""
    for parent in (folder, *folder.parents):
        if parent.owner() == folder.owner() and parent != pathlib.Path("/tmp"):
            with contextlib.suppress(PermissionError):
                parent.chmod(parent.stat().st_mode | 0o055)


def test_a_file_without_the_right_to_write_stays(tmp_path):
    open_to_all(tmp_path)
    tmp_path.chmod(0o777)
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o444)

    def call():
        message = f"[Errno 13] Permission denied: '{path}'"
        with pytest.raises(PermissionError, match=f"^{re.escape(message)}$"):
            write(path)

    assert as_nobody(call) == 0
    assert path.read_text() == "old"


def test_a_folder_without_the_right_to_write(tmp_path):
    open_to_all(tmp_path)
    old = tmp_path / "old"
    old.write_text("old\n" * 9)
    old.chmod(0o666)
    tmp_path.chmod(0o555)

    def call():
        # As any program: it can be written, but not replaced.
        write(old)
        message = f"[Errno 13] Permission denied: '{tmp_path / 'new'}'"
        with pytest.raises(PermissionError, match=f"^{re.escape(message)}$"):
            write(tmp_path / "new")

    assert as_nobody(call) == 0
    tmp_path.chmod(0o755)
    assert old.read_text() == "new\n"
    assert names(tmp_path) == ["old"]


def test_what_can_be_written_is_tried_and_stays(tmp_path):
    old, folder = tmp_path / "old", tmp_path / "folder"
    write(old, "old")
    folder.mkdir()
    write(folder / "inner")
    for path in (old, tmp_path / "new", "/dev/null", "gs://bucket/file"):
        files.expect_writable(path)
    for path in (folder, tmp_path / "a" / "b" / "c", "gs://bucket/folder"):
        files.expect_writable_folder(path)
    assert names(tmp_path) == ["folder", "old"]
    assert old.read_text() == "old"
    assert names(folder) == ["inner"]


def test_what_can_not_be_written_is_found_by_trying(tmp_path):
    open_to_all(tmp_path)
    path, folder = tmp_path / "file", tmp_path / "folder"
    write(path)
    path.chmod(0o444)
    folder.mkdir()
    # What is under a file, and, for who is not root, what is not writable.
    with pytest.raises(NotADirectoryError):
        files.expect_writable_folder(path / "a" / "b")
    with pytest.raises(NotADirectoryError):
        files.expect_writable(path / "a")
    folder.chmod(0o555)
    tmp_path.chmod(0o555)

    def call():
        for attempt, name in (
            (files.expect_writable, path),
            (files.expect_writable, tmp_path / "new"),
            (files.expect_writable_folder, folder),
            (files.expect_writable_folder, folder / "a" / "b"),
        ):
            with pytest.raises(PermissionError, match="Permission denied"):
                attempt(name)

    status = as_nobody(call)
    tmp_path.chmod(0o755)
    assert status == 0


def test_a_hard_link_is_cut_off(tmp_path):
    # As with every program that replaces files: a copy by `cp -l` stays.
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "b")
    write(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new\n"
    assert (tmp_path / "b").read_text() == "old"


@pytest.mark.parametrize("length", [99, 100, 101, 233, 255])
def test_long_names(tmp_path, length):
    for name in ("x" * length, "é" * (length // 2)):
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "new\n"
        (tmp_path / name).unlink()
    assert names(tmp_path) == []


def test_a_name_that_is_no_utf8(tmp_path):
    path = os.path.join(tmp_path, os.fsdecode(b"\xff.csv"))
    try:
        write(path)
    except OSError as error:  # macOS has no such names.
        assert error.errno == errno.EILSEQ
        pytest.skip("the file system has no such names")
    assert names(tmp_path) == [os.fsdecode(b"\xff.csv")]


def test_a_name_with_the_signs_of_patterns(tmp_path):
    leftover = tmp_path / ".a[1]*.csv.0123456789ab.partial"
    leftover.write_text("left by a process that was killed")
    write(tmp_path / "a[1]*.csv")
    assert names(tmp_path) == ["a[1]*.csv"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", FileNotFoundError),
        ("missing/a", FileNotFoundError),
        ("file/a", NotADirectoryError),
        ("folder", IsADirectoryError),
        ("folder/", IsADirectoryError),
        ("new/", IsADirectoryError),
        ("loop", OSError),
        ("y" * 256, OSError),
    ],
)
def test_what_can_not_be_written_is_named(tmp_path, name, error):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    path = f"{tmp_path}/{name}" if name else ""
    with pytest.raises(error) as caught:
        write(path)
    assert caught.value.filename == path
    assert names(tmp_path) == ["file", "folder", "loop"]


def test_other_errors_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        with files.writing(tmp_path / "out"):
            open(tmp_path / "in")
    assert caught.value.filename == str(tmp_path / "in")
    with pytest.raises(OSError) as caught:
        with files.writing(tmp_path / "out"):
            raise OSError(errno.EIO, "of something else")
    assert caught.value.filename is None


# Links.


def test_links_are_followed(tmp_path):
    (tmp_path / "other").mkdir()
    real = tmp_path / "other" / "real.csv"
    real.write_text("old")
    (tmp_path / "middle").symlink_to("other/real.csv")
    (tmp_path / "link").symlink_to(tmp_path / "middle")
    with files.writing(tmp_path / "link") as file:
        file.write("new\n")
        # Where it can be renamed: the other folder may be another disk.
        assert len(names(real.parent)) == 2
    assert real.read_text() == "new\n"
    assert os.readlink(tmp_path / "link") == str(tmp_path / "middle")
    assert os.readlink(tmp_path / "middle") == "other/real.csv"
    assert names(real.parent) == ["real.csv"]


def test_a_link_to_a_file_that_does_not_exist_yet(tmp_path):
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new\n"
    (tmp_path / "broken").symlink_to("missing/real")
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "broken")
    assert caught.value.filename == str(tmp_path / "broken")


def test_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link" / "a")
    assert (tmp_path / "real" / "a").read_text() == "new\n"


# What can't be replaced.


@pytest.mark.parametrize("write_by_name", [False, True])
def test_a_pipe_is_written_through(tmp_path, write_by_name):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to("pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()))
    reader.start()
    # Until there is a reader it waits, as any program.
    if write_by_name:
        with files.writing_path(tmp_path / "link") as name:
            pathlib.Path(name).write_text("new\n")
    else:
        write(tmp_path / "link")
    reader.join()
    assert got == ["new\n"]
    assert path.is_fifo()
    assert names(tmp_path) == ["link", "pipe"]


def test_a_pipe_whose_reader_goes_is_named(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BrokenPipeError) as caught:
        with files.writing(path) as file:
            os.close(reader)
            file.write("new\n")
    assert caught.value.filename == str(path)
    assert path.is_fifo()


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Their names may be 107 bytes long.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError) as caught:
            write("socket")
    assert caught.value.errno in (errno.ENXIO, errno.EOPNOTSUPP)
    assert caught.value.filename == "socket"
    assert names(tmp_path) == ["socket"]


@needs_root
@pytest.mark.parametrize("linked", [False, True])
def test_a_device_stays_one(tmp_path, linked):
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices may not be made here")
    path = tmp_path / "null"
    if linked:
        (tmp_path / "link").symlink_to("null")
        path = tmp_path / "link"
    write(path)
    assert (tmp_path / "null").is_char_device()
    assert names(tmp_path) == (["link", "null"] if linked else ["null"])


@needs_root
def test_a_full_device_is_named(tmp_path):
    try:
        os.mknod(tmp_path / "full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    except PermissionError:
        pytest.skip("devices may not be made here")
    with pytest.raises(OSError) as caught:
        write(tmp_path / "full")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "full")


@pytest.mark.parametrize(
    "name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"]
)
def test_standard_output_goes_on_where_it_is(tmp_path, name):
    if not os.path.exists(os.path.dirname(name) or "."):
        pytest.skip(f"there is no {name}")
    if name == "link":
        name = tmp_path / "stdout"
        name.symlink_to("/dev/stdout")
    with open(tmp_path / "out", "w") as out:

        def call():
            print("before")
            write(name, "written\n")
            print("after")

        assert wait(in_child(call, stdout=out.fileno())) == 0
    assert (tmp_path / "out").read_text() == "before\nwritten\nafter\n"


def test_standard_output_that_is_a_pipe_or_closed():
    ours, theirs = os.pipe()

    def call():
        with files.writing("/dev/stdout", "wb") as file:
            file.write(b"written\n")
        sys.stdout = None  # As if it had been closed at the start.
        write("/dev/stdout", "again\n")
        sys.stdout = sys.stderr

    assert wait(in_child(call, stdout=theirs)) == 0
    os.close(theirs)
    with open(ours) as file:
        assert file.read() == "written\nagain\n"


def test_standard_output_that_is_a_terminal():
    ours, theirs = os.openpty()
    child = in_child(lambda: write("/dev/stdout", "x\n"), stdout=theirs)
    assert wait(child) == 0
    assert os.read(ours, 100) == b"x\r\n"
    os.close(ours)
    os.close(theirs)


def test_an_open_file_by_its_number(tmp_path):
    with open(tmp_path / "a", "w") as file:
        file.write("before\n")
        file.flush()
        write(f"/dev/fd/{file.fileno()}")
        file.write("after\n")
    assert (tmp_path / "a").read_text() == "before\nnew\nafter\n"
    with pytest.raises(OSError) as caught:
        write("/dev/fd/987")
    assert caught.value.errno in (errno.EBADF, errno.ENOENT)
    assert caught.value.filename == "/dev/fd/987"


@needs_proc
def test_an_open_file_of_another_process(tmp_path):
    with open(tmp_path / "a", "w") as out:
        child = subprocess.Popen(["sleep", "60"], stdout=out)
    try:
        write(f"/proc/{child.pid}/fd/1")
    finally:
        child.kill()
        child.wait()
    assert (tmp_path / "a").read_text() == "new\n"
    assert names(tmp_path) == ["a"]


def test_without_proc_standard_output_is_a_device(monkeypatch):
    # macOS: /dev/stdout is a link to fd/1, which is no link.
    links = {"/dev/stdout": "fd/1"}
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    monkeypatch.setattr(os.path, "islink", lambda path: path in links)
    monkeypatch.setattr(os, "readlink", links.get)
    monkeypatch.setattr(os, "dup", lambda number: [number])
    opened = []
    monkeypatch.setattr(
        files, "_open", lambda *args: opened.append(args) or open(os.devnull)
    )
    with files.writing("/dev/stdout"):
        pass
    assert opened == [([1], "w", "/dev/stdout")]


@needs_root
def test_a_file_that_is_mounted_by_itself_keeps_its_place(tmp_path):
    (tmp_path / "host").write_text("a longer old text\n")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a").touch()

    def call():
        write("work/a")
        assert os.path.samefile("host", "work/a")
        assert os.listdir("work") == ["a"]

    with_mounts(tmp_path, "mount --bind host work/a", call)
    assert (tmp_path / "host").read_text() == "new\n"


@needs_root
def test_a_mounted_file_in_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "host").write_text("a longer old text\n")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a").touch()

    def call():
        write("work/a")
        with pytest.raises(OSError) as caught:
            write("work/b")
        assert caught.value.errno == errno.EROFS
        assert caught.value.filename == "work/b"

    with_mounts(
        tmp_path,
        "mount --bind work work; mount --bind host work/a; "
        "mount -o remount,ro,bind work",
        call,
    )
    assert (tmp_path / "host").read_text() == "new\n"


# Disks, kills, and others who write.


@needs_root
def test_a_full_disk_leaves_what_was_there(tmp_path):
    def call():
        write("disk/a", "old")
        with pytest.raises(OSError) as caught:
            write("disk/a", 999_999 * "x")
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == "disk/a"
        assert os.listdir("disk") == ["a"]
        assert pathlib.Path("disk/a").read_text() == "old"

    mount = "mkdir disk; mount -t tmpfs -o size=64k none disk"
    with_mounts(tmp_path, mount, call)


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_kill_leaves_goes_at_the_next_write(tmp_path, folder):
    function = files.writing_folder if folder else files.writing
    ours, theirs = os.pipe()

    def write_for_ever():
        with function(tmp_path / "a"):
            os.write(theirs, b"ready")
            time.sleep(60)

    def write_again():
        if folder:
            with files.writing_folder(tmp_path / "a") as partial:
                pathlib.Path(partial, "in").touch()
        else:
            write(tmp_path / "a")

    child = in_child(write_for_ever)
    assert os.read(ours, 5) == b"ready"
    # Of one that is still at work nothing is taken away.
    write_again()
    (partial,) = {*names(tmp_path)} - {"a"}
    if folder:
        (tmp_path / partial / "some").touch()
        os.remove(tmp_path / "a" / "in")
    os.kill(child, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    assert names(tmp_path) == [partial, "a"]
    # Of another file neither.
    other = tmp_path / ".b.0123456789ab.partial"
    other.touch()
    write_again()
    assert names(tmp_path) == [other.name, "a"]


def test_what_a_kill_leaves_goes_with_a_folder_beside_it(tmp_path):
    ours, theirs = os.pipe()

    def write_for_ever():
        with files.writing_folder(tmp_path / "a") as partial:
            pathlib.Path(partial, "in").touch()
            os.write(theirs, b"ready")
            time.sleep(60)

    def write_beside():
        with files.writing_folder(tmp_path / "b", replace=True):
            pass

    child = in_child(write_for_ever)
    assert os.read(ours, 5) == b"ready"
    write_beside()
    # Of one that is still at work nothing is taken away.
    (partial,) = {*names(tmp_path)} - {"b"}
    assert os.listdir(tmp_path / partial) == ["in"]
    os.kill(child, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    # What others may have called so stays: files, other names.
    (tmp_path / ".c.0123456789ab.partial").touch()
    (tmp_path / ".d.partial").mkdir()
    write_beside()
    assert names(tmp_path) == [".c.0123456789ab.partial", ".d.partial", "b"]


def test_temporary_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with files.temporary_folder() as first:
        with files.temporary_folder() as second:
            assert first != second
            assert stat.S_IMODE(os.stat(first).st_mode) == 0o700
            pathlib.Path(second, "in").touch()
        assert names(tmp_path) == [os.path.basename(first)]
    assert names(tmp_path) == []
    with pytest.raises(KeyError), files.temporary_folder():
        raise KeyError
    assert names(tmp_path) == []


def test_temporary_folders_that_a_kill_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours, theirs = os.pipe()

    def hold():
        with files.temporary_folder() as folder:
            pathlib.Path(folder, "in").touch()
            os.write(theirs, b"ready")
            time.sleep(60)

    child = in_child(hold)
    assert os.read(ours, 5) == b"ready"
    left = names(tmp_path)
    with files.temporary_folder():
        assert {*left} < {*names(tmp_path)}
    os.kill(child, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    assert names(tmp_path) == left
    with files.temporary_folder() as folder:
        assert names(tmp_path) == [os.path.basename(folder)]


def test_what_is_being_replaced_is_no_leftover(tmp_path, monkeypatch):
    # Between its two names, somebody else writes a folder beside it.
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").touch()
    rename = os.rename

    def rename_and_write(source, target):
        rename(source, target)
        if source == str(tmp_path / "a"):
            with files.writing_folder(tmp_path / "c"):
                pass
            assert os.listdir(target) == ["old"]

    monkeypatch.setattr(os, "rename", rename_and_write)
    with files.writing_folder(tmp_path / "a", replace=True) as partial:
        pathlib.Path(partial, "new").touch()
    assert names(tmp_path) == ["a", "b", "c"]
    assert os.listdir(tmp_path / "a") == ["new"]


def test_two_writers_of_one_file(tmp_path):
    path = tmp_path / "a"
    with files.writing(path) as first, files.writing(path) as second:
        for _ in range(20_000):
            first.write("first\n")
            second.write("second\n")
    # The first one was opened first and ended last.
    assert path.read_text() == 20_000 * "first\n"
    assert names(tmp_path) == ["a"]


def test_many_writers_of_one_file(tmp_path):
    path = tmp_path / "a"
    errors = []

    def work(number):
        try:
            for _ in range(60):
                write(path, 5000 * f"{number}\n")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            text = path.read_text()
            assert text == 5000 * text[:2]
        time.sleep(0.001)
    assert errors == []
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("folder", [False, True])
def test_a_new_file_that_is_taken_for_a_leftover(tmp_path, monkeypatch, folder):
    # Between making a file and locking it there is a moment.
    flock = files.fcntl.flock
    taken = []

    def take_it_first(lock, operation):
        if not taken:
            taken.extend(names(tmp_path))
            (tmp_path / taken[0]).rmdir() if folder else os.remove(
                tmp_path / taken[0]
            )
        flock(lock, operation)

    monkeypatch.setattr(files.fcntl, "flock", take_it_first)
    if folder:
        with files.writing_folder(tmp_path / "a") as partial:
            pathlib.Path(partial, "in").touch()
    else:
        write(tmp_path / "a")
    assert len(taken) == 1
    assert names(tmp_path) == ["a"]


def test_a_disk_without_locks(tmp_path, monkeypatch):
    def refuse(lock, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    leftover = tmp_path / ".a.0123456789ab.partial"
    leftover.touch()
    monkeypatch.setattr(files.fcntl, "flock", refuse)
    write(tmp_path / "a")
    # It may be somebody's.
    assert names(tmp_path) == [leftover.name, "a"]


def test_a_disk_that_can_not_be_waited_for(tmp_path, monkeypatch):
    codes = [errno.EINVAL, errno.ENOSPC]

    def refuse(file):
        raise OSError(codes[0], os.strerror(codes[0]))

    monkeypatch.setattr(os, "fsync", refuse)
    write(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new\n"
    del codes[0]
    with pytest.raises(OSError) as caught:
        write(tmp_path / "a", "newer")
    assert caught.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new\n"
    assert names(tmp_path) == ["a"]


def test_a_system_without_locks(tmp_path, monkeypatch):
    """Windows: files are whole, leftovers stay."""
    monkeypatch.setattr(files, "fcntl", None)
    leftover = tmp_path / ".a.0123456789ab.partial"
    leftover.touch()
    write(tmp_path / "a")
    write(tmp_path / "a", "newer\n")
    with files.writing_folder(tmp_path / "b") as partial:
        pathlib.Path(partial, "in").touch()
    assert (tmp_path / "a").read_text() == "newer\n"
    assert names(tmp_path) == [leftover.name, "a", "b"]
    assert names(tmp_path / "b") == ["in"]


# Folders.


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with files.writing_folder(f"{tmp_path}/new/a/") as partial:
        pathlib.Path(partial, "in").write_text("x")
        assert not (tmp_path / "new" / "a").exists()
    assert names(tmp_path / "new") == ["a"]
    assert names(tmp_path / "new" / "a") == ["in"]


def test_a_folder_that_fails(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(Expected):
        with files.writing_folder(tmp_path / "a") as partial:
            pathlib.Path(partial, "in").write_text("x")
            raise Expected
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == []


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "a").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("a")
    with files.writing_folder(tmp_path / "link") as partial:
        pathlib.Path(partial, "in").touch()
    assert names(tmp_path / "a") == ["in"]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert names(tmp_path) == ["a", "link"]


def test_a_folder_that_is_replaced(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with pytest.raises(Expected):
        with files.writing_folder(tmp_path / "a", replace=True) as partial:
            raise Expected
    assert names(tmp_path / "a") == ["old"]
    with files.writing_folder(tmp_path / "a", replace=True) as partial:
        pathlib.Path(partial, "in").touch()
        assert names(tmp_path / "a") == ["old"]
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["in"]


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "in").touch()
    for path, code in {
        tmp_path / "a": errno.ENOTEMPTY,
        tmp_path / "a" / "in": errno.ENOTDIR,
        "": errno.ENOENT,
    }.items():
        with pytest.raises(OSError) as caught:
            with files.writing_folder(path) as partial:
                pathlib.Path(partial, "new").touch()
        assert caught.value.errno == code
        assert caught.value.filename == str(path)
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["in"]


FULL = pytest.mark.parametrize("full", [False, True])
REPLACE = pytest.mark.parametrize("replace", [False, True])
DISK = "mount -t tmpfs -o size=64k none"


def write_folder_a(full: bool, replace: bool) -> None:
    """Writes the folder `a`, in vain if its disk of 64 kB is to be full."""
    if replace:
        os.makedirs("a/old/folder")
    try:
        with files.writing_folder("a", replace=replace) as folder:
            os.mkdir(f"{folder}/in")
            write(f"{folder}/in/b", (99_999 if full else 1) * "x")
    except (OSError, shutil.Error):
        assert full
    else:
        assert not full


@needs_root
@FULL
@REPLACE
def test_a_mounted_folder_where_no_other_can_be_written(
    tmp_path, full, replace
):
    def call():
        os.makedirs("a/.a.0123456789ab.partial/x")  # left by a kill
        write_folder_a(full, replace)
        old = ["old"] if replace else []
        assert os.listdir("a") == (old if full else ["in"])

    commands = (
        "mkdir a; mount --bind . .; cd $PWD; "
        f"{DISK} a; mount -o remount,ro,bind ."
    )
    with_mounts(tmp_path, commands, call)


@needs_root
@FULL
@REPLACE
def test_a_mounted_folder_that_does_not_look_like_one(tmp_path, full, replace):
    def call():
        os.path.ismount = lambda path: False
        write_folder_a(full, replace)
        assert os.listdir("a") == ([] if full else ["in"])
        assert names(".") == ["a"]

    with_mounts(tmp_path, f"mkdir a; {DISK} a", call)


# Other file systems, and `~`.


def test_a_file_that_is_not_local(tmp_path):
    """ram:// is in the memory of TensorFlow."""
    path = f"ram://{tmp_path.name}/a"
    assert not files.is_local(path)
    files.tf.io.gfile.makedirs(f"ram://{tmp_path.name}")
    write(path)
    with pytest.raises(Expected), files.writing(path) as file:
        file.write("half of it")
        raise Expected
    seen = []
    with files.writing(path, check=seen.append) as file:
        file.write("new\n")
    assert len(seen) == 1
    with files.tf.io.gfile.GFile(path) as file:
        assert file.read() == "new\n"
    assert files.tf.io.gfile.listdir(f"ram://{tmp_path.name}") == ["a"]


def test_a_folder_that_is_not_local(tmp_path):
    path = f"ram://{tmp_path.name}/folder"
    with pytest.raises(Expected), files.writing_folder(path) as partial:
        files.tf.io.gfile.GFile(f"{partial}/in", "w").close()
        raise Expected
    assert not files.tf.io.gfile.exists(path)
    assert not files.tf.io.gfile.exists(partial)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert files.expand_user("~/a") == f"{tmp_path}/a"
    assert files.expand_user(pathlib.Path("~")) == str(tmp_path)
    for path in ("a~", "./~", "a/~/b", "gs://a/~", "", "/~root"):
        assert files.expand_user(path) == path
    write("~/a")
    with files.writing_path("~/b") as partial:
        pathlib.Path(partial).touch()
    with files.writing_folder("~/c"):
        pass
    assert names(tmp_path) == ["a", "b", "c"]


def test_the_home_folder_of_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = (
        "expected a path whose ~no.such.user is the home folder of a user; "
        "write ./~no.such.user for what is called so. Received: "
        "path='~no.such.user/a'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        files.expand_user("~no.such.user/a")
    write("./~no.such.user")
    # A name that exists is what it says.
    assert files.expand_user("~no.such.user") == "~no.such.user"


def test_names_that_are_shown():
    text = "x/.a.b.0123456789ab.partial; No space left on device"
    assert files.show_whole_names(text) == "x/a.b; No space left on device"
    for text in ("x/a.partial", ".a.0123.partial", ".0123456789ab.partial"):
        assert files.show_whole_names(text) == text


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_is_in_a_folder(tmp_path, scheme):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = f"{scheme}{tmp_path}"
    assert sorted(files.list_folder(path)) == ["file", "folder"]
    names = ("file", "folder", "nothing")
    found = [files.exists(f"{path}/{name}") for name in names]
    assert found == [True, True, False]
    found = [files.is_folder(f"{path}/{name}") for name in names]
    assert found == [False, True, False]


@pytest.mark.parametrize("name", ["new", "old", "pipe", "link"])
def test_what_could_be_written_stays_as_it_is(tmp_path, name):
    (tmp_path / "old").write_text("old\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("old")
    files.expect_writable(tmp_path / name)
    assert names(tmp_path) == ["link", "old", "pipe"]
    assert (tmp_path / "old").read_text() == "old\n"


@pytest.mark.parametrize("name", ["new", "empty", "full", "a/b/new"])
def test_a_folder_that_could_be_made_is_not_there_yet(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    write(tmp_path / "full" / "file")
    files.expect_writable_folder(tmp_path / name)
    assert names(tmp_path) == ["empty", "full"]
    assert names(tmp_path / "full") == ["file"]
    files.expect_writable_folder(f"memory://{name}")


def _fail_after(path, change):
    with (
        pytest.raises(KeyError, match="mine"),
        files.removing_new_folders(path),
    ):
        change()
        raise KeyError("mine")


def test_new_folders_go_where_what_they_are_for_fails(tmp_path, monkeypatch):
    (tmp_path / "old").mkdir()
    new = tmp_path / "old" / "new" / "deep"
    _fail_after(new, lambda: new.mkdir(parents=True))
    assert not (tmp_path / "old" / "new").exists()
    _fail_after(new, lambda: new.parent.mkdir())
    assert not (tmp_path / "old" / "new").exists()
    # What was there stays, empty as it is.
    _fail_after(tmp_path / "old", lambda: None)
    assert (tmp_path / "old").is_dir()
    # So does what has anything in it.
    monkeypatch.chdir(tmp_path)

    def write():
        new.mkdir(parents=True)
        (new.parent / "file").touch()

    _fail_after("old/new/deep", write)
    assert os.listdir("old/new") == ["file"]
    with files.removing_new_folders("made"):
        os.mkdir("made")
    assert os.path.isdir("made")
    _fail_after("ram://made", lambda: None)


def test_what_can_not_be_written_is_told_early(tmp_path):
    write(tmp_path / "file")
    path = tmp_path / "file" / "a" / "b"
    message = re.escape(f"Not a directory: '{tmp_path}/file'")
    with pytest.raises(NotADirectoryError, match=message):
        files.expect_writable_folder(path)
    with pytest.raises(NotADirectoryError, match=re.escape(str(path))):
        files.expect_writable(path)


def test_json_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": [1, None]})
    assert path.read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(TypeError, match="not JSON serializable"):
        files.write_json(path, {"a": {1}})
    assert path.read_text().startswith('{\n  "a"')
    assert names(tmp_path) == ["a.json"]

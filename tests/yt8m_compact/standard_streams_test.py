"""Tests of standard streams that are closed, cut off or narrow."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from yt8m_compact import standard_streams

HEAD = "import os, sys\nfrom yt8m_compact import standard_streams\n"


def run(code, redirections="", **variables) -> subprocess.CompletedProcess:
    """Runs Python under a shell that redirects its streams."""
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirections}', sys.executable]
        + [HEAD + code],
        capture_output=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUNBUFFERED": "",
            **variables,
        },
    )


def test_open_streams_stay_as_they_are():
    done = run("""
standard_streams.prepare()
standard_streams.prepare()
print("out é")
os.system("echo of another")
print("late", end="")
print("error", file=sys.stderr)
""")
    # Buffered, as always.
    assert done.stdout.decode() == "of another\nout é\nlate"
    assert done.stderr.decode() == "error\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    "closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_closed_streams(closed, tmp_path):
    done = run(
        f"""
standard_streams.prepare()
with open({str(tmp_path / "data")!r}, "w") as file:
    assert file.fileno() > 2, file.fileno()
    print("out", flush=True)
    print("error", file=sys.stderr, flush=True)
    os.write(2, b"of TensorFlow's C++ part")
    sys.stderr.isatty()
    os.system("echo of another")
""",
        closed,
    )
    assert done.returncode == 0
    assert (tmp_path / "data").read_bytes() == b""
    if ">&-" not in closed.replace("2>&-", ""):
        assert done.stdout == b"out\nof another\n"
    else:
        assert done.stdout == b""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "reader", ["| true; exit ${PIPESTATUS[0]}", "2>&1 | true; exit $PIPESTATUS"]
)
def test_a_reader_that_went_away_ends_nothing(tmp_path, reader, unbuffered):
    done = run(
        f"""
import time
time.sleep(0.3)
standard_streams.prepare()
for _ in range(99):
    print(999 * "out", flush=True)
    print("error", file=sys.stderr)
open({str(tmp_path / "result")!r}, "w").close()
print("at exit")
""",
        reader,
        PYTHONUNBUFFERED=unbuffered,
    )
    assert done.returncode == 0
    assert done.stderr in (b"", 99 * b"error\n")
    assert (tmp_path / "result").exists()


def test_a_terminal_that_hung_up_ends_nothing(tmp_path):
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"""{HEAD}
standard_streams.prepare()
print("ready", flush=True)
sys.stdin.read()
print("lost", flush=True)
""",
        ],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as process:
        assert os.read(ours, 5) == b"ready"
        os.close(theirs)
        os.close(ours)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_loses_logs_but_no_results():
    code = "standard_streams.prepare()\nprint('log', file=sys.stderr)"
    assert run(code, "2>/dev/full").returncode == 0
    code = "standard_streams.prepare()\nprint('out', flush=True)"
    done = run(code, ">/dev/full")
    assert done.returncode != 0
    assert b"No space left on device: 'standard output'" in done.stderr


def test_what_a_terminal_has_no_signs_for_is_escaped():
    code = "standard_streams.prepare()\nprint('é日\\udcff')"
    done = run(code, PYTHONIOENCODING="latin-1")
    assert done.stdout == b"\xe9\\u65e5\\udcff\n"
    done = run(code, PYTHONIOENCODING="utf-8")
    assert done.stdout == "é日\\udcff\n".encode()
    done = run(code, PYTHONIOENCODING="latin-1:replace")
    assert done.stdout == b"\xe9??\n"


def test_streams_that_somebody_replaced_stay(capsys):
    replaced = sys.stdout, sys.stderr
    standard_streams.prepare()
    assert (sys.stdout, sys.stderr) == replaced


def on_terminal(code: str, folder) -> list[str]:
    """Runs Python on a terminal of 80 columns; returns what that shows."""
    script = folder / "script.py"
    script.write_text(HEAD + code)
    child, terminal = pty.fork()
    if not child:
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        size = struct.pack("HHHH", 24, 80, 0, 0)
        fcntl.ioctl(1, termios.TIOCSWINSZ, size)
        os.execv(sys.executable, [sys.executable, str(script)])
    written = b""
    with contextlib.suppress(OSError):  # Its end is an error on Linux.
        while part := os.read(terminal, 1 << 16):
            written += part
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0, written.decode()
    return shown(written.decode())


def shown(text: str) -> list[str]:
    """What a terminal of 80 columns has after some text."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[A|\r|\n|[^\x1b]", text):
        if token == "\x1b[A":
            row -= 1
        elif token == "\r":
            column = 0
        else:
            if token == "\n" or column == 80:
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            if token != "\n":
                line = lines[row].ljust(column)
                lines[row] = line[:column] + token + line[column + 1 :]
                column += 1
    return [line.rstrip() for line in lines]


_BARS = """
import logging, warnings
from yt8m_compact import progress
standard_streams.prepare()
warnings.showwarning = lambda text, *more: print(text, file=sys.stderr)
print("before")
logging.basicConfig(level="INFO", format="%(message)s")
with progress.count_bar("outer", 4, " things") as bar:
    bar.update(1)
    bar.refresh()
    print("of standard output")
    with progress.count_bar("inner", 4, " things") as inner:
        inner.update(2)
        inner.refresh()
        logging.info("a log line")
        warnings.warn("a warning")
    print("in ", end="")
    print("parts")
    bar.update(3)
print("after")
"""


def test_lines_cut_no_bars(tmp_path):
    lines = on_terminal(_BARS, tmp_path)
    bar = [line for line in lines if line.startswith("outer")]
    assert len(bar) == 1
    assert bar[0].startswith("outer: 100%|")
    # The inner one is gone.
    assert [line for line in lines if line not in bar] == [
        "before",
        "of standard output",
        "a log line",
        "a warning",
        "in parts",
        "after",
        "",
    ]

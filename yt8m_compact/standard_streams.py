"""Standard output and errors that don't end a program when nobody reads.

On a terminal, lines are written above the progress bars that are there.
"""

from collections.abc import Iterator
import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO
import weakref

# The progress bars that lines must not cut: those that are closed are skipped.
BARS: weakref.WeakSet[Any] = weakref.WeakSet()


def prepare() -> None:
    """Makes printing never fail for what is at the other end.

    A stream that was closed, or whose reader went away (`| head`, a terminal
    that hung up), takes what is printed and drops it: the work goes on, and the
    exit status is that of the work. What a terminal has no signs for is
    escaped.
    """
    _open_closed()
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _make_lasting(stream, number))


def _open_closed() -> None:
    """Opens closed streams, or a file of ours would become one of them.

    What the C++ part of TensorFlow logs would then be in that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is opened.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


class _LastingFile(io.FileIO):
    """A file whose writing goes on when its reader has gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._has_results = number == 1
        self._is_terminal = self.isatty()

    def write(self, data: bytes) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            hung_up = error.errno == errno.EIO and self._is_terminal
            gone = error.errno == errno.EPIPE or hung_up
            if self._has_results and not gone:
                error.filename = "standard output"
                raise
            return len(data)


def _make_lasting(stream: TextIO, number: int) -> TextIO:
    stream.flush()
    file = _LastingFile(number)
    make = _Terminal if file.isatty() else io.TextIOWrapper
    return make(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=(
            "backslashreplace" if stream.errors == "strict" else stream.errors
        ),
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Terminal(io.TextIOWrapper):
    """A terminal that shows bars, whose lines are written above them."""

    _part = ""  # of a line, which waits for its end

    def write(self, text: str) -> int:
        bars = [bar for bar in BARS if not bar.disable]
        if text.startswith("\r") or not (bars or self._part):
            return super().write(text)  # A bar of somebody else, or none.
        whole, newline, self._part = (self._part + text).rpartition("\n")
        if not bars:
            whole, newline, self._part = whole + newline + self._part, "", ""
        if whole or newline:
            with _cleared(bars):
                super().write(whole + newline)
                self.flush()
        return len(text)


@contextlib.contextmanager
def _cleared(bars: list[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as locks:
        for bar in bars:
            locks.enter_context(bar.get_lock())
        for bar in bars:
            bar.clear()
        yield
        for bar in bars:
            bar.refresh()


class _UnderBars:
    """A terminal as bars write to it."""

    def __init__(self, stream: _Terminal) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def under_bars(stream: TextIO) -> TextIO:
    """Returns what bars write to, for a stream whose lines spare them.

    Args:
        stream: standard error, as `prepare` left it.

    Returns:
        A stream; the same one where nothing is to be spared.
    """
    return _UnderBars(stream) if isinstance(stream, _Terminal) else stream

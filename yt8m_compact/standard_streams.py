"""Standard output and errors that don't end a program when nobody reads."""

import errno
import io
import os
import sys
from typing import TextIO


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
    return io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=(
            "backslashreplace" if stream.errors == "strict" else stream.errors
        ),
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )

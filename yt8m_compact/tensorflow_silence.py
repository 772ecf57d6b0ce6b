"""TensorFlow without what it says of itself when it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
import contextlib
import glob
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import tempfile
import types

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_ALL, _ERRORS_ONLY = "0", "2"

# What TensorFlow 2.16 to 2.21 logs at its import, whatever the level: notes,
# warnings, what comes with the first of them, what LiteRT says at its start,
# the rest of a note of two lines, and errors that it has of its own plugins on
# every machine with CUDA.
_NOTE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|[IW]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ [\w.]+:\d+\] "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate for CPU\."
    rb"|To enable the following instructions: "
    rb"|(E\d{4} |\d{4}-\d\d-\d\d ).*Unable to register cu\w+ (factory|plugin)"
)
# Of a machine without a GPU, where it is no error.
_NO_GPU = re.compile(rb"(E\d{4} |\d{4}-\d\d-\d\d ).*failed call to cuInit")
_GPU_FILES = ("/dev/nvidia*", "/dev/dxg", "/dev/kfd")


def prepare() -> None:
    """Makes TensorFlow, imported from now on, log errors only.

    `TF_CPP_MIN_LOG_LEVEL` is set where it is not, and holds for processes that
    this one starts; TensorFlow 2.21 heeds it only after what it logs at its
    import and of the devices that it finds, and so that is filtered. Where the
    variable is 0 nothing is changed.
    """
    show_all()
    if os.environ.setdefault(_LEVEL, _ERRORS_ONLY) == _ALL:
        return
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def prepare_library() -> None:
    """Does what `prepare` does, when this package imports TensorFlow.

    Nothing is changed where TensorFlow was imported before, or
    `TF_CPP_MIN_LOG_LEVEL` is set by then, which is set at the import only.
    """
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder(if_unset=True))


def show_all() -> None:
    """Undoes what waits for TensorFlow's import."""
    sys.meta_path[:] = [
        one for one in sys.meta_path if not isinstance(one, _Finder)
    ]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow once, and filters what its import logs.

    Args:
        if_unset: whether only where `TF_CPP_MIN_LOG_LEVEL` is not set.
    """

    def __init__(self, if_unset: bool = False) -> None:
        self._if_unset = if_unset

    def find_spec(
        self,
        name: str,
        path: object = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        if self._if_unset and _LEVEL in os.environ:
            return None
        os.environ.setdefault(_LEVEL, _ERRORS_ONLY)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            # Who uses the library may have threads, which are not copied.
            filtered = without_notes if self._if_unset else _filtered
            _filter_import(spec.loader, filtered)
        return spec


def _filter_import(
    loader: importlib.abc.Loader,
    filtered: Callable[[], contextlib.AbstractContextManager[None]],
) -> None:
    load = loader.exec_module

    def exec_module(module: types.ModuleType) -> None:
        del loader.exec_module  # Which is the loader's own again.
        with filtered():
            load(module)
            if not _may_have_gpu():
                # Else that there is none would be an error later on.
                tf.config.list_physical_devices()

    loader.exec_module = exec_module


def _may_have_gpu() -> bool:
    return any(map(glob.glob, _GPU_FILES))


@contextlib.contextmanager
def _filtered() -> Iterator[None]:
    """Takes TensorFlow's notes out of what is written to standard error.

    A process of its own does that, since a fatal error ends this one with what
    it wrote last.
    """
    if not hasattr(os, "fork"):
        with without_notes():
            yield
        return
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(writing)
            _copy(reading)
        finally:
            os._exit(0)
    os.close(reading)
    try:
        with _standard_error_to(writing):
            os.close(writing)
            yield
    finally:
        os.waitpid(child, 0)


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Takes notes out of what is written to standard error, if it is asked for.

    What is no note is written at the end. It is asked for where
    `TF_CPP_MIN_LOG_LEVEL` is set to another level than 0.
    """
    if os.environ.get(_LEVEL, _ALL) == _ALL:
        yield
        return
    with tempfile.TemporaryFile() as file:
        try:
            with _standard_error_to(file.fileno()):
                yield
        finally:
            file.seek(0)
            _show(file)


@contextlib.contextmanager
def _standard_error_to(number: int) -> Iterator[None]:
    """Has another file in the place of standard error's."""
    original = os.dup(2)
    _flush()
    os.dup2(number, 2)
    try:
        yield
    finally:
        _flush()
        os.dup2(original, 2)
        os.close(original)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def _copy(source: int) -> None:
    """Copies lines that are no notes from a pipe to standard error."""
    os.setpgid(0, 0)  # Ctrl-C is for the process that is filtered.
    with open(source, "rb", buffering=0) as file:
        rest = b""
        while part := file.read(1 << 16):
            *lines, rest = (rest + part).split(b"\n")
            _show(line + b"\n" for line in lines)
        _show([rest])


def _show(lines: Iterable[bytes]) -> None:
    kept = [line for line in lines if not _is_note(line)]
    text = b"".join(kept)
    while text:
        text = text[os.write(2, text) :]


def prepare_worker() -> None:
    """Calls `prepare` in a process that another one started, if that did."""
    if _LEVEL in os.environ:
        prepare()


def _is_note(line: bytes) -> bool:
    if _NO_GPU.match(line):
        return not _may_have_gpu()
    return bool(_NOTE.match(line))

"""Tests of how the C library keeps memory."""

import ctypes
import platform

import pytest

from yt8m_compact.readers import memory

_VARIABLES = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "GLIBC_TUNABLES",
)


class _Library:
    """A C library that notes what it was told."""

    def __init__(self, *names):
        self.calls = []
        for name in names:
            setattr(self, name, getattr(self, f"_{name}"))

    def _mallopt(self, *arguments):
        self.calls.append(arguments)
        return 1

    def _gnu_get_libc_version(self):
        return 0


@pytest.fixture
def keep(monkeypatch):
    """The function, with a C library of our own, and not yet called."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def call(library):
        monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
        return memory.keep_freed_memory.__wrapped__()

    return call


def test_glibc_is_told(keep):
    library = _Library("mallopt", "gnu_get_libc_version")
    assert keep(library)
    # malloc.h: M_TRIM_THRESHOLD is -1 and M_MMAP_THRESHOLD -3.
    assert library.calls == [(-1, 2**31 - 1), (-3, 32 * 1024 * 1024)]


@pytest.mark.parametrize("names", [(), ("mallopt",)])
def test_other_libraries_are_left_alone(keep, names):
    library = _Library(*names)
    assert not keep(library)
    assert library.calls == []


@pytest.mark.parametrize("name", _VARIABLES)
def test_users_settings_are_left_alone(keep, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    library = _Library("mallopt", "gnu_get_libc_version")
    assert not keep(library)
    assert library.calls == []


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the C library is not glibc"
)
def test_real_glibc_takes_the_settings(monkeypatch):
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert memory.keep_freed_memory.__wrapped__()

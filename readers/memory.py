"""How the C library keeps the memory of batches that are done."""

import ctypes
import functools
import os

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_MMAP_THRESHOLD = 32 << 20

_USERS_SETTINGS = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "GLIBC_TUNABLES",
)


@functools.cache
def keep_freed_memory() -> bool:
    """Has glibc keep freed memory for the next batch, once in a process.

    A batch of frame-level records takes 20 MB, which glibc gives back to the
    system when the batch is done and asks for again for the next one, page by
    page: more than half of the processor time of a reader is spent on that.
    Kept memory is used again; the largest size of the process stays the same,
    but it does not shrink afterwards.

    Returns:
        Whether it was done: not where the C library is another, or the
        environment variables `MALLOC_TRIM_THRESHOLD_`,
        `MALLOC_MMAP_THRESHOLD_` or `GLIBC_TUNABLES` say what the user wants.
    """
    if any(os.environ.get(name) for name in _USERS_SETTINGS):
        return False
    try:
        library = ctypes.CDLL(None)
        mallopt = library.mallopt
        library.gnu_get_libc_version()
    except (AttributeError, OSError, TypeError):  # another system
        return False
    return bool(
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        and mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    )

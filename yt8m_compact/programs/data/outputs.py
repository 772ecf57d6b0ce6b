"""Writes what verbs found, each output by itself."""

from collections.abc import Callable, Iterator
import contextlib
from typing import Any

from yt8m_compact import files
from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf


def write_json(path: str, values: dict[str, Any], *, say: bool = True) -> None:
    """Writes a result as JSON.

    Args:
        path: The file; nothing is written if empty.
        values: The result.
        say: Whether to print that it was written.
    """
    if not path:
        return
    files.write_json(path, values)
    if say:
        print(f"wrote {path}")


@contextlib.contextmanager
def all_tried() -> Iterator[Callable[[], contextlib.AbstractContextManager]]:
    """Tries every output of a result, whichever of them fail.

    Yields:
        Makes the context in which one output is tried. The first error is
        raised at the end, when all were tried.
    """
    failed = []

    @contextlib.contextmanager
    def attempt() -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, tf.errors.OpError) as error:
            failed.append(error)

    yield attempt
    if failed:
        raise failed[0]

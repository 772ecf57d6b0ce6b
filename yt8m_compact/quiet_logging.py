"""Loggers of other packages, kept quiet for a while."""

from collections.abc import Iterator
import contextlib
import logging


@contextlib.contextmanager
def only(level: int, name: str) -> Iterator[None]:
    """Has a logger and those below it tell nothing below a level.

    Args:
        level: the least that is told, such as `logging.ERROR`.
        name: of the logger.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)

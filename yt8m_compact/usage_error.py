"""What is wrong with a command line, told from what goes wrong later."""

from collections.abc import Iterator
import contextlib


class UsageError(ValueError):
    """A command line that asks for what can't be done.

    Programs end with exit status 2 then, and with 1 where something goes wrong
    in what they do.
    """


@contextlib.contextmanager
def from_value_errors() -> Iterator[None]:
    """Makes a `ValueError` of settings that flags gave a `UsageError`."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error

"""Work that is cut into tasks, and what has others do them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import contextlib
import functools
import pickle
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
# Called with a number of records that are done.
Update = Callable[[int], None]


class Mapper(Protocol):
    """Has other processes do tasks, on this machine or on many."""

    def shared_folder(self) -> contextlib.AbstractContextManager[str]:
        """Makes a folder that all processes reach, which goes at the end."""

    def map(
        self,
        function: Callable[[Task, Update], Result],
        tasks: Sequence[Task],
        update: Update | None = None,
    ) -> Iterator[tuple[Task, Result]]:
        """Calls a function with each task, maybe more than once.

        Args:
            function: Gets a task, and what to call with a number of records
                done. A function of a module, or `functools.partial` of one.
                What it writes appears whole or not at all.
            tasks: What to do; processes get copies.
            update: Called with the number of records of each task, too, when
                its result is known.

        Yields:
            Tasks with their results, in their order.

        Raises:
            Exception: What the function raised, of the first task for which it
                did, after the results that there are.
        """


@functools.lru_cache(maxsize=1)
def opened(make: bytes) -> Any:
    """Makes what the tasks of a process share, such as a model, once.

    Args:
        make: a function without arguments that makes it, pickled by who gives
            the tasks.
    """
    return pickle.loads(make)()

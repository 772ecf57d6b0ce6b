"""Has this process do the tasks that others would."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import pickle
import tempfile
from typing import Any


class LocalMapper:
    """A `task_mapping.Mapper` that needs no runner.

    What goes to other processes and comes from them is pickled, as it would be.

    Args:
        times: how often each task is done, as a runner may.

    Attributes:
        tasks: what was done.
        folders: that were shared.
    """

    def __init__(self, times: int = 1) -> None:
        self.tasks: list[Any] = []
        self.folders: list[str] = []
        self._times = times

    @contextlib.contextmanager
    def shared_folder(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            self.folders.append(folder)
            yield folder

    def map(
        self,
        function: Callable[..., Any],
        tasks: Sequence[Any],
        update: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        for task in tasks:
            self.tasks.append(task)
            for _ in range(self._times):
                counts: list[int] = []
                call, sent = pickle.loads(pickle.dumps((function, task)))
                result = pickle.loads(pickle.dumps(call(sent, counts.append)))
            if update is not None:
                update(sum(counts))
            yield task, result

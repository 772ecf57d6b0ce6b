"""What programs that train say at the end."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import sys
from typing import TYPE_CHECKING

from yt8m_compact import program

if TYPE_CHECKING:
    from yt8m_compact import training


@contextlib.contextmanager
def keeping_what_is_done(is_kept: bool = True) -> Iterator[None]:
    """Says that the same command goes on, where a signal ends what is in it.

    Args:
        is_kept: whether it does.
    """
    try:
        yield
    except KeyboardInterrupt:
        if is_kept:
            print(
                "what is done is kept: the same command goes on",
                file=sys.stderr,
            )
        raise


def tell_interruption(result: training.TrainingResult) -> int | None:
    """Says what was left out of the data, and which signal stopped a run.

    Args:
        result: how the training ended.

    Returns:
        The exit status where it was stopped, None where it was not.
    """
    if result.skipped:
        table = result.skipped.to_text(program.table_columns())
        print(f"left out of the data:\n{table}", flush=True)
    if result.signal_number is None:
        return None
    print(
        f"stopped by signal {result.signal_number} at step {result.step}; "
        f"saved {result.checkpoint}; the same command continues"
    )
    return 128 + result.signal_number

"""Bars that show how far long work is; lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import logging
import sys
import time
from typing import Any

from yt8m_compact import lazy
from yt8m_compact import standard_streams

with lazy.imports():
    import tqdm

    from yt8m_compact import readers

# Seconds between two lines where standard error is no terminal.
LINE_SECONDS = 30.0
# The bar of an epoch has metrics beside it: in 80 columns, and so without how
# many videos of how many, which it shows.
_WITH_METRICS = (
    "{desc} {percentage:3.0f}%|{bar}| {rate_noinv_fmt} {remaining} left"
    "{postfix}"
)
_WITHOUT_TOTAL = "{desc} {n_fmt} {rate_noinv_fmt}{postfix}"
# How metrics are called where there is little room.
_SHORT = {"hit_at_1": "hit@1"}
_METRICS = ("loss", "gap", "hit_at_1", "perr", "map")

_LOGGER = logging.getLogger(__name__)


class Clock:
    """Says when it is time for another line."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Whether there was no line for `LINE_SECONDS`; then there is one."""
        now = time.monotonic()
        if now - self._last < LINE_SECONDS:
            return False
        self._last = now
        return True


class Lines:
    """Counts as a bar does, and logs a line from time to time.

    Args:
        name: what is done.
        total: how many there are, None if nobody knows.
        unit: what they are, with a space before it.
        initial: how many are done.
        clock: when lines are due; that of another bar goes on.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        unit: str,
        initial: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.total = total
        self.n = self._initial = initial
        self._name = name
        self._unit = unit
        self._clock = clock or Clock()
        self._start = time.monotonic()
        self._text = ""
        self._has_logged = False

    def __enter__(self) -> Lines:
        """Returns itself."""
        return self

    def __exit__(self, *unused: object) -> None:
        """Does nothing: what failed has no last line."""

    def update(self, number: float = 1) -> None:
        """Counts some more."""
        self.n += number
        if self._clock.is_due():
            self._log(self.to_text())

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Sets what the line ends with."""
        del refresh
        self._text = text

    def set_description(self, name: str) -> None:
        """Sets what the line begins with."""
        self._name = name

    def finish(self) -> None:
        """Logs a last line, where there was one before."""
        if self._has_logged:
            seconds = time.monotonic() - self._start
            done = f"{_count(self.n, self._unit)} in {_clock_text(seconds)}"
            self._log(f"{self._name}: {done}")

    def leave_out(self, seconds: float) -> None:
        """Leaves time out of the rate."""
        self._start += seconds

    def close(self) -> None:
        """Does nothing, as `__exit__`."""

    clear = refresh = close

    def to_text(self) -> str:
        """Writes how far it is."""
        parts = [_count(self.n, self._unit, self.total)]
        if self.total:
            parts.insert(0, f"{min(100.0, 100.0 * self.n / self.total):.0f} %")
        seconds = time.monotonic() - self._start
        if self.n > self._initial and seconds > 0:
            rate = (self.n - self._initial) / seconds
            shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
            if self._unit != _BYTES:
                parts.append(f"{shown}/s")
            if self.total and self.total > self.n:
                left = (self.total - self.n) / rate
                parts.append(f"{_clock_text(left)} left")
        if self._text:
            parts.append(self._text)
        return f"{self._name}: {', '.join(parts)}"

    def _log(self, text: str) -> None:
        self._has_logged = True
        _LOGGER.info("%s", text)


_BYTES = "B"


def _count(number: float, unit: str, total: float | None = None) -> str:
    if unit == _BYTES:
        return f"{number / 2**20:,.1f} MB"
    of = f" of {total:,}" if total else ""
    return f"{number:,}{of}{unit}"


def _clock_text(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"


def has_terminal() -> bool:
    """Whether somebody looks at standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def metrics_text(metrics: Mapping[str, float], digits: int = 3) -> str:
    """Writes metrics in little room.

    Args:
        metrics: by their names, in any order.
        digits: how many of metrics between 0 and 1, behind the point.

    Returns:
        "loss 17.01 gap 0.139 hit@1 0.274".
    """
    names = [name for name in _METRICS if name in metrics]
    names += sorted({*metrics} - {*names})
    return " ".join(
        f"{_SHORT.get(name, name)} "
        + (
            f"{metrics[name]:.4g}"
            if name not in _METRICS or name == "loss"
            else f"{metrics[name]:.{digits}f}"
        )
        for name in names
    )


def video_bar(
    name: str,
    files: Sequence[str],
    *,
    total: int | None = None,
    most: int | None = None,
    initial: int = 0,
    clock: Clock | None = None,
    with_metrics: bool = False,
) -> tqdm.tqdm | Lines:
    """Makes a bar that counts videos.

    Args:
        name: what is done.
        files: what is read; their size says about how many videos there are.
        total: the number of videos, if it is known.
        most: the number after which it ends, if there are more.
        initial: how many are done.
        clock: where there is no terminal, when lines are due.
        with_metrics: whether room is needed for metrics.

    Returns:
        The bar, to be used as a context manager or closed; where there is no
        terminal, lines.
    """
    if total is None:
        total = readers.estimate_num_records(files)
    if total is not None and most is not None:
        total = min(total, most)
    kwargs: dict[str, Any] = {"unit": " videos"}
    if with_metrics:
        kwargs = {
            "bar_format": _WITH_METRICS if total else _WITHOUT_TOTAL,
            "unit": "",
            "unit_scale": True,
        }
    return _make(name, total, initial, " videos", clock, **kwargs)


def finish(bar: tqdm.tqdm | Lines) -> None:
    """Ends a bar: the number of videos is what was counted."""
    if isinstance(bar, Lines):
        bar.finish()
        return
    if not bar.disable:
        bar.total = bar.n
        bar.refresh()
    bar.close()


def leave_out(bar: tqdm.tqdm | Lines, seconds: float) -> None:
    """Leaves time in which something else was done out of a bar's rate."""
    if isinstance(bar, Lines):
        bar.leave_out(seconds)
    elif not bar.disable:
        bar.start_t += seconds
        bar.last_print_t += seconds


def byte_bar(name: str) -> tqdm.tqdm | Lines:
    """Makes a bar that counts bytes, as `video_bar`.

    Args:
        name: what is done.

    Returns:
        The bar, to be used as a context manager or closed.
    """
    return _make(
        name, None, 0, _BYTES, unit=_BYTES, unit_scale=True, unit_divisor=1024
    )


def count_bar(
    name: str, total: int | None, unit: str, *, is_shown: bool = True
) -> tqdm.tqdm | Lines:
    """Makes a bar that counts things of a known number, as `byte_bar`.

    Args:
        name: what is done.
        total: how many there are, None where that is not known.
        unit: what they are, with a space before it.
        is_shown: whether anything is shown at all.

    Returns:
        The bar, to be used as a context manager or closed.
    """
    if not is_shown:
        return tqdm.tqdm(disable=True)
    return _make(name, total, 0, unit, unit=unit)


def _make(
    name: str,
    total: int | None,
    initial: int,
    counted: str,
    clock: Clock | None = None,
    **kwargs: Any,
) -> tqdm.tqdm | Lines:
    if not has_terminal():
        return Lines(name, total, counted, initial, clock)
    bar = tqdm.tqdm(
        desc=name,
        total=total,
        initial=initial,
        file=standard_streams.under_bars(sys.stderr),
        dynamic_ncols=True,
        leave=None,  # A bar within another one goes.
        **kwargs,
    )
    standard_streams.BARS.add(bar)
    return bar

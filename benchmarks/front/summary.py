"""Means over seeds, fronts, and tables of what was measured."""

from collections.abc import Iterable, Sequence
import dataclasses

import numpy as np
import tabulate

from benchmarks.front import cases
from benchmarks.front import results


@dataclasses.dataclass(frozen=True)
class Point:
    """A case, the mean of its seeds.

    Attributes:
        rows: what was measured, one a seed.
    """

    rows: tuple[results.Row, ...]

    @property
    def first(self) -> results.Row:
        """The row of the first seed, for what seeds share."""
        return self.rows[0]

    @property
    def value(self) -> float:
        """The metric."""
        return float(np.mean([row.value for row in self.rows]))

    @property
    def half_interval(self) -> float:
        """Half the interval of one model of these."""
        return float(np.mean([row.high - row.low for row in self.rows])) / 2

    @property
    def bytes(self) -> float:
        """The bytes of the largest of the files."""
        return max(row.bytes for row in self.rows)

    @property
    def row_ms(self) -> float:
        """The time of one video: the seed that other jobs disturbed least."""
        return min(row.row_ms for row in self.rows)


def points(rows: Iterable[results.Row], data: str, split: str) -> list[Point]:
    """Groups the rows of a data set by case.

    Args:
        rows: of all data sets.
        data: the data set.
        split: what was evaluated on.

    Returns:
        The points, in the order of their first rows.
    """
    groups: dict[str, list[results.Row]] = {}
    for row in rows:
        if (row.data, row.split) == (data, split):
            groups.setdefault(row.case, []).append(row)
    return [Point(tuple(group)) for group in groups.values()]


def front(some: Iterable[Point]) -> list[Point]:
    """Keeps the points that are better than all of fewer bytes.

    Args:
        some: points.

    Returns:
        Those, by bytes.
    """
    kept: list[Point] = []
    for point in sorted(some, key=lambda point: (point.bytes, -point.value)):
        if point.bytes and (not kept or point.value > kept[-1].value):
            kept.append(point)
    return kept


def reference(some: Iterable[Point]) -> Point | None:
    """Finds the best dense model of floats of those that learn as all do.

    Args:
        some: points.

    Returns:
        The point, None without one.
    """
    return _best_of(some, ("dense", "teacher"))


def best_dense(some: Iterable[Point]) -> Point | None:
    """Finds the best dense model of floats, also of more teachers and steps.

    Args:
        some: points.

    Returns:
        The point, None without one.
    """
    return _best_of(some, ("dense", "teacher", "best dense"))


def _best_of(some: Iterable[Point], families: Sequence[str]) -> Point | None:
    floats = [
        point
        for point in some
        if point.first.precision == "float32"
        and point.first.family in families
        and point.bytes
    ]
    return max(floats, key=lambda point: point.value, default=None)


def format_points(some: Sequence[Point]) -> str:
    """Writes a table of all points, by family and falling bytes.

    Args:
        some: points of one data set and split.
    """
    best = reference(some)
    families: dict[str, None] = dict.fromkeys(p.first.family for p in some)
    rows = []
    for family in families:
        members = [p for p in some if p.first.family == family]
        for point in sorted(members, key=lambda p: -p.bytes):
            row = point.first
            rows.append(
                [
                    row.case.rpartition("@")[0] or row.case,
                    row.precision,
                    f"{row.weights:,}",
                    f"{point.bytes / 1e6:.3f}",
                    _decimals(point.value),
                    f"±{_decimals(point.half_interval)}",
                    f"{point.value - best.value:+.4f}" if best else "",
                    len(point.rows),
                    f"{np.mean([r.row_ms for r in point.rows]):.2f}",
                ]
            )
    metric = {"gap": "GAP@20", "map": "MAP"}[some[0].first.metric]
    headers = ["model", "precision", "parameters", "MB", metric, "95 %"]
    headers += ["against dense", "seeds", "ms of a video"]
    return tabulate.tabulate(
        rows,
        headers,
        tablefmt="github",
        colalign=("left", "left", *["right"] * 7),
        disable_numparse=True,
    )


def format_aims(some: Sequence[Point]) -> str:
    """Writes the table of aims: the best of all that is small enough.

    Both distances are written, to the dense model that learns as all do, and to
    the best one, which decides.

    Args:
        some: points of YouTube-8M on the test shards.
    """
    dense, best = reference(some), best_dense(some)
    rows = []
    for size, distance in cases.AIMS.items():
        small = [p for p in some if 0 < p.bytes <= size]
        if dense is None or best is None or not small:
            continue
        # One seed may be luck.
        point = max(small, key=lambda p: (len(p.rows) > 1, p.value))
        difference = point.value - best.value
        rows.append(
            [
                f"{size / 1e6:.2f} MB",
                f"dense - {distance:.3f}".replace("0.", "."),
                point.first.case,
                f"{point.bytes / 1e6:.3f}",
                _decimals(point.value),
                f"±{_decimals(point.half_interval)}",
                f"{point.value - dense.value:+.4f}",
                f"{difference:+.4f}",
                len(point.rows),
                "yes" if difference >= -distance else "no",
            ]
        )
    headers = ["bytes at most", "GAP@20 at least", "model", "MB", "GAP@20"]
    headers += ["95 %", "against dense", "against the best dense"]
    headers += ["seeds", "reached"]
    return tabulate.tabulate(
        rows,
        headers,
        tablefmt="github",
        colalign=("right", "left", "left", *["right"] * 6, "left"),
        disable_numparse=True,
    )


def _decimals(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")

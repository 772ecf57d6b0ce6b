"""Models side by side: metrics with intervals, size, work and time."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
import tabulate

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval.insight import details as details_lib

# Metrics in the order of the tables.
METRICS = {
    "gap": "GAP@{top_k}",
    "hit_at_1": "Hit@1",
    "perr": "PERR",
    "map": "MAP",
    "loss": "loss",
}


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a model takes, as far as it is known.

    Attributes:
        num_bytes: Of the files that are read to predict, or of the weights of a
            run as they are shipped.
        num_weights: All weights.
        multiply_adds: Of a video, without those of each frame.
        multiply_adds_per_frame: Of each frame, that come on top.
        milliseconds: For one video alone.
    """

    num_bytes: int | None = None
    num_weights: int | None = None
    multiply_adds: int | None = None
    multiply_adds_per_frame: int | None = None
    milliseconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Member:
    """A model, or a file of predictions, of a comparison.

    Attributes:
        name: What it is called.
        metrics: By the names of `METRICS`; None where one is not known.
        draws: The metrics of each draw, of those that are known.
        costs: What it takes.
        report: The JSON report of its evaluation, None of a file.
        insight: What else is known of its predictions, if asked for.
    """

    name: str
    metrics: Mapping[str, float | None]
    draws: Mapping[str, np.ndarray]
    costs: Costs = Costs()
    report: Mapping[str, Any] | None = None
    insight: details_lib.Insight | None = None

    def half_width(self, metric: str) -> float | None:
        """How far the 95 % interval of a metric reaches; None if unknown."""
        draws = self.draws.get(metric)
        return None if draws is None else bootstrap.half_width(draws)


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much better or worse one model is than another, on the same videos.

    Attributes:
        value: The metric of the one minus that of the other.
        low: Where the 95 % interval of that starts.
        high: Where it ends.
    """

    value: float
    low: float
    high: float


def subtract(one: Member, other: Member) -> dict[str, Difference]:
    """Compares two models that predicted the same videos.

    Args:
        one: The one.
        other: What is subtracted.

    Returns:
        The differences of the metrics that both have; their intervals are those
        of the difference on the same draws.
    """
    found = {}
    for metric in METRICS:
        if metric not in one.draws or metric not in other.draws:
            continue
        value = one.metrics[metric] - other.metrics[metric]
        half = bootstrap.half_width(one.draws[metric] - other.draws[metric])
        found[metric] = Difference(value, value - half, value + half)
    return found


def draw_metrics(
    best: ranked_videos.RankedVideos,
    draws: bootstrap.Draws,
    map_draws: bootstrap.MapDraws | None = None,
) -> dict[str, np.ndarray]:
    """Computes the metrics of each draw.

    Args:
        best: The best classes of all videos.
        draws: The draws, of as many videos.
        map_draws: MAP of the draws, where all scores are known.

    Returns:
        float64 `[num_draws]` by the names of `METRICS`, without `map` or `loss`
        where these are not known.
    """
    found = {
        "gap": draws.gap(best),
        "hit_at_1": draws.means(best.hit_at_1),
        "perr": draws.means(best.precision),
    }
    if map_draws is not None:
        found["map"] = map_draws.result()
    if best.losses is not None:
        found["loss"] = draws.means(best.losses)
    return found


def member_of_predictions(
    name: str, best: ranked_videos.RankedVideos, draws: bootstrap.Draws
) -> Member:
    """Makes a member of predictions of which only the best are known.

    It is the way for files of predictions. Check by `same_videos.SameVideos`
    that they are of the same videos in the same order.

    Args:
        name: What it is called.
        best: The best classes of all videos.
        draws: The draws, of as many videos.

    Returns:
        The member, without MAP and costs.

    Raises:
        ValueError: If no video has a label.
    """
    num_labels = int(best.num_labels.sum())
    gap = average_precision.average_precision(
        best.scores.ravel(), best.scores[best.hits], num_labels
    )
    losses = best.losses
    return Member(
        name,
        {
            "gap": gap,
            "hit_at_1": float(best.hit_at_1.mean()),
            "perr": float(best.precision.mean()),
            "map": None,
            "loss": None if losses is None else float(losses.mean()),
        },
        draw_metrics(best, draws),
    )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Models that predicted the same videos.

    Attributes:
        members: The models; others are compared with the first one.
        num_videos: How many videos.
        eval_data_pattern: Where they are.
        top_k: How many predictions of a video GAP counts.
        num_draws: How often the videos were drawn.
        seed: Of the draws.
    """

    members: tuple[Member, ...]
    num_videos: int
    eval_data_pattern: str
    top_k: int = 20
    num_draws: int = bootstrap.NUM_DRAWS
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Writes the comparison as a dict that JSON can hold."""
        members = []
        for letter, member in zip(self.letters, self.members, strict=True):
            intervals = {
                metric: [
                    member.metrics[metric] - member.half_width(metric),
                    member.metrics[metric] + member.half_width(metric),
                ]
                for metric in METRICS
                if metric in member.draws
            }
            members.append(
                {
                    "letter": letter,
                    "name": member.name,
                    "metrics": {
                        name: member.metrics.get(name) for name in METRICS
                    },
                    "intervals": intervals,
                    "costs": dataclasses.asdict(member.costs),
                    "report": member.report,
                }
            )
        return {
            "members": members,
            "differences": [
                {
                    "of": letter,
                    "minus": self.letters[0],
                    "metrics": {
                        metric: dataclasses.asdict(difference)
                        for metric, difference in found.items()
                    },
                }
                for letter, found in self.differences()
            ],
            "num_videos": self.num_videos,
            "eval_data_pattern": self.eval_data_pattern,
            "top_k": self.top_k,
            "num_draws": self.num_draws,
            "seed": self.seed,
        }

    @property
    def letters(self) -> list[str]:
        """A short name for each member: A to Z, then A1."""
        return [
            chr(ord("A") + number % 26) + str(number // 26 or "")
            for number in range(len(self.members))
        ]

    @property
    def titles(self) -> list[str]:
        """The letter and the name of each member; of one alone, its name."""
        if len(self.members) == 1:
            return [self.members[0].name]
        return [
            f"{letter} {member.name}"
            for letter, member in zip(self.letters, self.members, strict=True)
        ]

    def differences(self) -> list[tuple[str, dict[str, Difference]]]:
        """Compares every member but the first with it; by their letters."""
        return [
            (letter, subtract(member, self.members[0]))
            for letter, member in zip(self.letters, self.members, strict=True)
        ][1:]

    def _known(self) -> list[str]:
        """Lists the metrics that some member has."""
        return [
            metric
            for metric in METRICS
            if any(m.metrics.get(metric) is not None for m in self.members)
        ]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Writes the members as a table: headers, and a row a member."""
        known = self._known()
        columns = {
            "bytes": lambda costs: _count(costs.num_bytes),
            "parameters": lambda costs: _count(costs.num_weights),
            "multiply-adds": _multiply_adds,
            "ms a video": lambda costs: _milliseconds(costs.milliseconds),
        }
        headers = [
            "model",
            *(METRICS[metric].format(top_k=self.top_k) for metric in known),
            *columns,
        ]
        rows = [
            [
                title,
                *(
                    _with_interval(
                        member.metrics.get(metric), member.half_width(metric)
                    )
                    for metric in known
                ),
                *(text(member.costs) for text in columns.values()),
            ]
            for title, member in zip(self.titles, self.members, strict=True)
        ]
        return headers, rows

    def difference_rows(self) -> list[list[str]]:
        """Writes differences as rows: `B - A`, then a cell a metric.

        Returns:
            The rows; `+0.0040 [+0.0010, +0.0070]` is a difference and its
            interval, and the metrics are those of `table`.
        """
        return [
            [
                f"{letter} - {self.letters[0]}",
                *(_difference(found.get(metric)) for metric in self._known()),
            ]
            for letter, found in self.differences()
        ]

    def to_text(self) -> str:
        """Writes the comparison as tables of text."""
        headers, rows = self.table()
        align = ["left", *["right"] * (len(headers) - 1)]
        table = tabulate.tabulate(
            rows, headers, disable_numparse=True, colalign=align
        )
        about = (
            f"{self.num_videos:,} videos; +- and [] are 95 % intervals of "
            f"{self.num_draws} draws of as many videos"
        )
        differences = self.difference_rows()
        if not differences:
            return f"{table}\n\n{about}"
        about += ", of differences on the same draws"
        names = headers[1 : len(differences[0])]
        # A line a metric: rows of intervals are wider than terminals.
        lines = [
            f"{row[0]}: {name} {cell}"
            for row in differences
            for name, cell in zip(names, row[1:], strict=True)
        ]
        return "\n\n".join([table, "\n".join(lines), about])


def short_names(paths: Sequence[str]) -> list[str]:
    """Shortens paths to as many of their last parts as tell them apart.

    Args:
        paths: The paths.

    Returns:
        A name for each, in order; the same path twice keeps the same name.
    """
    parts = [path.rstrip("/").split("/") for path in paths]
    names = []
    for mine, path in zip(parts, paths, strict=True):
        others = [one for one, p in zip(parts, paths, strict=True) if p != path]
        number = 1
        while number < len(mine) and any(
            one[-number:] == mine[-number:] for one in others
        ):
            number += 1
        names.append("/".join(mine[-number:]))
    return names


def _with_interval(value: float | None, half: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" + ("" if half is None else f" +-{half:.4f}")


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return (
        f"{difference.value:+.4f} "
        f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    )


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _multiply_adds(costs: Costs) -> str:
    text = _count(costs.multiply_adds)
    if costs.multiply_adds_per_frame:
        text += f" + {costs.multiply_adds_per_frame:,}/frame"
    return text


def _milliseconds(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.3g}"

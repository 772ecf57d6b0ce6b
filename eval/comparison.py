"""Models side by side: metrics with intervals, size, work and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import tabulate

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval.insight import details as details_lib

if TYPE_CHECKING:
    from yt8m_compact.eval import weights as weights_lib

# Metrics in the order of the tables.
METRICS_OF_VIDEOS = {
    "gap": "GAP@{top_k}",
    "hit_at_1": "Hit@1",
    "perr": "PERR",
    "map": "MAP",
    "loss": "loss",
}
METRICS = {**METRICS_OF_VIDEOS, "map_at_k": "MAP@{segment_map_k:,}"}
# Longer names have a line of their own, above the tables.
_TITLE_WIDTH = 16
_WIDTH = 80
_UNKNOWN = "-"


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

    def texts(self) -> dict[str, str]:
        """Writes what is known for a table, by the heads of its columns."""
        multiply_adds = _count(self.multiply_adds)
        if self.multiply_adds_per_frame:
            multiply_adds += f" + {self.multiply_adds_per_frame:,}/frame"
        milliseconds = _UNKNOWN
        if self.milliseconds is not None:
            milliseconds = f"{self.milliseconds:.3g}"
        return {
            "bytes": _count(self.num_bytes),
            "parameters": _count(self.num_weights),
            "multiply-adds": multiply_adds,
            "ms a video": milliseconds,
        }


def costs_of(
    weights: weights_lib.ModelWeights,
    milliseconds: float,
    num_bytes: int | None = None,
) -> Costs:
    """Says what a model takes.

    Args:
        weights: Its weights.
        milliseconds: For one video alone.
        num_bytes: Of its files; None of a run, whose weights count.

    Returns:
        It.
    """
    return Costs(
        num_bytes=weights.num_bytes if num_bytes is None else num_bytes,
        num_weights=weights.total,
        multiply_adds=weights.multiply_adds,
        multiply_adds_per_frame=weights.multiply_adds_per_frame,
        milliseconds=milliseconds,
    )


@dataclasses.dataclass(frozen=True)
class Member:
    """A model, or a file of predictions, of a comparison.

    Attributes:
        name: What it is called.
        metrics: By the names of `METRICS`; None where one is not known.
        draws: The metrics of each draw, of those that are known.
        costs: What it takes.
        report: The JSON report of its evaluation, None where there is none.
        insight: What else is known of its predictions, if asked for.
        num_listed: The most classes of a video that a file lists, where a
            video lists not all that have labels; None of a model.
    """

    name: str
    metrics: Mapping[str, float | None]
    draws: Mapping[str, np.ndarray]
    costs: Costs = Costs()
    report: Mapping[str, Any] | None = None
    insight: details_lib.Insight | None = None
    num_listed: int | None = None

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
        of the difference on the same draws. MAP of predictions that list some
        classes of a video alone is not compared with that of more classes.
    """
    found = {}
    for metric in METRICS:
        if metric not in one.draws or metric not in other.draws:
            continue
        if metric == "map" and one.num_listed != other.num_listed:
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

    Check by `same_videos.SameVideos` that they are of the same videos in the
    same order.

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
        num_segments: How many rated segments of the videos, None where it is
            videos that were predicted.
        top_k: How many predictions of a video GAP counts.
        segment_map_k: How many segments of a class MAP@K counts.
        num_draws: How often the videos were drawn.
        seed: Of the draws.
    """

    members: tuple[Member, ...]
    num_videos: int
    eval_data_pattern: str
    num_segments: int | None = None
    top_k: int = 20
    segment_map_k: int | None = None
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
                    "num_listed": member.num_listed,
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
            "num_segments": self.num_segments,
            "eval_data_pattern": self.eval_data_pattern,
            "top_k": self.top_k,
            "segment_map_k": self.segment_map_k,
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

    def _headers(self) -> list[str]:
        """Names the metrics that some member has."""
        return [
            METRICS[metric].format(
                top_k=self.top_k, segment_map_k=self.segment_map_k
            )
            for metric in self._known()
        ]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Writes the members as a table: headers, and a row a member."""
        rows = [
            [
                title,
                *(_with_interval(member, metric) for metric in self._known()),
                *member.costs.texts().values(),
            ]
            for title, member in zip(self.titles, self.members, strict=True)
        ]
        return ["model", *self._headers(), *Costs().texts()], rows

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
        """Writes the comparison as tables of text, 80 columns wide."""
        titles, sections = self.titles, []
        if any(len(title) > _TITLE_WIDTH for title in titles):
            letters = self.letters
            sections.append("\n".join(self._lines_of_titles()))
            titles = letters
        # Intervals in a line below, or six metrics would take 110 columns.
        metrics = [
            [
                title,
                *(
                    _with_interval(member, metric, "\n")
                    for metric in self._known()
                ),
            ]
            for title, member in zip(titles, self.members, strict=True)
        ]
        sections.append(_table(["model", *self._headers()], metrics))
        if any(member.costs != Costs() for member in self.members):
            costs = [
                [title, *member.costs.texts().values()]
                for title, member in zip(titles, self.members, strict=True)
            ]
            sections.append(_table(["model", *Costs().texts()], costs))
        differences = self.difference_rows()
        if differences:
            # A line a metric: rows of intervals are wider than terminals.
            sections.append(
                "\n".join(
                    f"{row[0]}: {name} {cell}"
                    for row in differences
                    for name, cell in zip(self._headers(), row[1:], strict=True)
                    if cell != _UNKNOWN
                )
            )
        starter = self._starter_rows(titles)
        if starter:
            headers = ["starter code", *self._headers()[: len(starter[0]) - 1]]
            sections.append(_table(headers, starter))
        return "\n\n".join([*sections, *self._notes()])

    def _lines_of_titles(self) -> list[str]:
        """Writes a line a member: its letter and its name."""
        return [
            f"{letter}  {member.name}"
            for letter, member in zip(self.letters, self.members, strict=True)
        ]

    def _starter_rows(self, titles: Sequence[str]) -> list[list[str]]:
        """Writes the starter code's values, of those that have them."""
        known = [name for name in self._known() if name in METRICS_OF_VIDEOS]
        return [
            [title, *(_value(found.get(name)) for name in known)]
            for title, member in zip(titles, self.members, strict=True)
            if (found := (member.report or {}).get("starter_metrics"))
        ]

    def _notes(self) -> list[str]:
        """Says what the numbers are of, in lines that fit a terminal."""
        what = f"{self.num_videos:,} videos"
        if self.num_segments is not None:
            what = f"{self.num_segments:,} rated segments of {what}"
        about = (
            f"{what}; +- and [] are 95 % intervals of {self.num_draws} draws of"
            " as many videos"
        )
        if len(self.members) > 1:
            about += ", of differences on the same draws"
        notes = [about, self.listing_note()]
        return [
            "\n".join(textwrap.wrap(note, _WIDTH)) for note in notes if note
        ]

    def listing_note(self) -> str:
        """Says of which members some classes alone are known; may be empty."""
        listed = {
            letter: member.num_listed
            for letter, member in zip(self.letters, self.members, strict=True)
            if member.num_listed is not None
        }
        if not listed:
            return ""
        return (
            f"{', '.join(listed)}: {max(listed.values()):,} classes of a video "
            "are listed at most. MAP takes others for not predicted: it is "
            "lower than that of all classes, and not compared with that"
        )


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


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate.tabulate(
        rows, headers, disable_numparse=True, colalign=align
    )


def _with_interval(member: Member, metric: str, between: str = " ") -> str:
    half = member.half_width(metric)
    text = _value(member.metrics.get(metric))
    return text if half is None else f"{text}{between}+-{half:.4f}"


def _value(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4f}"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return _UNKNOWN
    return (
        f"{difference.value:+.4f} "
        f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    )


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"

"""The picture of the front."""

from collections.abc import Sequence
import itertools
import os
from typing import Any

from matplotlib import axes as axes_lib
from matplotlib import pyplot
from matplotlib import ticker

from benchmarks.front import cases
from benchmarks.front import summary

_MARKERS = {
    "float32": "o",
    "int8": "s",
    "int4": "D",
    "ternary": "^",
    "binary": "*",
    "mixed": "P",
    "coded": "v",
}
_METRICS = {"gap": "GAP@20", "map": "MAP"}
_TITLES = {
    cases.YT8M: "YouTube-8M, features of videos: accuracy against file size",
    cases.AUDIOSET: "AudioSet, frames: accuracy against file size",
}
# What is called otherwise than its cases.
_CHOSEN = "structure and bits chosen for a budget"
_NAMES = {
    "to a budget": _CHOSEN,
    "earlier recipe": _CHOSEN,
    "best dense": "dense",
    "low_rank": "low rank",
}
_COLOURS = {
    _CHOSEN: "tab:red",
    "dense, float32": "black",
    "dense, fewer bits": "grey",
    "low rank, float32": "tab:blue",
    "low rank, fewer bits": "tab:cyan",
}
# The hues of tab20 that look like one of these: blue, red, grey, cyan.
_TAKEN = (0, 3, 7, 9)
# Of tab20b, which comes next: the darkest of each hue but red.
_DARK = (0, 4, 8, 16)
# Points above it, where each text is: neighbours must not cover each other.
_HEIGHTS = (16, 50, 84)
# Of sizes that differ by less the smaller one, which is worse, has no text.
_APART = 1.2


def draw(
    points: dict[str, Sequence[summary.Point]],
    path: str | os.PathLike[str],
) -> None:
    """Draws one panel for each data set.

    Args:
        points: those of each data set; none may be empty.
        path: the file.
    """
    figure, axes = pyplot.subplots(
        1,
        len(points),
        figsize=(10 * len(points), 6),
        layout="constrained",
        squeeze=False,
    )
    for axis, (data, some) in zip(axes[0], points.items(), strict=True):
        _draw_panel(axis, data, some)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def families(
    some: Sequence[summary.Point],
) -> dict[str, list[summary.Point]]:
    """Groups what is shipped by what it is called in the picture.

    Args:
        some: points of one data set.

    Returns:
        The points of each name, teachers left out.
    """
    groups: dict[str, list[summary.Point]] = {}
    for point in some:
        family = point.first.family
        if point.bytes and family != "teacher":
            name = _NAMES.get(family, family)
            if name != _CHOSEN:
                is_float = point.first.precision == "float32"
                name += ", float32" if is_float else ", fewer bits"
            groups.setdefault(name, []).append(point)
    return groups


def describe(point: summary.Point, best: summary.Point) -> str:
    """Says what one gains, and what one pays.

    Args:
        point: what is described.
        best: the dense model of floats that it is compared with.

    Returns:
        Two lines: size, accuracy and time, and the first two as shares.
    """
    metric = f"{point.value:.3f}".removeprefix("0")
    text = f"{point.bytes / 1e6:.2g} MB, {metric}, {point.row_ms:.1f} ms"
    if point is best:
        return f"dense, float32\n{text}"
    share = best.bytes / point.bytes
    return (
        f"{text}\n1/{share:.0f} of the bytes, "
        f"{100 * point.value / best.value:.1f} %"
    )


def _draw_panel(
    axis: axes_lib.Axes, data: str, some: Sequence[summary.Point]
) -> None:
    best = summary.best_dense(some)
    groups = families(some)
    shipped = [point for members in groups.values() for point in members]
    light = [
        colour
        for index, colour in enumerate(pyplot.colormaps["tab20"].colors)
        if index // 2 not in _TAKEN
    ]
    dark = pyplot.colormaps["tab20b"].colors
    palette = itertools.cycle([*light, *(dark[index] for index in _DARK)])
    # A structure's, of floats and of fewer bits.
    colours: dict[str, Any] = {}
    for name, members in groups.items():
        structure = name.partition(",")[0]
        is_first = structure not in colours
        if is_first:
            colours[structure] = _COLOURS.get(name) or next(palette)
        colour = colours[structure]
        line = summary.front(members)
        is_chosen = name == _CHOSEN
        axis.plot(
            [point.bytes for point in line],
            [point.value for point in line],
            color=colour,
            label=structure if is_first else None,
            linestyle="--" if name.endswith("float32") else "-",
            linewidth=3 if is_chosen else 1.2,
        )
        for point in members:
            axis.plot(
                point.bytes,
                point.value,
                color=colour,
                marker=_MARKERS[point.first.precision],
                markersize=14 if point.first.precision == "binary" else 6,
            )
    axis.plot([], [], "k--", lw=1.2, label="float32")
    axis.plot([], [], "k-", lw=1.2, label="fewer bits")
    for precision, marker in _MARKERS.items():
        if any(point.first.precision == precision for point in shipped):
            axis.plot([], [], "k", marker=marker, ls="", label=precision)
    if best is not None:
        axis.axhline(best.value, color="grey", ls=":", lw=1)
        _annotate(axis, best, best, (-20, 14))
        heights = itertools.cycle(_HEIGHTS)
        chosen = summary.front(groups.get(_CHOSEN, []))
        for point, larger in itertools.zip_longest(chosen, chosen[1:]):
            if larger is None or larger.bytes > _APART * point.bytes:
                _annotate(axis, point, best, (-55, next(heights)))
        right = axis.secondary_yaxis(
            "right",
            functions=(
                lambda value: 100 * value / best.value,
                lambda percent: percent * best.value / 100,
            ),
        )
        right.set_ylabel("% of the dense model's")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(
        ticker.FuncFormatter(lambda value, _: f"{value / 1e6:g} MB")
    )
    # What falls below half of the best is left out of sight.
    top = max(point.value for point in shipped)
    low = max(min(point.value for point in shipped), 0.6 * top)
    margin = 0.4 * max(top - low, 0.05 * top)
    axis.set_ylim(low - 0.3 * margin, top + margin)
    left, right_end = axis.get_xlim()
    axis.set_xlim(left / 3.5, right_end * 1.3)
    axis.set_xlabel("file that is shipped (weights and configuration)")
    axis.set_ylabel(_METRICS[some[0].first.metric])
    axis.set_title(_TITLES[data])
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize=9, ncols=2)


def _annotate(
    axis: axes_lib.Axes,
    point: summary.Point,
    best: summary.Point,
    offset: tuple[int, int],
) -> None:
    axis.annotate(
        describe(point, best),
        (point.bytes, point.value),
        xytext=offset,
        textcoords="offset points",
        ha="center",
        fontsize=9.5,
        color="black" if point is best else "tab:red",
        arrowprops={"arrowstyle": "-", "color": "grey", "lw": 0.6},
    )

"""The picture of the front."""

from collections.abc import Sequence
import os

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
}
_METRICS = {"gap": "GAP@20", "map": "MAP"}
_TITLES = {
    cases.YT8M: "YouTube-8M, video level, shards 0080-0099",
    cases.AUDIOSET: "AudioSet, frame level, a tenth of the balanced videos",
}


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
        figsize=(9.5 * len(points), 7),
        layout="constrained",
        squeeze=False,
    )
    families = dict.fromkeys(
        point.first.family for some in points.values() for point in some
    )
    families.pop("teacher", None)
    colours = pyplot.colormaps["tab20"].colors
    colour_of = dict(zip(families, colours * 2, strict=False))
    for axis, (data, some) in zip(axes[0], points.items(), strict=True):
        _draw_panel(axis, data, some, colour_of)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _draw_panel(axis, data, some, colour_of):
    best = summary.reference(some)
    shipped = [p for p in some if p.bytes and p.first.family in colour_of]
    for family, colour in colour_of.items():
        members = [p for p in shipped if p.first.family == family]
        if not members:
            continue
        line = summary.front(members)
        axis.plot(
            [p.bytes for p in line],
            [p.value for p in line],
            color=colour,
            label=family,
            linewidth=2 if family == "to a budget" else 1.2,
        )
        for point in members:
            axis.errorbar(
                point.bytes,
                point.value,
                yerr=point.half_interval,
                color=colour,
                marker=_MARKERS[point.first.precision],
                markersize=9 if point.first.precision == "binary" else 6,
                elinewidth=0.6,
            )
    for precision, marker in _MARKERS.items():
        if any(p.first.precision == precision for p in shipped):
            axis.plot([], [], "k", marker=marker, ls="", label=precision)
    if best is not None:
        axis.axhline(
            best.value, color="black", ls=":", label="the best dense model"
        )
    if best is not None and data == cases.YT8M:
        sizes = sorted(cases.AIMS)
        axis.step(
            [*sizes, max(p.bytes for p in shipped)],
            [best.value - cases.AIMS[size] for size in (*sizes, sizes[-1])],
            where="post",
            color="grey",
            ls="--",
            label="aims",
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(
        ticker.FuncFormatter(lambda value, _: f"{value / 1e6:g}")
    )
    # What falls below half of the best is left out of sight.
    top = max(p.value for p in shipped)
    low = max(min(p.value for p in shipped), 0.6 * top)
    axis.set_ylim(low - 0.02 * top, top * 1.02)
    axis.set_xlabel("MB of the shipped files, weights and configuration")
    axis.set_ylabel(_METRICS[some[0].first.metric])
    axis.set_title(_TITLES[data])
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, ncols=2)

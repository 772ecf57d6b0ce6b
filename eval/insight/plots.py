"""Pictures of what an evaluation found, of one model or several."""

from __future__ import annotations

from collections.abc import Mapping
import io
from typing import Any

import numpy as np

from yt8m_compact.eval.insight import details as details_lib

_DPI = 110
_SIZE = (5.6, 4.0)
_MAX_VERTICALS = 25
# Classes of about as many videos whose mean is drawn: each doubling has 2.
_STEPS_A_DOUBLING = 2

# What `draw_insights` may draw.
INSIGHT_NAMES = ("precision_recall", "class_frequency", "groups", "reliability")


def expect_matplotlib(flag: str, value: str) -> None:
    """Checks, before any work, that pictures can be drawn.

    Args:
        flag: What asked for them.
        value: Its value.

    Raises:
        ValueError: If matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError(
            "expected matplotlib, which draws the plots: pip install "
            f'"yt8m_compact[plot]". Received: {flag}={value!r}'
        ) from None


def draw_insights(
    insights: Mapping[str, details_lib.Insight],
) -> dict[str, bytes]:
    """Draws what is known of classes and predictions.

    Args:
        insights: By the name of the model.

    Returns:
        PNG files by name: `precision_recall`, `class_frequency`, `groups`, and
        `reliability` where predictions are probabilities.
    """
    pictures = {
        "precision_recall": _draw_precision_recall(insights),
        "class_frequency": _draw_frequency(insights),
        "groups": _draw_groups(insights),
    }
    calibrated = {
        name: insight.calibration
        for name, insight in insights.items()
        if insight.calibration is not None
    }
    if calibrated:
        pictures["reliability"] = _draw_reliability(calibrated)
    return pictures


def draw_gap_against_bytes(
    points: Mapping[str, tuple[int, float, float]], top_k: int
) -> bytes:
    """Draws GAP of several models against their bytes.

    Args:
        points: By the name of the model: bytes, GAP, and how far its interval
            reaches to either side.
        top_k: How many predictions of a video GAP counts.

    Returns:
        A PNG file.
    """
    from matplotlib import ticker

    figure, axis = _start()
    for number, (name, (num_bytes, gap, half)) in enumerate(points.items()):
        axis.errorbar(
            [num_bytes],
            [gap],
            yerr=[half],
            fmt="o",
            color=_color(number),
            capsize=3,
            label=name,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.EngFormatter(unit="B"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.margins(x=0.2)
    axis.set_xlabel("size of the model")
    axis.set_ylabel(f"GAP@{top_k}, 95 % over videos")
    _legend(axis, len(points))
    return _png(figure)


def _draw_precision_recall(
    insights: Mapping[str, details_lib.Insight],
) -> bytes:
    figure, axis = _start()
    for number, (name, insight) in enumerate(insights.items()):
        curve = insight.curve
        axis.plot(
            curve.recall, curve.precision, color=_color(number), label=name
        )
    axis.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="recall, of all labels",
        ylabel="precision of the predictions that GAP ranks",
    )
    _legend(axis, len(insights))
    return _png(figure)


def _draw_frequency(insights: Mapping[str, details_lib.Insight]) -> bytes:
    from matplotlib import ticker

    figure, axis = _start()
    for number, (name, insight) in enumerate(insights.items()):
        table = insight.classes
        present = table.support > 0
        support = table.support[present]
        precision = table.average_precision[present]
        if len(insights) == 1:
            # Many rare classes have the same few numbers of videos.
            jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(support))
            axis.scatter(
                support * 2 ** (jitter / _STEPS_A_DOUBLING),
                precision,
                s=5,
                color="0.6",
                alpha=0.6,
                linewidths=0,
                label="a class",
            )
        steps = np.floor(_STEPS_A_DOUBLING * np.log2(support)).astype(int)
        numbers = np.bincount(steps)
        used = numbers > 0
        axis.plot(
            2 ** (np.bincount(steps, np.log2(support))[used] / numbers[used]),
            np.bincount(steps, precision)[used] / numbers[used],
            marker="o",
            markersize=4,
            color=_color(number),
            label="mean of classes" if len(insights) == 1 else name,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:,g}"))
    axis.set(
        ylim=(0, 1.02),
        xlabel="videos of the class in this data",
        ylabel="average precision of the class",
    )
    _legend(axis, 2)
    return _png(figure)


def _draw_reliability(calibrated: Mapping[str, Any]) -> bytes:
    figure, (axis, below) = _start(
        2, height_ratios=(3, 1), sharex=True, size=(5.6, 4.8)
    )
    axis.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
    for number, (name, calibration) in enumerate(calibrated.items()):
        used = calibration.counts > 0
        axis.plot(
            calibration.mean_scores[used],
            calibration.precision[used],
            marker="o",
            markersize=4,
            color=_color(number),
            label=f"{name}: ECE {calibration.expected_error:.3f}",
        )
        edges = np.linspace(0, 1, len(calibration.counts) + 1)
        below.stairs(calibration.counts, edges, color=_color(number))
    axis.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    below.set_yscale("log")
    below.set(xlabel="score", ylabel="predictions")
    below.grid(alpha=0.3)
    axis.legend(fontsize="small", loc="upper left")
    return _png(figure)


def _draw_groups(insights: Mapping[str, details_lib.Insight]) -> bytes:
    first = next(iter(insights.values()))
    verticals = sorted(
        (group for group in first.verticals if group.num_labels),
        key=lambda group: -group.num_labels,
    )[:_MAX_VERTICALS]
    shown = [*first.frequencies, *verticals]
    names = [group.name for group in shown]
    figure, axis = _start(size=(_SIZE[0], 1.4 + 0.27 * max(len(shown), 6)))
    width = 0.8 / len(insights)
    # The groups of frequency stand a little apart from the verticals.
    places = np.arange(len(shown), dtype=float)
    places[len(first.frequencies) :] += 0.6
    for number, (name, insight) in enumerate(insights.items()):
        gaps = {
            group.name: group.gap
            for group in [*insight.frequencies, *insight.verticals]
        }
        offset = (number - (len(insights) - 1) / 2) * width
        axis.barh(
            places + offset,
            np.nan_to_num([gaps[group] for group in names]),
            width,
            color=_color(number),
            label=name,
        )
    axis.set_yticks(
        places,
        [f"{group.name} ({group.num_labels:,})" for group in shown],
        fontsize="small",
    )
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("GAP of these classes (and their labels)")
    axis.grid(False, axis="y")
    _legend(axis, len(insights))
    return _png(figure)


def _start(
    rows: int = 1, *, size: tuple[float, float] = _SIZE, **kwargs: Any
) -> tuple[Any, Any]:
    from matplotlib import figure as figure_lib

    figure = figure_lib.Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, **kwargs)
    for axis in np.atleast_1d(axes):
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _color(number: int) -> str:
    return f"C{number % 10}"


def _legend(axis: Any, number: int) -> None:
    """Names the models where there is more than one."""
    if number > 1:
        axis.legend(fontsize="small")


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # Without the date and version, so that the same data give the same file.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()

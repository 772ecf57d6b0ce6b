"""A picture of the labels and frames of a data set."""

import os

import numpy as np

from yt8m_compact import files
from yt8m_compact.datasets import stats as stats_lib

_BARS = 60  # at most, each of the same number of labels or frames


def expect_plot(path: str) -> None:
    """Checks, before any work, that a picture can be drawn.

    Args:
        path: The file to write; its ending says of what kind it is.

    Raises:
        ValueError: If matplotlib is not installed, or does not know the ending.

    Example:
        >>> yt8m.datasets.expect_plot("stats.svg")
        >>> try:
        ...     yt8m.datasets.expect_plot("stats.txt")
        ... except ValueError as error:
        ...     print(str(error).rpartition("Received: ")[2])
        output_plot='stats.txt'
    """
    try:
        from matplotlib import backend_bases
    except ModuleNotFoundError:
        raise ValueError(
            "expected matplotlib, which draws the plot: pip install "
            f'"yt8m_compact[plot]". Received: output_plot={path!r}'
        ) from None
    known = backend_bases.FigureCanvasBase.get_supported_filetypes()
    if _ending(path) not in known:
        raise ValueError(
            f"expected a file that ends in one of {', '.join(sorted(known))}. "
            f"Received: output_plot={path!r}"
        )


def plot_stats(stats: stats_lib.Stats, path: str, title: str) -> None:
    """Draws histograms of labels, frames and classes, to a PNG or SVG file.

    Args:
        stats: The counts.
        path: The file to write; its ending says of what kind it is.
        title: What stands above.

    Raises:
        ValueError: As `expect_plot`.

    Example:
        >>> import collections, os
        >>> stats = yt8m.datasets.Stats(
        ...     num_files=1,
        ...     num_bytes=812_000,
        ...     num_videos=3,
        ...     labels_per_video=collections.Counter({1: 2, 2: 1}),
        ...     frames_per_video=collections.Counter({120: 1, 300: 2}),
        ...     videos_per_class=np.array([3, 0, 1]),
        ... )
        >>> yt8m.datasets.plot_stats(stats, "stats.svg", "My videos")
        >>> os.path.exists("stats.svg")
        True
    """
    expect_plot(path)
    from matplotlib import figure as figure_lib

    panels = 3 if stats.frames_per_video else 2
    figure = figure_lib.Figure(
        figsize=(4.2 * panels, 3.4), layout="constrained"
    )
    axes = iter(figure.subplots(1, panels))
    figure.suptitle(f"{title}: {stats.num_videos:,} videos")
    _bars(next(axes), stats.labels_per_video, "labels of a video")
    if stats.frames_per_video:
        _bars(next(axes), stats.frames_per_video, "frames of a video")
    axis = next(axes)
    counts = np.sort(stats.videos_per_class)[::-1]
    axis.plot(np.arange(1, len(counts) + 1), counts, color="tab:blue")
    axis.set_xlabel("classes, the most common one first")
    axis.set_ylabel("videos of the class")
    if counts[0]:
        axis.set_xscale("log")
        axis.set_yscale("symlog", linthresh=1)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    with files.writing(path, "wb") as file:
        figure.savefig(file, format=_ending(path), dpi=110)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lstrip(".").lower()


def _bars(axis, counts, label: str) -> None:
    """Draws how many videos have how many of something."""
    numbers = np.array(sorted(counts))
    videos = np.array([counts[number] for number in numbers.tolist()])
    width = -(-(numbers[-1] - numbers[0] + 1) // _BARS)
    starts = np.arange(numbers[0], numbers[-1] + 1, width)
    bins = (numbers - numbers[0]) // width
    heights = np.bincount(bins, videos, minlength=len(starts))
    middles = starts + (width - 1) / 2
    axis.bar(middles, heights, width=0.9 * width, color="tab:blue")
    axis.set_xlabel(label)
    axis.set_ylabel("videos")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)

"""Tests of the picture of a data set."""

import collections
import os
import resource
import sys

import numpy as np
import pytest

from yt8m_compact import datasets

STATS = datasets.Stats(
    num_files=1,
    num_bytes=10,
    num_videos=6,
    labels_per_video=collections.Counter({1: 3, 2: 2, 4: 1}),
    frames_per_video=collections.Counter({100: 4, 260: 1, 300: 1}),
    videos_per_class=np.array([0, 4, 1, 6]),
)


@pytest.fixture(name="figures")
def fixture_figures(monkeypatch) -> list:
    """The figures that are drawn."""
    try:
        from matplotlib import figure
    except ModuleNotFoundError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip('needs matplotlib: pip install "yt8m_compact[plot]"')
    figures = []
    original = figure.Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(figure.Figure, "savefig", savefig)
    return figures


@pytest.mark.slow
def test_the_bars_are_the_counts(tmp_path, figures):
    path = tmp_path / "plot.png"
    datasets.plot_stats(STATS, str(path), "mine")
    assert path.read_bytes().startswith(b"\x89PNG")
    labels, frames, classes = figures[0].axes
    assert [bar.get_height() for bar in labels.patches] == [3, 2, 0, 1]
    heights = {bar.get_x(): bar.get_height() for bar in frames.patches}
    # From 100 to 300 there are 201 numbers: 4 a bar, 51 bars. Half of the
    # width of a bar, .9 * 4, is left of its middle, such as 101.5.
    found = {round(x + 1.8, 6): y for x, y in heights.items() if y}
    assert found == {101.5: 4, 261.5: 1, 301.5: 1}
    assert classes.lines[0].get_ydata().tolist() == [6, 4, 1, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["plot.png"]


@pytest.mark.slow
def test_a_link_is_followed_and_a_full_disk_leaves_nothing(tmp_path, figures):
    (tmp_path / "target").write_bytes(b"before")
    link = tmp_path / "plot.png"
    link.symlink_to(tmp_path / "target")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="plot.png"):
            datasets.plot_stats(STATS, str(link), "mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "target").read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 2
    datasets.plot_stats(STATS, str(link), "mine")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 2


def test_video_level_has_no_frames(tmp_path, figures):
    stats = datasets.Stats(
        1, 10, 6, STATS.labels_per_video, collections.Counter(), np.zeros(3)
    )
    datasets.plot_stats(stats, str(tmp_path / "plot.svg"), "mine")
    assert len(figures[0].axes) == 2
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


def test_an_unknown_kind_of_picture(tmp_path, figures):
    for name in ("plot.mp3", "plot"):
        with pytest.raises(ValueError, match="one of .*png.* Received: output"):
            datasets.plot_stats(STATS, str(tmp_path / name), "mine")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"pip install \"yt8m_compact\[plot\]"):
        datasets.expect_plot(str(tmp_path / "plot.png"))

"""Tests of progress bars."""

import sys

import pytest

import record_makers
from yt8m_compact import progress


@pytest.fixture
def files(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    records = [
        record_makers.make_video_example(i, labels=[1]) for i in range(40)
    ]
    record_makers.write_tfrecord(path, records)
    return [path]


def test_bar_knows_about_how_many_and_ends_full(files, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.video_bar("predict", files) as bar:
        assert bar.total == 40
        bar.update(38)
        progress.finish(bar)
    shown = capsys.readouterr().err
    assert "predict" in shown
    assert "38/38" in shown


def test_known_number_goes_before_the_estimate(files, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.video_bar("epoch", files, total=7, initial=3) as bar:
        assert (bar.total, bar.n) == (7, 3)


def test_bar_is_silent_where_nobody_looks(files, capsys):
    with progress.video_bar("predict", files) as bar:
        bar.update(40)
        progress.finish(bar)
    assert capsys.readouterr().err == ""


def test_bytes_are_shown_in_units_of_1024(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.byte_bar("download") as bar:
        bar.update(3 * 1024**2)
        bar.refresh()
    shown = capsys.readouterr().err
    assert "download: 3.00MB" in shown


def test_things_of_a_known_number(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.count_bar("study", 12, " runs") as bar:
        bar.update(5)
        bar.refresh()
    shown = capsys.readouterr().err
    assert "study:" in shown
    assert "5/12" in shown
    assert " runs/s" in shown or "s/ runs" in shown


def test_bar_is_silent_where_nothing_can_be_shown(files, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # closed at the start
    with progress.video_bar("predict", files) as bar:
        bar.update(40)
    with progress.byte_bar("download") as bar:
        bar.update(40)

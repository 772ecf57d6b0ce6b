"""Tests of progress bars."""

import logging
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


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch) -> Time:
    monkeypatch.setattr(progress, "time", Time())
    return progress.time


def test_a_line_now_and_then_where_there_is_no_terminal(
    files, time, caplog, capsys, monkeypatch
):
    caplog.set_level("INFO", "yt8m_compact")
    # A handler that a test before this one left may hold its closed stream.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with progress.video_bar("predict", files) as bar:
        bar.update(4)
        time.now += 29
        bar.update(4)
        assert caplog.messages == []
        time.now += 1
        bar.update(2)
        bar.update(1)
        time.now += 60
        bar.set_postfix_str("loss 1.5")
        bar.update(19)
        time.now += 20
        bar.update(10)
        progress.finish(bar)
    assert caplog.messages == [
        # 10 in 30 s, and 30 left.
        "predict: 25 %, 10 of 40 videos, 0.33/s, 1:30 left",
        # 30 in 90 s.
        "predict: 75 %, 30 of 40 videos, 0.33/s, 0:30 left, loss 1.5",
        "predict: 40 videos in 1:50",
    ]
    assert capsys.readouterr().err == ""


def test_what_takes_less_time_has_no_line(files, time, caplog):
    caplog.set_level("INFO", "yt8m_compact")
    with progress.video_bar("predict", files) as bar:
        bar.update(40)
        progress.finish(bar)
    assert caplog.messages == []


def test_the_time_between_lines_goes_on_with_the_next_bar(files, time, caplog):
    caplog.set_level("INFO", "yt8m_compact")
    clock = progress.Clock()
    for epoch in range(5):
        with progress.video_bar(f"epoch {epoch}", files, clock=clock) as bar:
            time.now += 12
            bar.update(40)
    # After 12, 24 and 36 s; then after 48, 60 and so on.
    assert [m.split(":")[0] for m in caplog.messages] == ["epoch 2"]


def test_lines_of_bytes_and_of_an_unknown_number(time, caplog):
    caplog.set_level("INFO", "yt8m_compact")
    with progress.byte_bar("download") as bar:
        bar.set_description("download 1/2 files")
        time.now += 3700
        bar.update(3 * 2**20)
        progress.finish(bar)
    assert caplog.messages == [
        "download 1/2 files: 3.0 MB",
        "download 1/2 files: 3.0 MB in 1:01:40",
    ]


def test_metrics_in_little_room():
    metrics = {"hit_at_1": 0.5, "gap": 0.12345, "loss": 1234.567, "own": 3.0}
    assert progress.metrics_text(metrics) == (
        "loss 1235 gap 0.123 hit@1 0.500 own 3"
    )
    assert progress.metrics_text({"gap": 0.12345}, digits=4) == "gap 0.1235"


@pytest.mark.parametrize("total", [3, 3_000_000])
def test_a_bar_with_metrics_fits_in_80_columns(monkeypatch, total, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = progress.video_bar(
        "epoch 100/100", [], total=total, with_metrics=True
    )
    bar.set_postfix_str("loss 1234 gap 0.123 hit@1 0.500", refresh=False)
    for elapsed in (0.1, 30_000.0):
        values = {**bar.format_dict, "elapsed": elapsed, "n": total // 3}
        # Of the whole width.
        text = bar.format_meter(**{**values, "ncols": 80})
        assert len(text) <= 80
        assert text.startswith("epoch 100/100  33%|")
        assert text.endswith(" left, loss 1234 gap 0.123 hit@1 0.500")
    bar.close()


def test_nothing_is_shown_on_request(time, caplog):
    caplog.set_level("INFO", "yt8m_compact")
    with progress.count_bar("write", 5, " videos", is_shown=False) as bar:
        time.now += 99
        bar.update(5)
    assert caplog.messages == []


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

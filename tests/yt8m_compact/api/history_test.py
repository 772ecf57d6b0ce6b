"""Tests of what a run found while it trained."""

import json
import os
import sys

import pytest

import tiny_runs
from yt8m_compact.api import history as history_lib
from yt8m_compact.run import train_dir as train_dir_lib

_HISTORY = history_lib.History(
    training={"loss": ((1, 3.0), (2, 2.0))},
    validation={
        "loss": ((1, 2.5), (2, 2.0), (3, 2.0)),
        "gap": ((1, 0.2), (2, 0.4), (3, 0.3)),
    },
)


def test_best():
    assert _HISTORY.best() == (2, 0.4)
    assert _HISTORY.best("loss") == (2, 2.0)
    with pytest.raises(
        ValueError, match="one of loss, gap. Received: metric='m"
    ):
        _HISTORY.best("map")
    with pytest.raises(ValueError, match="one of none: it had none. Received"):
        history_lib.History({}, {}).best()


@pytest.mark.slow
def test_plot(tmp_path, monkeypatch):
    figure = _HISTORY.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    # As notebooks show it.
    assert figure._repr_png_().startswith(b"\x89PNG")
    loss, gap = figure.axes
    lines = {
        line.get_label(): line.get_xydata().tolist() for line in loss.lines
    }
    assert lines == {
        "training": [[1, 3], [2, 2]],
        "validation": [[1, 2.5], [2, 2], [3, 2]],
    }
    assert gap.get_title() == "GAP@20"
    with pytest.raises(
        ValueError, match="of loss, gap. Received: metrics='map"
    ):
        _HISTORY.plot(metrics=["map"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match="expected matplotlib, .* not install"):
        _HISTORY.plot()


@pytest.mark.slow
def test_of_a_run(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    folder = train_dir_lib.TrainDir(run.path)
    events = tiny_runs.read_events(folder.events_path("train"))
    found = history_lib.read_history(folder)
    assert found.validation == {}
    assert [*found.training] == ["loss", "gap", "hit_at_1"]
    for name, curve in found.training.items():
        (tag,) = (tag for tag in events if tag.split("/")[-1] == name)
        assert [*curve] == events[tag]
    # A file that a kill cut; what was found on other data before.
    (path,) = (
        entry.path
        for entry in os.scandir(folder.events_path("train"))
        if entry.is_file()
    )
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 3)
    metrics = {"gap": 0.5, "hit_at_1": 0.5, "perr": 0.5, "map": 0.5, "loss": 1}
    content = [
        {"step": step, "data": data, "metrics": {**metrics, "gap": step / 10}}
        for step, data in ((1, "old"), (2, "new"), (3, "new"))
    ]
    content.insert(1, {**content[1], "weights": "ema"})
    with open(folder.evaluations_path, "w") as file:
        json.dump({"evaluations": content}, file)
    cut = history_lib.read_history(folder)
    assert cut.training["loss"] == found.training["loss"]
    assert cut.validation["gap"] == ((2, 0.2), (3, 0.3))


def test_shown_in_one_line():
    empty = history_lib.History({}, {})
    assert repr(empty) == "<History of nothing>"
    both = history_lib.History(
        {"loss": ((5, 4.0), (1000, 3.0))},
        {"loss": ((9, 3.5),), "gap": ((9, 0.25),)},
    )
    assert repr(both) == (
        "<History of training: loss at 2 steps up to 1,000; validation: loss, "
        "gap at 1 step up to 9>"
    )

"""Tests of what a run says of itself before its first step."""

import os

import pytest

import tiny_runs
from yt8m_compact.training import banner
from yt8m_compact.training import strategies


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    return tiny_runs.write_videos(tmp_path_factory.mktemp("data"), 40)


def describe(pattern, **kwargs) -> list[str]:
    position = kwargs.pop("position", (0, 0, 0))
    config = tiny_runs.video_config(pattern, batch_size=16, **kwargs)
    files = [pattern.replace("*", str(number)) for number in range(3)]
    text = banner.describe_run(
        config,
        train_dir="runs/a",
        weights="5 parameters",
        files=files,
        eval_files=files[:1] if config.training.eval_data_pattern else None,
        device="CPU, 2 cores",
        is_compiled=False,
        position=position,
    )
    return text.splitlines()


def test_all_lines(pattern, monkeypatch):
    folder, pattern = os.path.split(pattern)
    monkeypatch.chdir(folder)
    # 40 videos, all of one size, in 3 files of 14, 13 and 13.
    lines = describe(pattern, num_epochs=4, eval_data_pattern="b")
    assert lines == [
        "model       LogisticModel: 5 parameters",
        f"data        3 files, about 40 videos: {pattern}",
        "evaluation  1 file, about 14 videos: b",
        "device      CPU, 2 cores; XLA compiles the layers that gain by it",
        # 40 videos are 2 batches of 16 and one of 8.
        "steps       about 12, in 4 epochs, in batches of 16 videos",
        "folder      runs/a",
    ]


def test_long_lines_go_on_below(pattern, monkeypatch):
    folder, pattern = os.path.split(pattern)
    monkeypatch.chdir(folder)
    # A path is not broken: it can be copied.
    long = "d-" * 40
    lines = describe(pattern, eval_data_pattern=f"{long},b c")
    assert lines[2:5] == [
        "evaluation  1 file, about 14 videos:",
        f"            {long},b",
        "            c",
    ]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_steps": 5}, "5, in at most 4 epochs, in batches of 16 videos"),
        ({"max_steps": 13}, "about 12, in 4 epochs, in batches of 16 videos"),
        (
            {"num_epochs": 1, "position": (2, 0, 32)},
            "about 3, in 1 epoch, in batches of 16 videos; 2 are done",
        ),
        # 10 in the first two epochs, of batches of 8: 3 in each of the others.
        (
            {"position": (10, 2, 0)},
            "about 16, in 4 epochs, in batches of 16 videos; 10 are done",
        ),
    ],
)
def test_steps(pattern, settings, text):
    lines = describe(pattern, **{"num_epochs": 4, **settings})
    assert lines[-2] == f"steps   {text}"


def test_device():
    config = tiny_runs.video_config("a", strategy="one_device")
    workers = strategies.make_workers(config.training)
    text = banner.describe_device(workers)
    assert text.startswith("CPU, ") or "GPU" in text or "NVIDIA" in text

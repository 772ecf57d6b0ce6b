"""Tests of the page of text that TensorBoard shows of a run."""

import sys

import tensorflow as tf

import tiny_runs
from yt8m_compact import readers
from yt8m_compact.training import run_page


def test_rows(monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["/bin/yt8m-train", "--train_dir=a b", "--x=`|`"]
    )
    numbers = {1200: 48_000, 1: None}  # of videos; None where unknown
    monkeypatch.setattr(
        readers, "estimate_num_records", lambda files: numbers[len(files)]
    )
    text = run_page.describe_run(
        tiny_runs.video_config("data*"),
        [f"train{n}" for n in range(1200)],
        ["validate0"],
        tf.distribute.get_strategy(),
        1500,
    )
    lines = text.splitlines()
    # Backticks would end what is code.
    assert lines[0] == (
        "* **command:** `yt8m-train '--train_dir=a b' '--x='|''`"
    )
    assert "* **from step:** 1,500" in lines
    assert (
        "* **training data:** 1,200 files, about 48,000 videos: `train0`, "
        "`train1`, `train2`, ..." in lines
    )
    assert "* **evaluation data:** 1 file: `validate0`" in lines

"""Tests of yt8m-demo."""

import json
import pathlib
import re

from absl import flags
import pytest
import tensorflow as tf

from yt8m_compact.programs import demo
from yt8m_compact.run import lock


@pytest.mark.slow
def test_demo_runs_and_compares_both(tmp_path, capsys):
    flag_values = flags.FlagValues()
    demo.define_flags(flag_values)
    flag_values(
        [
            "yt8m-demo",
            f"--output_dir={tmp_path}",
            "--num_train_videos=128",
            "--num_epochs=1",
        ]
    )
    assert demo.main(flag_values, []) == 0
    reports = {
        name: json.loads(
            (tmp_path / "runs" / name / "evaluation.json").read_text()
        )
        for name in ("dense", "compact")
    }
    dense, compact = reports["dense"], reports["compact"]
    assert dense["metrics"]["num_examples"] == 32
    assert dense["weights"]["percent_of_dense"] == 100
    assert compact["weights"]["dense_equivalent"] == dense["weights"]["total"]
    assert compact["weights"]["total"] < dense["weights"]["total"] / 5
    printed = capsys.readouterr().out
    assert f"{compact['weights']['total']:,}" in printed
    assert f"tensorboard --logdir {tmp_path}/runs" in printed
    shows_a_video_with_its_labels(printed, tmp_path / "data")


def shows_a_video_with_its_labels(printed, data_dir):
    (start,) = re.finditer(
        r"^The likeliest classes of video (\w+) \(labels: (.*)\):$",
        printed,
        re.MULTILINE,
    )
    labels = [int(number) for number in re.findall(r"\d+", start[2])]
    assert labels == labels_of(start[1], data_dir)
    head, _, *rows = printed[start.end() :].strip().splitlines()[:7]
    assert re.fullmatch(
        r"dense: 7\.84 MB, [\d.]+ ms a video +"
        r"compact: 0\.55 MB, [\d.]+ ms a video",
        head,
    )
    found = [
        re.findall(r"([\d.]+)  class (\d+)(  right)?", row) for row in rows
    ]
    assert [len(row) for row in found] == [2] * 5
    for column in zip(*found, strict=True):
        scores = [float(score) for score, _, _ in column]
        assert scores == sorted(scores, reverse=True)
        classes = [int(index) for _, index, _ in column]
        assert len(set(classes)) == 5
        marked = {int(index) for _, index, right in column if right}
        assert marked == {index for index in classes if index in labels}


def labels_of(video, data_dir):
    """Reads the labels of one video, by TensorFlow alone."""
    for path in sorted(data_dir.glob("validate-*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            example = tf.train.SequenceExample.FromString(record)
            context = example.context.feature
            if context["id"].bytes_list.value[0].decode() == video:
                return sorted(context["labels"].int64_list.value)
    raise AssertionError(video)


def test_runs_of_an_earlier_demo_are_moved_away_together(tmp_path):
    runs = tmp_path / "runs"
    names = ("dense", "compact")
    assert demo._move_away(str(runs), names) is None
    for name in names:
        (runs / name).mkdir(parents=True)
        (runs / name / "config.json").write_text(name)
    moved = pathlib.Path(demo._move_away(str(runs), names))
    # TensorBoard opens what is in runs.
    assert not runs.exists()
    assert moved.parent == tmp_path
    for name in names:
        assert (moved / name / "config.json").read_text() == name


def test_a_demo_that_is_running_is_not_moved(tmp_path):
    runs = tmp_path / "runs"
    with lock.RunLock(str(runs / "compact")):
        with pytest.raises(OSError, match="expected .* Received: "):
            demo._move_away(str(runs), ("dense", "compact"))
    assert (runs / "compact").exists()

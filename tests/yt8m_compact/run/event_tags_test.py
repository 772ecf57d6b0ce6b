"""Tests of the names and descriptions of TensorBoard's charts."""

from tensorboard.backend.event_processing import event_accumulator
import tensorflow as tf

import tiny_runs
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import event_tags


def test_metrics_and_back():
    for name in config_lib.BETTER:
        assert event_tags.metric_of(event_tags.metric_tag(name)) == name
        assert event_tags.metric_of(name) == name  # of older versions
    assert event_tags.metric_of("speed/input_wait") == "speed/input_wait"


def test_points_have_a_description(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default(3):
        event_tags.write_scalar("metrics/perr", 0.5)
        event_tags.write_scalar("norms_of_weights/a/b", 2.0)
        event_tags.write_skipped(0, 0, 0)
    events = tiny_runs.read_events(str(tmp_path))
    assert events == {
        "metrics/perr": [(3, 0.5)],
        "norms_of_weights/a/b": [(3, 2.0)],
    }
    accumulator = event_accumulator.EventAccumulator(str(tmp_path))
    accumulator.Reload()
    for tag, start in (
        ("metrics/perr", "Precision at equal recall rate"),
        ("norms_of_weights/a/b", "Euclidean norm of what a layer trains"),
    ):
        found = accumulator.SummaryMetadata(tag).summary_description
        assert found.startswith(start)


def test_what_was_skipped(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default(3):
        event_tags.write_skipped(1, 0, 7)
    assert tiny_runs.read_events(str(tmp_path)) == {
        "skipped/files": [(3, 1)],
        "skipped/records": [(3, 0)],
        "skipped/bytes": [(3, 7)],
    }

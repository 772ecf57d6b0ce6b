"""Tests of the share of videos that have each label."""

import re

import numpy as np
import pytest

import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.training import class_priors


def expected_priors(indices, num_classes=tiny_runs.NUM_CLASSES):
    counts = np.zeros(num_classes)
    for index in indices:
        for label in record_makers.video_labels(index, num_classes):
            counts[label] += 1
    return (counts + 0.5) / (len(indices) + 1)


def test_all_videos(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 40)
    reader = tiny_runs.video_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    priors = class_priors.count_class_priors(reader, files, 1000, seed=0)
    expected = expected_priors(range(40))
    assert len(set(expected)) > 1
    np.testing.assert_allclose(priors, expected, rtol=1e-12)


def test_part_of_the_videos(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 40, num_files=1)
    reader = tiny_runs.video_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    # With one file, the order is that of the file.
    priors = class_priors.count_class_priors(reader, files, 7, seed=0)
    np.testing.assert_allclose(priors, expected_priors(range(7)), rtol=1e-12)


@pytest.mark.slow
def test_files_in_random_order(tmp_path):
    tiny_runs.write_videos(tmp_path, 10, name="a", num_files=1)
    tiny_runs.write_videos(tmp_path, 10, name="b", num_files=1, start=11)
    files = readers.expand_patterns(str(tmp_path / "*"))
    reader = tiny_runs.video_config("").reader(training=True)
    first = set()
    for seed in range(8):
        priors = class_priors.count_class_priors(reader, files, 1, seed)
        first.add(tuple(priors))
    assert first == {
        tuple(expected_priors([0])),
        tuple(expected_priors([11])),
    }


@pytest.mark.slow
def test_frame_level(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path, 30)
    reader = tiny_runs.frame_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    priors = class_priors.count_class_priors(reader, files, 1000, seed=0)
    np.testing.assert_allclose(priors, expected_priors(range(30)), rtol=1e-12)


def test_classes_without_videos(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 3, labels=[2])
    reader = tiny_runs.video_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    priors = class_priors.count_class_priors(reader, files, 1000, seed=0)
    # (3 + 1/2) / 4 and (0 + 1/2) / 4.
    np.testing.assert_allclose(priors, [0.125, 0.125, 0.875, 0.125, 0.125])


def test_no_labels(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 9, labels=None)
    reader = tiny_runs.video_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    with pytest.raises(
        readers.DataError,
        match=re.escape(
            f"{files[0]}: expected labels to train on. Received: none in the "
            "first 9 videos; the test split has no labels, use the train split"
        ),
    ):
        class_priors.count_class_priors(reader, files, 1000, seed=0)


@pytest.mark.slow
def test_bad_record(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 9, labels=[7], num_files=1)
    reader = tiny_runs.video_config(pattern).reader(training=True)
    files = readers.expand_patterns(pattern)
    with pytest.raises(
        readers.DataError, match=f"^{re.escape(files[0])}: record 0: "
    ):
        class_priors.count_class_priors(reader, files, 1000, seed=0)

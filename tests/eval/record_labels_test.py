"""Tests of labels and ratings that are read of records."""

import re

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.eval import record_labels


def write(path, *videos, key="id", sequence=False):
    """Writes records of ids and other lists of ints or floats."""
    records = []
    for video_id, lists in videos:
        example = tf.train.Example()
        feature = example.features.feature
        feature[key].bytes_list.value.extend([video_id] if video_id else [])
        for name, values in lists.items():
            if name == "segment_scores":
                feature[name].float_list.value.extend(values)
            else:
                feature[name].int64_list.value.extend(values)
        feature["mean_rgb"].float_list.value.extend([0.5] * 8)
        data = example.SerializeToString()
        if sequence:
            record = tf.train.SequenceExample(context=example.features)
            frames = record.feature_lists.feature_list["rgb"]
            frames.feature.add().bytes_list.value.append(b"x" * 8)
            data = record.SerializeToString()
        records.append(data)
    record_makers.write_tfrecord(str(path), records)
    return [str(path)]


def labels_of(table, *ids):
    videos, found = table.find(ids)
    assert found.all()
    counts, labels = table.labels_of(videos)
    return [part.tolist() for part in np.split(labels, np.cumsum(counts)[:-1])]


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("key", ["id", "video_id"])
def test_labels(tmp_path, key, sequence):
    files = write(
        tmp_path / "a",
        (b"bb", {"labels": [4, 0]}),
        (b"aa", {"labels": [2, 3, 2]}),
        (b"cc", {}),
        key=key,
        sequence=sequence,
    )
    counted = []
    table = record_labels.read_record_labels(files, 5, counted.append)
    assert labels_of(table, b"aa", b"bb", b"cc") == [[2, 3], [0, 4], []]
    assert sum(counted) == 3


def ratings(labels, starts, scores, ends=None):
    return {
        "segment_labels": labels,
        "segment_start_times": starts,
        "segment_end_times": ends or [start + 5 for start in starts],
        "segment_scores": scores,
    }


def test_several_files_are_named_by_the_first(tmp_path):
    files = [
        *write(tmp_path / "a", (b"aa", {"labels": [1]})),
        *write(tmp_path / "b", (b"bb", ratings([3], [0], [1]))),
        *write(tmp_path / "c", (b"cc", {})),
    ]
    name = f"{files[0]} and 2 more"
    assert record_labels.read_record_labels(files, 5).where == name
    assert record_labels.read_record_ratings(files, 5).where == name
    assert record_labels.read_record_labels(files[:1], 5).where == files[0]
    name = re.escape(f"{files[1]} and 1 more: expected labels.")
    with pytest.raises(readers.DataError, match=f"^{name}"):
        record_labels.read_record_labels(files[1:], 5)


def test_ratings(tmp_path):
    files = write(
        tmp_path / "a",
        (b"aa", ratings([3, 3, 1], [10, 25, 10], [1, 0, 0])),
        (b"bb", {}),
        (b"cc", ratings([3], [0], [1])),
        sequence=True,
    )
    table = record_labels.read_record_ratings(files, 5)
    assert (len(table), table.num_segments) == (4, 3)
    assert table.positives() == {3: 2}
    segments = [b"aa:25", b"bb:0", b"aa:10", b"cc:0"]
    assert table.ratings_of(3, segments)[1].tolist() == [False, True, True]
    assert table.ratings_of(1, segments)[1].tolist() == [False]


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (
            (b"", {"labels": [1]}),
            "a: record 1: expected an id, one bytes value",
        ),
        (
            (b"b", {"labels": [5]}),
            "a: record 1: expected labels from 0 to 4. Re",
        ),
        ((b"b", {"labels": [-1]}), "a: record 1: .*Received: -1"),
        ((b"aa", {"labels": [1]}), "labels of each video once. Received: 'aa'"),
        ((b"b", {"segment_scores": [1]}), None),
    ],
)
def test_labels_that_are_refused(tmp_path, video, message):
    files = write(tmp_path / "a", (b"aa", {"labels": [1]}), video)
    if message is None:  # Another record, and no other labels.
        assert record_labels.read_record_labels(files, 5).num_labels == 1
        return
    with pytest.raises(readers.DataError, match=message):
        record_labels.read_record_labels(files, 5)


@pytest.mark.slow
def test_records_without(tmp_path):
    files = write(tmp_path / "a", (b"aa", {}))
    with pytest.raises(readers.DataError, match="expected labels. Received: n"):
        record_labels.read_record_labels(files, 5)
    with pytest.raises(
        readers.DataError, match="expected rated segments, segm"
    ):
        record_labels.read_record_ratings(files, 5)
    # Of another type.
    record = tf.train.Example()
    record.features.feature["id"].bytes_list.value.append(b"aa")
    record.features.feature["labels"].float_list.value.append(1)
    record_makers.write_tfrecord(files[0], [record.SerializeToString()])
    with pytest.raises(
        readers.DataError, match="record 0, or one of the 1 from"
    ):
        record_labels.read_record_labels(files, 5)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (
            ratings([1, 2], [0], [1]),
            "record 0: expected as many values of each",
        ),
        (ratings([5], [0], [1]), "record 0: expected segment labels from 0 to"),
        (
            ratings([1, 1], [0, 0], [1, 0]),
            "two that differ, of class 1 in aa:0",
        ),
    ],
)
def test_ratings_that_are_refused(tmp_path, lists, message):
    files = write(tmp_path / "a", (b"aa", lists), sequence=True)
    with pytest.raises(readers.DataError, match=re.escape(message)):
        record_labels.read_record_ratings(files, 5)

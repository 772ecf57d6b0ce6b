"""Tests of files of a teacher's scores."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import score_files

HEADER = readers.ScoreHeader("LogisticModel", num_classes=9, top_k=3)
# The second video has equal scores, and one that 16 bits hold below 1e-4.
IDS = [b"a-_9", b"zz", b"a"]
CLASSES = np.array([[8, 0, 3], [1, 2, 4], [7, 5, 0]])
SCORES = np.array([[0.75, 0.5, 0.25], [0.5, 0.5, 2**-14], [1.0, 0.125, 0.0]])


def write(path, *, header=HEADER, blocks=((IDS, CLASSES, SCORES),)):
    with readers.writing_scores(os.fspath(path), header) as writer:
        for block in blocks:
            writer.write(*block)
    return os.fspath(path)


def write_records(path, *records):
    """Writes records of features: lists of numbers or of bytes."""
    make = {
        int: record_makers.int64_feature,
        bytes: lambda values: record_makers.bytes_feature(*values),
        float: record_makers.float_feature,
    }
    record_makers.write_tfrecord(
        os.fspath(path),
        [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        name: make[type(values[0])](values)
                        for name, values in record.items()
                    }
                )
            ).SerializeToString()
            for record in records
        ],
    )
    return os.fspath(path)


FIRST = {
    "format": [b"yt8m_compact teacher scores 1"],
    "model": [b"M"],
    "num_classes": [9],
    "top_k": [2],
}
BLOCK = {
    "id": [b"v0", b"v1"],
    "classes": [8, 1, 0, 2],
    "scores": [np.array([0.5, 0.25, 0.75, 0.0], "<f2").tobytes()],
}
LAST = {"num_videos": [2]}


def test_form(tmp_path):
    """What any program reads with TensorFlow alone."""
    path = write(tmp_path / "scores")
    records = [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(path)
    ]
    assert len(records) == 3
    first, block, last = records
    assert first["model"].bytes_list.value == [b"LogisticModel"]
    assert first["num_classes"].int64_list.value == [9]
    assert first["top_k"].int64_list.value == [3]
    assert block["id"].bytes_list.value == IDS
    assert block["classes"].int64_list.value == CLASSES.ravel().tolist()
    (scores,) = block["scores"].bytes_list.value
    np.testing.assert_array_equal(
        np.frombuffer(scores, "<f2").reshape(3, 3), SCORES
    )
    assert last["num_videos"].int64_list.value == [3]
    assert os.listdir(tmp_path) == ["scores"]


@pytest.mark.slow
def test_read_by_id_in_any_order(tmp_path):
    paths = [
        write(
            tmp_path / name, blocks=[(IDS[rows], CLASSES[rows], SCORES[rows])]
        )
        for name, rows in [("x", slice(2)), ("y", slice(2, 3))]
    ]
    header, table = readers.read_scores(paths)
    assert header == HEADER
    assert (len(table), table.top_k) == (3, 3)
    order = [1, 2, 1, 0]
    classes, scores, found = table.look_up([IDS[row] for row in order])
    np.testing.assert_array_equal(classes, CLASSES[order])
    np.testing.assert_array_equal(scores, SCORES[order])
    assert (classes.dtype, scores.dtype) == (np.int32, np.float32)
    assert found.all()


def test_written_by_hand(tmp_path):
    path = write_records(tmp_path / "scores", FIRST, BLOCK, LAST)
    header, table = readers.read_scores([path])
    assert header == readers.ScoreHeader("M", 9, 2)
    classes, scores, _ = table.look_up([b"v1"])
    np.testing.assert_array_equal(classes, [[0, 2]])
    np.testing.assert_array_equal(scores, [[0.75, 0.0]])


@pytest.mark.slow
def test_more_classes_than_16_bits_number(tmp_path):
    path = write(
        tmp_path / "scores",
        header=readers.ScoreHeader("M", 70_000, 3),
        blocks=[(IDS, CLASSES + 69_990, SCORES)],
    )
    _, table = readers.read_scores([path])
    np.testing.assert_array_equal(
        table.look_up(IDS[:1])[0], CLASSES[:1] + 69_990
    )


def test_bytes_of_a_video(tmp_path):
    """At most 49, 0.3 GB for the 6,134,598 videos of YouTube-8M."""
    rng = np.random.default_rng(0)
    header = readers.ScoreHeader("MoeModel", 3862, 10)
    ids = [b"%04x" % number for number in range(1024)]
    blocks = [
        (
            ids[row : row + 64],
            rng.integers(0, 3862, [64, 10]),
            rng.uniform(size=[64, 10]),
        )
        for row in range(0, 1024, 64)
    ]
    path = write(tmp_path / "scores", header=header, blocks=blocks)
    assert os.path.getsize(path) < 49 * 1024


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([BLOCK, LAST], r"record 0: expected a file of a teacher's scores, "
         r"which yt8m-predict --format=teacher writes\. Received: records of "
         "another kind"),
        ([{**FIRST, "format": [b"yt8m_compact teacher scores 2"]}],
         "record 0: .* Received: format=b'yt8m_compact teacher scores 2', of "
         "another version"),
        ([{**FIRST, "top_k": [10]}],
         "record 0: .* num_classes=9, top_k=10"),
        ([{**FIRST, "model": [b"M", b"N"]}],
         "record 0: .* model=.b'M', b'N'., "),
        ([FIRST, BLOCK],
         "to its end. Received: 2 videos and no last record, which says how "
         "many videos there are; the file was cut: copy or write it again"),
        ([FIRST, BLOCK, {"num_videos": [3]}],
         r"Received: 2 videos and \[3\] announced; the file was cut"),
        ([FIRST, BLOCK, LAST, BLOCK],
         "record 3: .* without anything after its end. Received: more records"),
        ([FIRST, {**BLOCK, "id": [b"v0"]}],
         "record 1: expected the ids of some videos, and 2 classes and 16-bit "
         "scores of each. Received: 1 ids, 4 classes, 8 bytes of scores"),
        ([FIRST, {**BLOCK, "id": [b"v0", b""]}], "record 1: expected the ids"),
        ([FIRST, {**BLOCK, "scores": [b"1234567"]}], "4 classes, 7 bytes of"),
        ([FIRST, {**BLOCK, "scores": [0.5, 0.5, 0.5, 0.5]}], "0 bytes of"),
        ([FIRST, {**BLOCK, "classes": [8, 1, 9, 2]}],
         "record 1: expected classes from 0 to 8. Received: 9 of video v1; "
         "write the file again"),
        ([FIRST, {"num_videos": [0]}],
         "expected the scores of one video or more. Received: none"),
    ],
)  # fmt: skip
def test_other_records(tmp_path, records, message):
    path = write_records(tmp_path / "scores", *records)
    with pytest.raises(readers.DataError, match=f"^{path}: .*{message}"):
        readers.read_scores([path])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.25, 1.5])
def test_scores_that_are_no_probabilities(tmp_path, bad):
    scores = np.array([0.5, 0.25, 0.75, bad], "<f2").tobytes()
    path = write_records(
        tmp_path / "scores", FIRST, {**BLOCK, "scores": [scores]}, LAST
    )
    with pytest.raises(
        readers.DataError,
        match=(
            f"record 1: expected scores from 0 to 1. Received: {bad} of video "
            "v1; predict it again"
        ),
    ):
        readers.read_scores([path])
    with pytest.raises(
        ValueError,
        match=f"^expected predictions from 0 to 1. Received: {bad} of video zz",
    ):
        write(
            tmp_path / "written",
            blocks=[(IDS, CLASSES, np.where(SCORES == 2**-14, bad, SCORES))],
        )
    assert not (tmp_path / "written").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 7, 20, -1, -30, -70])
def test_cut_file(tmp_path, kept):
    path = write(tmp_path / "scores")
    content = (tmp_path / "scores").read_bytes()
    (tmp_path / "scores").write_bytes(content[:kept])
    with pytest.raises(readers.DataError, match=re.escape(path)):
        readers.read_scores([path])


@pytest.mark.slow
def test_flipped_bit(tmp_path):
    path = write(tmp_path / "scores")
    content = bytearray((tmp_path / "scores").read_bytes())
    content[-60] ^= 4
    (tmp_path / "scores").write_bytes(content)
    with pytest.raises(readers.DataError, match=re.escape(path)):
        readers.read_scores([path])


@pytest.mark.slow
def test_files_of_two_teachers(tmp_path):
    paths = [
        write(tmp_path / name, header=readers.ScoreHeader(name, 9, 3))
        for name in ("x", "y")
    ]
    with pytest.raises(
        readers.DataError,
        match=(
            f"^{paths[1]}: expected the scores of one teacher in files that "
            f"are named together, the 3 best of 9 classes by x as in {paths[0]}"
            r"\. Received: the 3 best of 9 classes by y; separate teachers by "
        ),
    ):
        readers.read_scores(paths)


def test_no_file():
    with pytest.raises(readers.DataError, match="^no file: expected the sc"):
        readers.read_scores([])


def test_a_failure_leaves_what_was_there(tmp_path):
    path = write(tmp_path / "scores")
    before = (tmp_path / "scores").read_bytes()
    with pytest.raises(RuntimeError, match="stopped"):
        with readers.writing_scores(path, HEADER) as writer:
            writer.write(IDS, CLASSES, SCORES)
            raise RuntimeError("stopped")
    assert (tmp_path / "scores").read_bytes() == before
    assert os.listdir(tmp_path) == ["scores"]


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: b""])
def test_a_file_that_is_not_what_was_written(tmp_path, monkeypatch, change):
    """A disk that lies, which is found when the file is read again."""
    close = score_files.ScoreWriter.close

    def close_and_change(self):
        close(self)
        (partial,) = tmp_path.iterdir()
        partial.write_bytes(change(partial.read_bytes()))

    monkeypatch.setattr(score_files.ScoreWriter, "close", close_and_change)
    path = tmp_path / "scores"
    with pytest.raises(
        OSError,
        match=(
            f"^{path}: expected to read the 3 videos that were written. "
            f"Received: {path}.*; check the disk, and write it again"
        ),
    ):
        write(path)
    assert not list(tmp_path.iterdir())


def test_videos_lost_on_the_way_to_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(score_files.ScoreWriter, "write", _write_nothing)
    with pytest.raises(OSError, match="the 3 videos that .* Received: others"):
        write(tmp_path / "scores")


def _write_nothing(self, ids, classes, scores):
    del classes, scores
    self.num_videos += len(ids)
    self._write(num_videos=[0])
    self.finish = lambda: None


@pytest.mark.parametrize("path", ["/dev/null", ""])
def test_what_can_not_be_read_again(tmp_path, path):
    path = path or str(tmp_path)
    with pytest.raises(
        ValueError,
        match=(
            "^expected a file to write scores to: they are read again at the "
            f"end. Received: {path}, a folder, a device or a pipe"
        ),
    ):
        write(path)


def test_a_folder_that_can_not_be_written(tmp_path):
    path = tmp_path / "none" / "scores"
    with pytest.raises(OSError, match=re.escape(str(path))):
        write(path)

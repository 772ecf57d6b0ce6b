"""Tests of files that get their name when they are complete."""

import pytest
import tensorflow as tf

from yt8m_compact.datasets import record_writer


def test_the_name_appears_at_the_end(tmp_path):
    path = tmp_path / "new" / "a.tfrecord"
    with record_writer.writing(str(path)) as writer:
        writer.write(b"one")
        assert not path.exists()
    assert [data.numpy() for data in tf.data.TFRecordDataset(str(path))] == [
        b"one"
    ]
    assert [file.name for file in path.parent.iterdir()] == ["a.tfrecord"]


def test_nothing_is_left_after_an_error(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="stop"):
        with record_writer.writing(str(path)) as writer:
            writer.write(b"one")
            raise RuntimeError("stop")
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "a.tfrecord"
    (tmp_path / "a.tfrecord.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"{path}: expected to write it; free"):
        with record_writer.writing(str(path)) as writer:
            writer.write(bytes(1 << 20))
    assert not path.exists()


def test_outputs_must_not_meet_inputs(tmp_path):
    a, b = str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a")
    record_writer.expect_other_folder([a], str(tmp_path / "z"))
    with pytest.raises(ValueError, match="expected another folder than that"):
        record_writer.expect_other_folder([a], str(tmp_path / "x"))
    with pytest.raises(ValueError, match="files of different names.*x/a and"):
        record_writer.expect_other_folder([a, b], str(tmp_path / "z"))

"""Tests of files that get their name when they are complete."""

import os
import resource
import stat

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


def test_what_is_done_before_the_names_appear(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    names = [str(path) for path in paths]
    sizes = []

    def look():
        assert not any(path.exists() for path in paths)
        sizes.extend(path.stat().st_size for path in tmp_path.iterdir())

    with record_writer.writing_all(names, before=look) as writers:
        for writer in writers:
            writer.write(b"one")
        assert not sizes
    # 16 bytes of length and checksums around the 3 of the record.
    assert [path.stat().st_size for path in paths] == [19, 19]
    assert sizes.count(19) == 2

    def fail():
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        with record_writer.writing(str(tmp_path / "c"), before=fail) as writer:
            writer.write(b"one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.fixture(name="small_disk")
def fixture_small_disk():
    """As if 10 kB were free: what is beyond fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [1 << 20, 11_000])  # at once, and at the end
def test_a_full_disk_names_the_file(tmp_path, small_disk, size):
    path = tmp_path / "a.tfrecord"
    with pytest.raises(OSError, match=f"{path}: expected to write it; free"):
        with record_writer.writing(str(path)) as writer:
            writer.write(bytes(size))
    assert list(tmp_path.iterdir()) == []


def test_files_appear_together_or_not_at_all(tmp_path, small_disk):
    paths = [str(tmp_path / name) for name in "abc"]
    with pytest.raises(OSError, match=f"{paths[1]}: expected to write it"):
        with record_writer.writing_all(paths) as writers:
            for writer, size in zip(writers, (5, 11_000, 5), strict=True):
                writer.write(bytes(size))
    assert list(tmp_path.iterdir()) == []
    with record_writer.writing_all(paths) as writers:
        for writer, size in zip(writers, (5, 7, 9), strict=True):
            writer.write(bytes(size))
            assert not any(tmp_path.glob("[a-c]"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "c"]
    assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == [
        16 + size for size in (5, 7, 9)
    ]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file/a: expected to write it"):
        with record_writer.writing(str(tmp_path / "file" / "a")):
            pass


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match=str(tmp_path)):
        with record_writer.writing(str(tmp_path)):
            pass


@pytest.mark.parametrize("ending", ["", "long"])
def test_links_devices_and_long_names(tmp_path, monkeypatch, ending):
    monkeypatch.setenv("HOME", str(tmp_path))
    name = "a" * 255 if ending else "a"
    target = tmp_path / "other" / name
    target.parent.mkdir()
    target.write_bytes(b"before")
    (tmp_path / "link").symlink_to(target)
    for path in ("/dev/null", "~/link"):
        with record_writer.writing(path) as writer:
            writer.write(b"one")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert (tmp_path / "link").is_symlink()
    assert [data.numpy() for data in tf.data.TFRecordDataset(str(target))] == [
        b"one"
    ]
    assert [file.name for file in target.parent.iterdir()] == [name]


def test_outputs_must_not_meet_inputs(tmp_path):
    a, b = str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a")
    record_writer.expect_other_folder([a], str(tmp_path / "z"))
    with pytest.raises(ValueError, match="expected another folder than that"):
        record_writer.expect_other_folder([a], str(tmp_path / "x"))
    with pytest.raises(ValueError, match="files of different names.*x/a and"):
        record_writer.expect_other_folder([a, b], str(tmp_path / "z"))

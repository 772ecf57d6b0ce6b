"""Tests of the expansion of file patterns."""

import pytest

from yt8m_compact import readers


@pytest.fixture
def folder(tmp_path):
    for name in ("b1", "a2", "a1", "c1"):
        (tmp_path / f"{name}.tfrecord").write_bytes(b"x")
    return tmp_path


def _names(files):
    return [file.rsplit("/", 1)[1].removesuffix(".tfrecord") for file in files]


def test_files_of_a_pattern_are_sorted(folder):
    files = readers.expand_patterns(f"{folder}/a*.tfrecord")
    assert files == [f"{folder}/a1.tfrecord", f"{folder}/a2.tfrecord"]


def test_patterns_keep_their_order_and_no_file_comes_twice(folder):
    files = readers.expand_patterns(f"{folder}/b*, {folder}/a*,{folder}/*1*")
    assert _names(files) == ["b1", "a1", "a2", "c1"]


def test_patterns_come_as_a_sequence_too(folder):
    files = readers.expand_patterns(
        [f"{folder}/c1.tfrecord", f"{folder}/a1.tfrecord,{folder}/b1.tfrecord"]
    )
    assert _names(files) == ["c1", "a1", "b1"]


def test_folders_are_not_files(folder):
    (folder / "a3.tfrecord").mkdir()
    assert _names(readers.expand_patterns(f"{folder}/a*")) == ["a1", "a2"]


def test_pattern_without_a_match_names_it_and_what_is_there(folder):
    with pytest.raises(readers.DataError) as raised:
        readers.expand_patterns(f"{folder}/a*,{folder}/train*.tfrecord")
    text = str(raised.value)
    assert f"no file matches the pattern '{folder}/train*.tfrecord'" in text
    assert "expected at least one TFRecord file" in text
    assert f"The folder '{folder}' holds 4 name(s)" in text
    assert "a1.tfrecord, a2.tfrecord, b1.tfrecord, c1.tfrecord." in text
    assert "Correct the pattern" in text


def test_long_folder_is_cut(folder):
    for index in range(9):
        (folder / f"d{index}").touch()
    with pytest.raises(
        readers.DataError, match=r"13 name\(s\): .*, d0, \.\.\."
    ):
        readers.expand_patterns(f"{folder}/train*")


@pytest.mark.parametrize("pattern", ["no/such/x*", "no/such/*/y*", "no/such/z"])
def test_missing_folder_is_named(folder, pattern):
    with pytest.raises(
        readers.DataError,
        match=f"The folder '{folder}/no/such' does not exist: check the path",
    ):
        readers.expand_patterns(f"{folder}/{pattern}")


def test_empty_folder_is_named(tmp_path):
    with pytest.raises(
        readers.DataError, match=f"The folder '{tmp_path}' is empty"
    ):
        readers.expand_patterns(f"{tmp_path}/*")


def test_missing_local_file_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(readers.DataError, match=r"The folder '\.' is empty"):
        readers.expand_patterns("train0.tfrecord")


@pytest.mark.parametrize("patterns", ["", " , ", [], [""]])
def test_no_pattern_at_all(patterns):
    with pytest.raises(
        readers.DataError,
        match=r"expected a file name or a pattern .*Received: patterns=",
    ):
        readers.expand_patterns(patterns)

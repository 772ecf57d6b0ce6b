"""Tests of the expansion of file patterns."""

import os
import re

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
        [f"{folder}/c1.tfrecord", folder / "a1.tfrecord", f"{folder}/b*"]
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


_STRANGE = ["a,b/t", "c[1]/t", "c[1]/u", "d[1]", "e1", "s*r/t", "x\\y/t", " z "]


@pytest.fixture
def strange(tmp_path, monkeypatch):
    for name in _STRANGE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", _STRANGE)
def test_name_that_exists_is_that_file(strange, name):
    assert readers.expand_patterns(name) == [name]
    assert readers.expand_patterns([name]) == [name]
    assert readers.expand_patterns(strange / name) == [f"{strange}/{name}"]
    assert readers.expand_patterns(f"e1,{name}") == ["e1", name][name == "e1" :]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("c[1]/*", ["c[1]/t", "c[1]/u"]),
        ("s*r/*", ["s*r/t"]),
        ("x\\y/*", ["x\\y/t"]),
        ("a,b/t,c*/t,e*", ["a,b/t", "c[1]/t", "e1"]),
        ("a,b/*,e1", ["a,b/t", "e1"]),
        (" e1 , d[1] ", ["e1", "d[1]"]),
        ("e[1]", ["e1"]),
        # No file comes twice, whatever a pattern puts before it.
        ("e1,e*", ["e1"]),
        ("./e*", ["./e1"]),
    ],
)
def test_patterns_beside_strange_names(strange, pattern, expected):
    assert readers.expand_patterns(pattern) == expected


def test_a_list_is_not_cut_at_commas(folder):
    both = f"{folder}/a1.tfrecord,{folder}/b1.tfrecord"
    assert _names(readers.expand_patterns(both)) == ["a1", "b1"]
    with pytest.raises(readers.DataError, match="no file matches"):
        readers.expand_patterns([both])


def test_patterns_that_are_taken_apart(strange, monkeypatch):
    monkeypatch.setenv("HOME", str(strange))
    assert readers.split_patterns("a,b/t, ~/e*") == ["a,b/t", f"{strange}/e*"]
    assert readers.split_patterns(["a,b/*"]) == ["a,b/*"]
    assert readers.split_patterns(strange / "e1") == [f"{strange}/e1"]


@pytest.mark.parametrize("pattern", ["a,b", "a,b/", "*,b"])
def test_folder_is_called_one(strange, pattern):
    with pytest.raises(
        readers.DataError,
        match="'a,b/?' is a folder: expected TFRecord files. Name the files in "
        r"it, such as 'a,b/\*\.tfrecord'\. The folder 'a,b' holds 1 name",
    ):
        readers.expand_patterns([pattern])


def test_missing_file_in_a_folder_with_a_comma(strange):
    with pytest.raises(readers.DataError, match="no file .* 'a,b/q'"):
        readers.expand_patterns("a,b/q")


def test_home_folder(strange, monkeypatch):
    monkeypatch.setenv("HOME", str(strange))
    assert readers.expand_patterns("~/e*") == [f"{strange}/e1"]
    assert readers.expand_patterns(["~/d[1]"]) == [f"{strange}/d[1]"]
    with pytest.raises(readers.DataError, match=f"folder '{strange}/no' does"):
        readers.expand_patterns("~/no/*")


def test_pipe_is_refused_before_it_is_opened(tmp_path):
    # Opening it would wait for a writer, without end.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(
        readers.DataError,
        match=r"pipe: expected a TFRecord file, which is read several times "
        r"and from any place on\. Received: a pipe; write it to a file first",
    ):
        readers.expand_patterns(str(pipe))


# Python's glob has no backslash, and hides names that begin with a dot.
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*2", ["a2"]),
        (".h*", [".hidden"]),
        ("c\\*d", ["c*d"]),
        ("[!abc]?", ["d1"]),
        ("a?", ["a1", "a2"]),
        ("?", ["e"]),
    ],
)
def test_patterns_match_as_tensorflow_has_it(
    tmp_path, monkeypatch, pattern, expected
):
    for name in ("a1", "a2", ".hidden", "c*d", "cxd", "d1", "e"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert readers.expand_patterns([pattern]) == expected


def test_local_files_are_expected(folder):
    readers.expect_local_files(f"{folder}/a*,{folder}/b1.tfrecord")
    message = f"no file matches the pattern '{folder}/d*': expected at least "
    with pytest.raises(readers.DataError, match=f"^{re.escape(message)}"):
        readers.expect_local_files(f"{folder}/a*,{folder}/d*")


def test_files_of_other_systems_are_not_looked_at():
    readers.expect_local_files("gs://nobody/nothing*")

"""Tests of numbered folders."""

import errno
import os

import pytest

from yt8m_compact import files
from yt8m_compact.inference.exports import versions


def write(path: str) -> None:
    with files.writing_folder(path) as folder:
        with open(os.path.join(folder, "model"), "w") as file:
            file.write(path)


def test_the_next_number(tmp_path):
    base = str(tmp_path / "model")
    assert versions.numbers_in(base) == []
    assert versions.write_next(base, write) == f"{base}/1"
    # By their values, not as text; 007 is no version, nor what is half written.
    for name in ("9", "10", "007", "12a", ".11.0123456789ab.partial"):
        os.mkdir(f"{base}/{name}")
    assert versions.numbers_in(base) == [1, 9, 10]
    assert versions.write_next(base, write) == f"{base}/11"
    assert os.listdir(f"{base}/11") == ["model"]


def test_a_number_that_somebody_else_takes(tmp_path):
    base = str(tmp_path)
    paths = []

    def write_late(path: str) -> None:
        paths.append(path)
        with files.writing_folder(path) as folder:
            with open(os.path.join(folder, "model"), "w") as file:
                file.write("ours")
            if len(paths) == 1:
                os.mkdir(path)
                with open(os.path.join(path, "model"), "w") as file:
                    file.write("theirs")

    assert versions.write_next(base, write_late) == f"{base}/2"
    assert paths == [f"{base}/1", f"{base}/2"]
    for number, content in ((1, "theirs"), (2, "ours")):
        with open(f"{base}/{number}/model") as file:
            assert file.read() == content
    assert sorted(os.listdir(base)) == ["1", "2"]


def test_other_errors_are_not_tried_again(tmp_path):
    def fail(path: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    with pytest.raises(OSError, match="No space left on device: '.*/1'"):
        versions.write_next(str(tmp_path), fail)
    assert os.listdir(tmp_path) == []

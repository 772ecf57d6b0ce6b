"""Tests of how much memory the reading of records will take."""

import os

import pytest
import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.readers import memory_need

_VIDEO = readers.VideoLevelReader()


@pytest.fixture
def files(tmp_path):
    """Two files of 50 records, of 400 and 600 bytes in turn."""
    paths = [str(tmp_path / name) for name in "ab"]
    for path in paths:
        with tf.io.TFRecordWriter(path) as writer:
            for number in range(50):
                writer.write(bytes(400 + number % 2 * 200))
    return paths


def _set_memory(monkeypatch, tmp_path, *limits):
    """Gives the control groups' files these texts."""
    paths = []
    for number, text in enumerate(limits):
        paths.append(str(tmp_path / f"limit{number}"))
        (tmp_path / f"limit{number}").write_text(text)
    monkeypatch.setattr(memory_need, "_LIMITS", (*paths, "/no/such/file"))


def test_buffer_and_batches_are_counted(files, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    # (20 + (2 + 3) * 4) records of 500 bytes.
    assert memory_need.needed_bytes(_VIDEO, files, 4, 20) == 20_000


def test_decoded_frames_are_counted(files, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    reader = readers.FrameLevelReader(("rgb", "audio"), (5, 3), max_frames=10)
    # As above, and six batches of 4 videos of 10 frames of 8 codes.
    expected = 20_000 + 6 * 4 * 80
    assert memory_need.needed_bytes(reader, files, 4, 20) == expected


def test_no_more_is_held_than_files_have(files, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    # 100 records of 500 + 16 bytes, and five batches of one.
    assert memory_need.needed_bytes(_VIDEO, files, 1, 10**9) == 51_600 + 2_500


def test_other_files_are_for_others_to_judge(tmp_path):
    path = tmp_path / "text"
    path.write_text("no records at all")
    assert memory_need.needed_bytes(_VIDEO, [str(path)], 4, 20) is None
    assert memory_need.describe_lack(_VIDEO, [str(path)], 4, 20) is None


def test_limits_of_containers_count(monkeypatch, tmp_path):
    _set_memory(monkeypatch, tmp_path, "max\n", "12345\n")
    assert memory_need.machine_bytes() == 12345


def test_memory_of_the_machine_counts(monkeypatch, tmp_path):
    _set_memory(monkeypatch, tmp_path, f"{2**63}\n")
    pages = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert memory_need.machine_bytes() == 4_096_000


def test_lack_names_what_to_make_smaller(files, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    _set_memory(monkeypatch, tmp_path, "20000\n")
    expected = (
        "the records in memory are expected to take about 0.0 GB, more than "
        "the 0.0 GB of this machine: choose a smaller shuffle_buffer or "
        "batch_size. Received: shuffle_buffer=20, batch_size=4"
    )
    assert memory_need.describe_lack(_VIDEO, files, 4, 20) == expected
    assert memory_need.describe_lack(_VIDEO, files, 4, 19) is None


def test_unknown_memory_is_no_lack(files, monkeypatch):
    monkeypatch.setattr(memory_need, "machine_bytes", lambda: None)
    assert memory_need.describe_lack(_VIDEO, files, 4, 20) is None

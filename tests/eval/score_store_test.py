"""Tests of the store of scores, in memory and on disk."""

import errno
import gc
import os
import pathlib
import re
import tempfile
import types

import numpy as np
import pytest

from yt8m_compact.eval import score_store

_NUM_CLASSES = 7
_open_temporary_file = tempfile.TemporaryFile  # Some tests replace it.


def _scores(num_videos, dtype=np.float32):
    rng = np.random.default_rng(num_videos)
    return rng.standard_normal((num_videos, _NUM_CLASSES)).astype(dtype)


def _store(memory_limit_bytes=0, spill_dir=None):
    return score_store.ScoreStore(
        _NUM_CLASSES,
        memory_limit_bytes=memory_limit_bytes,
        spill_dir=spill_dir,
    )


def _append(store, scores, batch_size):
    for start in range(0, len(scores), batch_size):
        store.append(scores[start : start + batch_size])


def _read(store, classes=range(_NUM_CLASSES)):
    return np.array([scores.copy() for scores in store.iterate(classes)])


def _open_files(folder):
    """Lists the files in the folder that this process has open."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc to see files without a name")
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:  # The listing's own.
            pass
    return [t for t in targets if t.startswith(str(folder))]


class _SlowFile:
    """A file that moves at most 1,000 bytes a call, and has a size limit."""

    def __init__(self, size_limit=None):
        self._file = _open_temporary_file(buffering=0)
        self._size_limit = size_limit
        self.num_calls = 0

    def write(self, data):
        self.num_calls += 1
        num_bytes = min(len(data), 1000)
        if self._size_limit is not None:
            num_bytes = min(num_bytes, self._size_limit - self._file.tell())
            if not num_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data[:num_bytes])

    def readinto(self, data):
        self.num_calls += 1
        return self._file.readinto(data[:1000])

    def __getattr__(self, name):
        return getattr(self._file, name)


# A block is 64 videos where the limit is small: 2,000 videos fill 31 and leave
# 16 over. 8,960 bytes hold 5 blocks of 64 videos x 7 classes x 4 bytes: one
# block of 320 videos, so that 1 of 6 stays in memory.
@pytest.mark.parametrize("batch_size", [1, 33, 64, 500, 2000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("memory_limit_bytes", "spills"),
    [(0, True), (8960, True), (1 << 30, False)],
)
def test_reads_what_was_added(memory_limit_bytes, spills, dtype, batch_size):
    scores = _scores(2000, dtype)
    with _store(memory_limit_bytes) as store:
        _append(store, scores, batch_size)
        assert store.num_videos == 2000
        assert (store.spilled_bytes > 0) == spills
        actual = _read(store)
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, scores.T)
        np.testing.assert_array_equal(
            _read(store, [1, 2, 5]), scores.T[[1, 2, 5]]
        )


@pytest.mark.parametrize("span", [1, 2, 3, 6, 100])
@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5, 6], [0, 2, 5], [6]])
def test_classes_are_read_in_groups(monkeypatch, span, classes):
    scores = _scores(300)
    monkeypatch.setattr(score_store, "_READ_BYTES", span * 300 * 4)
    with _store() as store:
        store.append(scores)
        np.testing.assert_array_equal(_read(store, classes), scores.T[classes])


def test_adding_goes_on_after_reading():
    scores = _scores(500)
    with _store() as store:
        for stop in range(100, 501, 100):
            store.append(scores[stop - 100 : stop])
            np.testing.assert_array_equal(_read(store), scores[:stop].T)


def test_memory_limit_is_kept():
    # Blocks of 64 videos are 1,792 bytes; five of them fit in 8,960 bytes.
    with _store(memory_limit_bytes=8960) as store:
        _append(store, _scores(2000), 50)
        num_full = 2000 // 320  # one block of 320 videos
        assert store.spilled_bytes == (num_full - 1) * 8960


def test_a_full_block_is_all_that_is_spilled():
    with _store() as store:
        store.append(_scores(63))
        assert store.spilled_bytes == 0
        store.append(_scores(1))
        assert store.spilled_bytes == 64 * _NUM_CLASSES * 4


def test_the_callers_array_is_copied():
    scores = _scores(10)
    expected = scores.T.copy()
    with _store() as store:
        store.append(scores)
        scores[:] = 0
        np.testing.assert_array_equal(_read(store), expected)


def test_parts_of_a_write_or_read_are_continued(monkeypatch):
    files = []

    def open_file(**_):
        files.append(_SlowFile())
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", open_file)
    scores = _scores(200)
    with _store() as store:
        store.append(scores)
        np.testing.assert_array_equal(_read(store), scores.T)
    assert len(files) == 1
    # 3 blocks of 1,792 bytes: 2 calls for each write and each read.
    assert files[0].num_calls == 12


def test_no_file_is_left(tmp_path):
    with _store(spill_dir=tmp_path) as store:
        store.append(_scores(200))
        assert store.spilled_bytes
        assert len(_open_files(tmp_path)) == 1
        # It has no name even while in use: nothing to leave behind.
        assert os.listdir(tmp_path) == []
    assert _open_files(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_no_file_is_left_after_an_exception(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with _store(spill_dir=tmp_path) as store:
            store.append(_scores(200))
            assert len(_open_files(tmp_path)) == 1
            raise KeyboardInterrupt
    assert _open_files(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_no_file_is_left_without_close(tmp_path):
    store = _store(spill_dir=tmp_path)
    store.append(_scores(200))
    assert len(_open_files(tmp_path)) == 1
    del store
    gc.collect()
    assert _open_files(tmp_path) == []


def test_spill_dir_is_the_systems_by_default(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with _store() as store:
        store.append(_scores(200))
        assert len(_open_files(tmp_path)) == 1


def test_full_disk(tmp_path, monkeypatch):
    # Room for one block of 1,792 bytes and a part of the second.
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda **_: _SlowFile(size_limit=2500)
    )
    store = _store(spill_dir=tmp_path)
    store.append(_scores(64))
    with pytest.raises(OSError) as caught:
        store.append(_scores(90))
    assert caught.value.errno == errno.ENOSPC
    message = str(caught.value)
    assert "No space left on device" in message
    assert "cannot write the scores of 128 videos x 7 classes" in message
    assert "memory_limit_bytes=0" in message
    assert repr(str(tmp_path)) in message
    assert "spill_dir" in message and "TMPDIR" in message
    assert store.closed
    assert store.num_videos == store.spilled_bytes == 0


def test_device_without_space(monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(
        tempfile,
        "TemporaryFile",
        lambda buffering, **_: open("/dev/full", "r+b", buffering=buffering),
    )
    with pytest.raises(OSError, match="No space left on device: cannot write"):
        _store().append(_scores(64))


def test_spill_dir_that_went_away(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    store = _store(spill_dir=folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError, match="cannot write .*'.*gone'"):
        store.append(_scores(64))


def test_file_that_was_cut(monkeypatch):
    files = []

    def open_file(**_):
        files.append(_SlowFile())
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", open_file)
    with _store() as store:
        store.append(_scores(128))
        files[0].truncate(3000)
        message = "shorter than .* Received: 3000 bytes, expected 3584$"
        with pytest.raises(OSError, match=message):
            _read(store)


def test_out_of_memory_closes_the_store(monkeypatch):
    store = _store()
    store.append(_scores(10))

    def fail(block):
        raise MemoryError

    monkeypatch.setattr(store, "_keep_block", fail)
    with pytest.raises(MemoryError):
        store.append(_scores(60))
    assert store.closed


@pytest.mark.parametrize("use", [lambda s: s.append(_scores(1)), _read])
def test_closed(use):
    store = _store()
    store.append(_scores(1))
    store.close()
    store.close()
    with pytest.raises(ValueError, match="open ScoreStore: .* closed=True$"):
        use(store)


def test_nothing_to_read():
    with _store() as store:
        with pytest.raises(ValueError, match="Received: num_videos=0$"):
            _read(store)
        store.append(_scores(0))
        with pytest.raises(ValueError, match="Received: num_videos=0$"):
            _read(store)


@pytest.mark.parametrize("shape", [(7,), (3, 6), (2, 3, 7)])
def test_wrong_shape(shape):
    message = r"expected scores of shape \[batch, 7\]\. Received: scores.shape="
    with _store() as store, pytest.raises(ValueError, match=message):
        store.append(np.zeros(shape, np.float32))


def test_another_type():
    with _store() as store:
        store.append(_scores(3))
        message = "type float32, as in .* Received: scores.dtype=float64$"
        with pytest.raises(ValueError, match=message):
            store.append(_scores(3, np.float64))
        np.testing.assert_array_equal(_read(store), _scores(3).T)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="positive .* num_classes=0$"):
        score_store.ScoreStore(0, memory_limit_bytes=0)
    with pytest.raises(ValueError, match="0 or more.*memory_limit_bytes=-1$"):
        _store(memory_limit_bytes=-1)
    with pytest.raises(ValueError, match="existing folder.*spill_dir='.*no'$"):
        _store(spill_dir=pathlib.Path(tmp_path) / "no")


def test_the_home_folder(tmp_path, monkeypatch):
    (tmp_path / "spilled").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    score_store.ScoreStore(2, memory_limit_bytes=0, spill_dir="~/spilled")
    with pytest.raises(ValueError, match=f"spill_dir='{tmp_path}/missing'"):
        score_store.ScoreStore(2, memory_limit_bytes=0, spill_dir="~/missing")


def test_no_room_on_the_disk(monkeypatch, tmp_path):
    usage = {str(tmp_path): types.SimpleNamespace(free=5 * 10**9)}
    monkeypatch.setattr(
        score_store.shutil, "disk_usage", lambda folder: usage[folder]
    )
    store = _store(2 * 10**9, str(tmp_path))
    # 7 classes of 4 bytes: 250 million videos fill memory and disk.
    store.expect_room(250_000_000, np.dtype(np.float32))
    with pytest.raises(
        OSError,
        match=re.escape(
            "expected room for the scores of about 260,000,000 videos x 7 "
            "classes: 5.3 GB beyond the 2.0 GB that are kept in memory. "
            f"Received: 5.0 GB free in '{tmp_path}'. Name a folder with more "
            "space in the environment variable TMPDIR, or evaluate on fewer "
            "files"
        ),
    ):
        store.expect_room(260_000_000, np.dtype(np.float32))


def test_room_in_memory_needs_no_disk(monkeypatch):
    monkeypatch.setattr(score_store.shutil, "disk_usage", None)
    _store(28 * 10).expect_room(10, np.dtype(np.float32))

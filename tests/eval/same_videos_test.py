"""Tests of the check that models see the same videos."""

import numpy as np
import pytest

from yt8m_compact.eval import same_videos

IDS = [b"a", b"bcd", b"e", "häuser".encode()]
DIGESTS = np.arange(4, dtype=np.uint64)


def _see(same, name, ids, digests=None, batch_size=3):
    same.start(name)
    if digests is None:
        digests = DIGESTS[: len(ids)]
    for start in range(0, len(ids), batch_size):
        rows = slice(start, start + batch_size)
        same.check(np.array(ids[rows], object), digests[rows])
    same.finish()


@pytest.fixture
def same():
    checked = same_videos.SameVideos()
    _see(checked, "first", IDS)
    return checked


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_same_videos_in_other_batches(same, batch_size):
    _see(same, "second", IDS, batch_size=batch_size)
    _see(same, "third", IDS)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            [b"a", b"e", b"bcd", IDS[3]],
            "same videos in the same order. Received: 'e' as video 1 of B, "
            "where first has 'bcd'",
        ),
        ([*IDS[:3], b"x"], "Received: 'x' as video 3 of B.*has 'häuser'"),
        (IDS[:3], "the 4 videos of first for all.*Received: 3 of B"),
        ([*IDS, b"z"], "the 4 videos of first for all.*more than 4 of B"),
        # Longer than any of the first ones.
        ([b"a", b"bcd" * 9], "Received: 'bcdbcd.*video 1 of B"),
    ],
)
def test_other_videos(same, ids, message):
    with pytest.raises(ValueError, match=message):
        _see(same, "B", ids, np.arange(len(ids), dtype=np.uint64))


def test_other_labels(same):
    digests = DIGESTS.copy()
    digests[2] += np.uint64(1)
    with pytest.raises(
        ValueError, match="other labels of the video 'e' for B than for first"
    ):
        _see(same, "B", IDS, digests)


def test_videos_of_a_file_come_in_any_order(same):
    ids = [b"e", IDS[3], b"a", b"bcd"]
    places = same.arrange("file", np.array(ids))
    np.testing.assert_array_equal(places, [2, 3, 0, 1])
    first = same_videos.SameVideos()
    np.testing.assert_array_equal(first.arrange("file", ids), [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            [b"a", b"bcd", b"e", b"x"],
            "none of 1 of them, such as 'häuser', of file",
        ),
        ([b"a"], "none of 3 of them, such as 'bcd', of file"),
        ([*IDS, b"x", b"y"], "the 4 videos of first .*2 more, such as 'x', of"),
        ([*IDS, b"a"], "once each. Received: 1 more, such as 'a', of file"),
    ],
)
def test_files_of_other_videos(same, ids, message):
    with pytest.raises(ValueError, match=message):
        same.arrange("file", np.array(ids))


def test_digests_are_of_sets_of_labels():
    one = same_videos.label_digests([0, 0, 2], [5, 7, 7], 3)
    other = same_videos.label_digests([0, 0, 2], [7, 5, 5], 3)
    assert one.dtype == np.uint64
    assert one[0] == other[0]
    assert one[1] == other[1] == 0
    assert len({*one.tolist(), *other.tolist()}) == 4
    # Sums of classes would be equal: 1 + 4 and 2 + 3.
    sums = same_videos.label_digests([0, 0, 1, 1], [1, 4, 2, 3], 2)
    assert sums[0] != sums[1]

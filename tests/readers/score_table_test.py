"""Tests of looking up scores by the ids of videos."""

import numpy as np
import pytest

from yt8m_compact import readers
from yt8m_compact.readers import id_index
from yt8m_compact.readers import score_table

# Ids of all lengths, of which some are the start of others.
IDS = [
    b"b",
    b"a",
    b"ab",
    b"ab:5",
    b"abcd",
    b"a" * 15,
    b"a" * 16,
    b"a" * 17,
    b"a\0",
    b"\xc3\xa4",
    b"x" * 5000,
]


def make_table(ids, **kwargs):
    """Makes a table in which video i has the classes i, i + 1 and so on."""
    classes = np.arange(len(ids))[:, np.newaxis] + np.arange(2)
    scores = np.linspace(1, 0.5, len(ids))[:, np.newaxis] * [1, 0.5]
    arguments = {
        "classes": classes.astype(np.uint16),
        "scores": scores.astype(np.float16),
        "where": "scores",
        **kwargs,
    }
    return score_table.ScoreTable(id_index.keys_of(ids), **arguments)


def test_every_id_is_its_own():
    table = make_table(IDS)
    classes, _, found = table.look_up(IDS[::-1])
    assert found.all()
    assert classes[:, 0].tolist() == list(range(len(IDS)))[::-1]


@pytest.mark.parametrize("number", [1, 5, len(IDS)])
def test_ids_that_are_not_there(number):
    table = make_table(IDS[:number])
    others = [b"0", b"abcde", b"abc", b"ab:", b"zzzz", b"b\0", b"x" * 4999]
    _, _, found = table.look_up([*others, *IDS])
    assert found.tolist() == [False] * 7 + [i < number for i in range(len(IDS))]


def test_misses_are_counted():
    table = make_table([b"%d" % number for number in range(2000)])
    ids = [b"%d" % number for number in range(1000, 2024)]
    *_, found = table.look_up(ids)
    assert table.describe_misses(ids[:1000], found[:1000]) == ""
    assert table.describe_misses(ids, found) == (
        "scores: expected the scores of all videos to train on. Received: 24 "
        "of 1,024 videos have no scores, such as 2000, 2001, 2002, among 2,000 "
        "videos with scores. Predict all files to train on, and name them all: "
        "yt8m-predict --format=teacher"
    )


def test_a_video_twice():
    ids = [b"a", b"b", b"a"]
    same = np.array([[1, 2], [3, 4], [1, 2]], np.uint16)
    scores = np.array([[0.5, 0.25], [1, 0.5], [0.5, 0.25]], np.float16)
    table = make_table(ids, classes=same, scores=scores)
    assert table.look_up([b"a"])[0].tolist() == [[1, 2]]
    for kwargs in (
        {"classes": same + [[0], [0], [1]], "scores": scores},
        {"classes": same, "scores": scores / [[1], [1], [2]]},
    ):
        with pytest.raises(
            readers.DataError,
            match=(
                "^scores: expected the scores of each video once. Received: "
                "two that differ of b'a'; predict each file once"
            ),
        ):
            make_table(ids, **kwargs)

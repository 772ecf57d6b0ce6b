"""Tests of the segments in which each class is likeliest."""

import numpy as np
import pytest

from yt8m_compact.predictions import top_segments


@pytest.mark.parametrize("num_levels", [7, 10**6])
@pytest.mark.parametrize("k", [3, 6000])
def test_the_best_of_many(num_levels, k):
    # With 7 levels, equal scores lie on both sides of every cut: the first
    # ones count.
    rng = np.random.default_rng(k)
    scores = rng.integers(num_levels, size=[30_000, 4]) / num_levels
    scores = scores.astype(np.float32)
    ids = [b"v:%d" % number for number in range(len(scores))]
    best = top_segments.TopSegments([3, 1], k)
    for start in range(0, len(ids), 1700):
        part = slice(start, start + 1700)
        best.add(ids[part], scores[part])
    found = dict(best.best())
    assert list(found) == [3, 1]
    for label in (3, 1):
        order = np.argsort(-scores[:, label], kind="stable")[:k]
        assert found[label] == [ids[row] for row in order]


def test_fewer_than_asked_for():
    best = top_segments.TopSegments([0], 100)
    assert dict(best.best()) == {0: []}
    best.add([b"a:0", b"a:5"], np.array([[0.25], [0.5]], np.float32))
    assert dict(best.best()) == {0: [b"a:5", b"a:0"]}

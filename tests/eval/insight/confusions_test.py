"""Tests of which classes are confused."""

import collections

import numpy as np
import pytest

from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval.insight import confusions


def _rank(scores, labels):
    scores, labels = np.float32(scores), np.float32(labels)
    with metrics_lib.EvaluationMetrics(scores.shape[1], top_k=1) as metrics:
        return metrics.update(scores, labels)


def _pairs(found):
    return [(c.missed, c.predicted, c.count, c.share) for c in found]


def test_by_hand():
    counted = confusions.Confusions(4)
    counted.update(
        _rank(
            [
                # Labels 0 and 1, first two 2 and 0: 1 is missed for 2.
                [0.8, 0.1, 0.9, 0.0],
                # Labels 1 and 3, first two 0 and 2: each of both missed counts
                # a half for each of the two.
                [0.9, 0.1, 0.8, 0.2],
                # Label 1, found; what comes behind is not looked at.
                [0.5, 0.9, 0.4, 0.3],
                # No label.
                [0.9, 0.8, 0.7, 0.6],
            ],
            [[1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]],
        )
    )
    assert _pairs(counted.most(3)) == [
        (1, 2, 1.5, 0.75),
        (1, 0, 0.5, 0.25),
        # Of equal ones the lower classes.
        (3, 0, 0.5, 0.5),
    ]
    assert len(counted.most(10)) == 4


def test_equal_scores_rank_the_lower_class_first():
    counted = confusions.Confusions(3)
    counted.update(_rank([[0.5, 0.5, 0.5]], [[0, 0, 1]]))
    assert _pairs(counted.most(5)) == [(2, 0, 1.0, 1.0)]


def test_nothing_is_confused():
    counted = confusions.Confusions(2)
    assert counted.most(5) == []
    counted.update(_rank([[0.9, 0.1]], [[1, 0]]))
    assert counted.most(5) == []


@pytest.mark.parametrize("most_waiting", [1 << 20, 40])
def test_random_videos_in_batches(most_waiting, monkeypatch):
    monkeypatch.setattr(confusions, "_MOST_WAITING", most_waiting)
    rng = np.random.default_rng(1)
    labels = rng.random((60, 7)) < 0.4
    scores = np.round(rng.random(labels.shape), 1)
    counted = confusions.Confusions(7)
    expected = collections.Counter()
    for start in range(0, 60, 13):
        rows = slice(start, start + 13)
        counted.update(_rank(scores[rows], labels[rows]))
    for row, is_label in zip(scores, labels, strict=True):
        first = np.argsort(-np.float32(row), kind="stable")[: is_label.sum()]
        wrong = [c for c in first if not is_label[c]]
        for missed in set(np.flatnonzero(is_label)) - set(first):
            for predicted in wrong:
                expected[missed, predicted] += 1 / len(wrong)
    found = counted.most(100)
    assert {(c.missed, c.predicted): c.count for c in found} == pytest.approx(
        dict(expected)
    )
    counts = [c.count for c in found]
    assert counts == pytest.approx(sorted(counts, reverse=True))
    for one in found:
        of_class = sum(n for (m, _), n in expected.items() if m == one.missed)
        assert one.share == pytest.approx(one.count / of_class)

"""Tests of the curve of precision and recall."""

import numpy as np
from sklearn import metrics as sklearn_metrics

from yt8m_compact.eval.insight import curve


def test_as_scikit_learn():
    rng = np.random.default_rng(5)
    hits = rng.random((30, 3)) < 0.4
    scores = np.round(rng.random(hits.shape) + hits, 1)
    found = curve.precision_recall(scores, hits, 2 * int(hits.sum()))
    precision, recall, thresholds = sklearn_metrics.precision_recall_curve(
        hits.ravel(), scores.ravel()
    )
    at = np.searchsorted(thresholds, found.thresholds)
    np.testing.assert_array_equal(thresholds[at], found.thresholds)
    np.testing.assert_allclose(found.precision, precision[at])
    # Half of the labels are not in the list.
    np.testing.assert_allclose(found.recall, recall[at] / 2)
    assert found.recall[-1] == 0.5
    assert len(found.thresholds) == len(np.unique(scores[hits]))


def test_few_points_keep_the_first_and_the_last():
    scores = np.arange(100.0)
    every = curve.precision_recall(scores, scores % 2 == 0, 50)
    few = curve.precision_recall(scores, scores % 2 == 0, 50, points=7)
    assert len(every.thresholds) == 50
    assert len(few.thresholds) == 7
    np.testing.assert_array_equal(few.thresholds[[0, -1]], [98, 0])
    at = np.searchsorted(-every.thresholds, -few.thresholds)
    np.testing.assert_array_equal(few.precision, every.precision[at])


def test_nothing_found():
    found = curve.precision_recall(np.ones(3), np.zeros(3, bool), 2)
    assert len(found.recall) == 0

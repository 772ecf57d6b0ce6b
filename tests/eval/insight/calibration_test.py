"""Tests of reliability curves."""

import numpy as np
import pytest
from sklearn import calibration as sklearn_calibration

from yt8m_compact.eval.insight import calibration


def test_by_hand():
    # Two bins. Below .5: .1 and .3, of which one is right; above, with .5 on
    # the border: .5, .9 and 1, of which two are.
    scores = np.float32([[0.3, 0.1], [1.0, 0.9], [0.5, -np.inf]])
    hits = np.array([[True, False], [True, True], [False, False]])
    found = calibration.calibrate(scores, hits, num_bins=2)
    np.testing.assert_array_equal(found.counts, [2, 3])
    np.testing.assert_allclose(found.mean_scores, [0.2, 0.8], rtol=1e-6)
    np.testing.assert_allclose(found.precision, [1 / 2, 2 / 3])
    # (2 * .3 + 3 * (.8 - .667)) / 5
    assert found.expected_error == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("rows", [1 << 17, 7])
def test_as_scikit_learn(rows, monkeypatch):
    monkeypatch.setattr(calibration, "_ROWS", rows)
    rng = np.random.default_rng(2)
    scores = rng.random((50, 4)) ** 2
    hits = rng.random(scores.shape) < scores
    found = calibration.calibrate(scores, hits, num_bins=10)
    precision, mean = sklearn_calibration.calibration_curve(
        hits.ravel(), scores.ravel(), n_bins=10
    )
    used = found.counts > 0
    np.testing.assert_allclose(found.precision[used], precision)
    np.testing.assert_allclose(found.mean_scores[used], mean)
    assert found.counts.sum() == scores.size


def test_bins_without_scores_do_not_count():
    found = calibration.calibrate(np.full((3, 1), 0.25), np.ones((3, 1), bool))
    assert np.isnan(found.precision[0])
    assert found.expected_error == pytest.approx(0.75)


def test_classes_that_are_not_rated_do_not_count():
    found = calibration.calibrate(
        np.array([[0.5, -1.0]]), np.array([[True, False]]), num_bins=2
    )
    np.testing.assert_array_equal(found.counts, [0, 1])


@pytest.mark.parametrize("score", [1.5, -0.5, 30.0])
def test_no_probabilities(score):
    scores = np.array([[0.5], [score]])
    assert calibration.calibrate(scores, np.ones((2, 1), bool)) is None


def test_no_scores():
    scores = np.full((2, 1), -np.inf)
    assert calibration.calibrate(scores, np.zeros((2, 1), bool)) is None

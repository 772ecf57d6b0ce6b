"""Tests of the average precision of one ranked list."""

import numpy as np
import pytest
import sklearn.metrics

from yt8m_compact.eval import average_precision as ap_lib


def test_hand_computed():
    # score     .9  .8  .8  .5  .4  .4  .4  .1
    # positive   x   x               x   x
    # Thresholds with positives: .9 (1 of 1), .8 (2 of 3), .4 (4 of 7).
    # AP = 1/4 * 1 + 1/4 * 2/3 + 2/4 * 4/7.
    scores = np.array([0.4, 0.9, 0.8, 0.1, 0.4, 0.5, 0.4, 0.8])
    positive_scores = np.array([0.4, 0.8, 0.9, 0.4])
    expected = 1 / 4 + 1 / 4 * 2 / 3 + 2 / 4 * 4 / 7
    assert ap_lib.average_precision(scores, positive_scores) == pytest.approx(
        expected, abs=1e-15
    )
    # With 10 positives in all, 6 of them never found: each recall step is a
    # tenth. AP = 1/10 * 1 + 1/10 * 2/3 + 2/10 * 4/7.
    assert ap_lib.average_precision(
        scores, positive_scores, num_positives=10
    ) == pytest.approx(expected * 4 / 10, abs=1e-15)


@pytest.mark.parametrize("num_levels", [1, 3, 50, None])
@pytest.mark.parametrize("positive_fraction", [0.004, 0.2, 0.9, 1.0])
def test_equals_sklearn(num_levels, positive_fraction):
    rng = np.random.default_rng(7)
    is_positive = rng.random(500) < positive_fraction
    assert is_positive.any()
    scores = rng.standard_normal(500) + is_positive
    if num_levels is not None:
        scores = np.round(scores * num_levels / 5)
    expected = sklearn.metrics.average_precision_score(is_positive, scores)
    actual = ap_lib.average_precision(scores, scores[is_positive])
    assert actual == pytest.approx(expected, abs=1e-12)
    order = rng.permutation(500)
    assert actual == ap_lib.average_precision(
        scores[order], scores[order][is_positive[order]]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_positives", [*range(1, 10)])
def test_few_positives_are_counted_to_the_last_bit(num_positives, dtype):
    rng = np.random.default_rng(num_positives)
    for num_levels in (3, 10, 10**6):
        scores = (rng.integers(0, num_levels, 40) / num_levels).astype(dtype)
        chosen = rng.choice(40, num_positives, replace=False)
        # By sorting and by bisection, as where there are many.
        thresholds = ap_lib.find_thresholds(scores, scores[chosen])
        for found_or_not in (num_positives, num_positives + 3):
            assert ap_lib.average_precision(
                scores, scores[chosen], found_or_not
            ) == thresholds.average_precision(found_or_not)


def test_no_positive_found():
    empty = np.zeros(0)
    scores = np.array([0.25, 0.5])
    assert ap_lib.average_precision(scores, empty, num_positives=3) == 0.0
    assert ap_lib.average_precision(empty, empty, num_positives=3) == 0.0


def test_fewer_scores_than_positives():
    with pytest.raises(ValueError, match=r"len\(scores\)=1, len\(pos.*\)=2$"):
        ap_lib.average_precision(np.array([0.5]), np.array([0.5, 0.25]))


@pytest.mark.parametrize(
    ("num_found", "num_positives"), [(0, None), (0, 0), (2, 1)]
)
def test_too_few_positives(num_found, num_positives):
    scores = np.array([0.5, 0.25])
    message = r"at least 1 and at least .* Received: num_positives=[01]$"
    with pytest.raises(ValueError, match=message):
        ap_lib.average_precision(scores, scores[:num_found], num_positives)

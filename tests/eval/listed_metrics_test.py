"""Tests of the metrics of predictions that list some classes of a video."""

import numpy as np
import pytest

from yt8m_compact import predictions
from yt8m_compact.eval import listed_metrics
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.predictions import rows as rows_lib


def make_rows(*lists):
    """Makes rows of lists of classes and scores."""
    pairs = [pair for one in lists for pair in one]
    return predictions.Rows(
        [b"v%d" % row for row in range(len(lists))],
        np.array([len(one) for one in lists]),
        np.array([label for label, _ in pairs], np.int32),
        np.array([score for _, score in pairs], np.float32),
    )


def test_by_hand():
    # Video 0 has the labels 1 and 3, video 1 the label 0, video 2 none; the
    # label 3 is listed by nobody, and 4 is no label.
    rows = make_rows(
        [(1, 0.5), (4, 0.75), (2, 0.25)], [(1, 0.625), (0, 0.375)], []
    )
    metrics = listed_metrics.ListedMetrics(5, top_k=2)
    metrics.update(rows, np.array([2, 1, 0]), np.array([1, 3, 0], np.int32))
    assert metrics.result() == pytest.approx(
        {
            # The two best of each: 4 .75, 1 .625, 1 .5 *, 0 .375 * of 3 labels.
            "gap": (1 / 3 + 2 / 4) / 3,
            "hit_at_1": 0,
            # Of video 0, one of two labels among the first two; of video 1
            # none among the first.
            "perr": (1 / 2) / 3,
            # Class 0: the first of one. Class 1: the second of two. Class 3.
            "map": (1 + 1 / 2 + 0) / 3,
            "loss": None,
            "num_examples": 3,
            "num_classes_with_positives": 3,
        }
    )


@pytest.mark.parametrize("num_levels", [4, 1000])
def test_as_of_all_predictions(num_levels):
    # With 4 levels there are ties, and 7 places for 9 classes.
    rng = np.random.default_rng(0)
    scores = rng.integers(1, num_levels, [60, 9]) / num_levels
    scores = scores.astype(np.float32)
    labels = rng.random([60, 9]) < 0.2
    labels[:, 8] = False
    exact = metrics_lib.EvaluationMetrics(9, 7)
    exact.update(scores, labels)
    metrics = listed_metrics.ListedMetrics(9, 7)
    # Listed in any order, in two parts.
    order = rng.permuted(np.tile(np.arange(9), [60, 1]), axis=1)
    listed = np.take_along_axis(scores, order, axis=1)
    for part in (slice(0, 25), slice(25, 60)):
        rows = rows_lib.from_arrays(
            [b"%d" % row for row in range(60)][part], order[part], listed[part]
        )
        metrics.update(
            rows,
            labels[part].sum(axis=1),
            np.nonzero(labels[part])[1].astype(np.int32),
        )
    assert metrics.result() == exact.result()


def test_whether_all_classes_are_listed():
    # Of five classes, labels are 1 and 3.
    labels = np.array([1, 1]), np.array([3, 1], np.int32)
    some, all_that_count = [(1, 0.5)], [(3, 0.25), (1, 0.5)]
    for lists, expected in (
        ([all_that_count, all_that_count], True),
        ([all_that_count, some], False),
        # As many, but not the same.
        ([all_that_count, [(1, 0.5), (2, 0.5)]], False),
    ):
        metrics = listed_metrics.ListedMetrics(5)
        metrics.update(make_rows(*lists), *labels)
        assert metrics.lists_all is expected


def test_without_labels():
    metrics = listed_metrics.ListedMetrics(5)
    metrics.update(make_rows([(1, 0.5)]), np.array([0]), np.array([], np.int32))
    with pytest.raises(ValueError, match="at least one label.*num_examples=1"):
        metrics.result()
    with pytest.raises(ValueError, match="positive top_k. Received: top_k=0"):
        listed_metrics.ListedMetrics(5, 0)

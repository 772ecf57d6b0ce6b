"""Tests of the best classes of videos."""

import dataclasses

import numpy as np
import pytest

from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import ranked_videos


def _make(**kwargs):
    values = {
        "scores": np.float32([[0.9, 0.5], [0.7, 0.7]]),
        "classes": np.array([[2, 0], [1, 2]]),
        "hits": np.array([[True, False], [False, True]]),
        "num_labels": np.array([2, 1]),
        "num_found": np.array([1, 0]),
    }
    return ranked_videos.RankedVideos(**{**values, **kwargs})


def test_of_metrics():
    scores = np.float32([[0.1, 0.4, 0.4], [0.3, 0.2, 0.1], [0.5, 0.6, 0.7]])
    labels = np.float32([[0, 1, 1], [0, 0, 0], [1, 1, 0]])
    with metrics_lib.EvaluationMetrics(3, top_k=2) as metrics:
        metrics.update(scores[:1], labels[:1], [0.5])
        metrics.update(scores[1:], labels[1:], [0.25, 2.0])
        best = metrics.best_classes()
        values = metrics.result()
    np.testing.assert_array_equal(best.classes, [[1, 2], [0, 1], [2, 1]])
    np.testing.assert_array_equal(
        best.scores, np.take_along_axis(scores, best.classes.astype(int), 1)
    )
    np.testing.assert_array_equal(
        best.hits, [[True, True], [False, False], [False, True]]
    )
    np.testing.assert_array_equal(best.num_labels, [2, 0, 2])
    np.testing.assert_array_equal(best.num_found, [2, 0, 1])
    np.testing.assert_array_equal(best.losses, [0.5, 0.25, 2.0])
    np.testing.assert_array_equal(best.precision, [1, 0, 0.5])
    assert best.precision.mean() == values["perr"]
    assert best.hit_at_1.mean() == values["hit_at_1"]
    assert len(best) == 3


def test_metrics_without_videos_have_none():
    with metrics_lib.EvaluationMetrics(3) as metrics:
        with pytest.raises(ValueError, match="at least one video"):
            metrics.best_classes()


def test_growing():
    first, second = _make(), _make(losses=np.zeros(2))
    growing = ranked_videos.GrowingRankedVideos()
    growing.append(second)
    before = growing.get()
    assert growing.get() is before
    np.testing.assert_array_equal(before.losses, [0, 0])
    growing.append(first)
    both = growing.get()
    assert (len(before), len(both)) == (2, 4)
    # Some have none.
    assert both.losses is None
    np.testing.assert_array_equal(both.classes[2:], first.classes)
    growing.append(second)
    assert growing.get().losses is None


def test_take():
    taken = _make(losses=np.array([0.5, 2.0])).take(np.array([1, 0, 1]))
    np.testing.assert_array_equal(taken.losses, [2.0, 0.5, 2.0])
    np.testing.assert_array_equal(taken.classes, [[1, 2], [2, 0], [1, 2]])
    assert _make().take(np.array([1])).losses is None


@pytest.mark.parametrize(
    "name", ["classes", "hits", "num_labels", "num_found", "losses"]
)
def test_shapes_that_do_not_fit(name):
    with pytest.raises(ValueError, match=rf"and {name} of the shape"):
        _make(**{name: np.zeros(3)})


@pytest.mark.parametrize(
    "row", [[0.5, 0.6], [np.nan, 0.1], [0.5, np.nan], [-np.inf, 0.0]]
)
def test_scores_that_do_not_fall(row):
    scores = np.float32([[0.9, 0.5], row])
    with pytest.raises(ValueError, match=r"numbers that fall. .*scores\[1\]"):
        _make(scores=scores)


def test_fewer_classes():
    scores = np.float32([[0.9, -np.inf], [-np.inf, -np.inf]])
    assert len(_make(scores=scores)) == 2


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        _make().scores = None

"""Tests of the interval of a metric."""

import numpy as np
import pytest

from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import metrics as metrics_lib


def _view(viewer, predictions, labels, batch_size=7):
    for start in range(0, len(labels), batch_size):
        rows = slice(start, start + batch_size)
        viewer.on_batch({"labels": labels[rows]}, predictions[rows])


def _make_videos(number=40, num_classes=6):
    rng = np.random.default_rng(3)
    labels = rng.random((number, num_classes)) < 0.3
    # Few levels, so that many scores are equal.
    scores = np.round(2 * rng.random(labels.shape) + labels, 1) / 3
    return scores.astype(np.float32), labels.astype(np.float32)


@pytest.mark.parametrize("metric", ["gap", "map"])
def test_draws_are_the_metric_of_the_videos_that_were_drawn(metric):
    predictions, labels = _make_videos()
    viewer = bootstrap.Bootstrap(metric, top_k=3, num_draws=20, seed=5)
    _view(viewer, predictions, labels)
    draws = viewer.draws()
    counts = np.random.default_rng(5).multinomial(40, [1 / 40] * 40, size=20)
    for draw, times in zip(draws, counts, strict=True):
        with metrics_lib.EvaluationMetrics(6, top_k=3) as metrics:
            metrics.update(
                np.repeat(predictions, times, axis=0),
                np.repeat(labels, times, axis=0),
            )
            expected = metrics.result()[metric]
        assert draw == pytest.approx(expected, abs=1e-12)
    assert len(set(draws)) > 10


def test_interval_by_hand():
    # One prediction and one label a video, all predictions equal, and a share
    # q = 1/2 of the videos right: GAP is precision times recall, q^2, whose
    # standard deviation over draws of n videos is 2 q sqrt(q (1 - q) / n).
    labels = np.eye(2, dtype=np.float32)[np.arange(400) % 2]
    predictions = np.tile(np.float32([0.8, 0.3]), (400, 1))
    viewer = bootstrap.Bootstrap("gap", top_k=1, num_draws=4000)
    _view(viewer, predictions, labels, 128)
    low, high = viewer.interval(0.25)
    half = 1.96 * 2 * 0.5 * (0.25 / 400) ** 0.5
    assert (high + low) / 2 == pytest.approx(0.25)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_draws_are_the_same_again():
    predictions, labels = _make_videos()
    viewers = [
        bootstrap.Bootstrap("gap", num_draws=5, seed=seed) for seed in (0, 0, 1)
    ]
    for viewer in viewers:
        _view(viewer, predictions, labels)
    first, again, other = (viewer.draws() for viewer in viewers)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_classes_that_are_not_drawn_do_not_count():
    # The only label of the second class is drawn by some, and then found.
    predictions = np.float32([[0.9, 0.2], [0.8, 0.7], [0.1, 0.3]])
    labels = np.float32([[1, 0], [1, 1], [1, 0]])
    viewer = bootstrap.Bootstrap("map", num_draws=50)
    _view(viewer, predictions, labels)
    np.testing.assert_array_equal(viewer.draws(), 1.0)


def test_unknown_metric():
    with pytest.raises(ValueError, match="a metric of gap, map.*metric='perr'"):
        bootstrap.Bootstrap("perr")

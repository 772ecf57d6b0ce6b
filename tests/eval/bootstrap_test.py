"""Tests of the intervals of metrics."""

import numpy as np
import pytest

from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import listed_metrics
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.predictions import rows as rows_lib


def _make_videos(number=40, num_classes=6, levels=10):
    rng = np.random.default_rng(3)
    labels = rng.random((number, num_classes)) < 0.3
    # Few levels, so that many scores are equal.
    scores = np.round(levels * (2 * rng.random(labels.shape) + labels))
    return (scores / levels / 3).astype(np.float32), labels.astype(np.float32)


def _evaluate(predictions, labels, top_k=3, batch_size=7, **kwargs):
    metrics = metrics_lib.EvaluationMetrics(labels.shape[1], top_k, **kwargs)
    for start in range(0, len(labels), batch_size):
        rows = slice(start, start + batch_size)
        metrics.update(predictions[rows], labels[rows])
    return metrics


def _view(metrics, metric="gap", **kwargs):
    viewer = bootstrap.Bootstrap(metric, **kwargs)
    viewer.on_end(metrics)
    return viewer


def _draw(number, num_draws, seed):
    """How often each video is drawn, by NumPy's numbers one after the other."""
    rng = np.random.default_rng(seed)
    for _ in range(num_draws):
        times = np.zeros(number, int)
        np.add.at(times, rng.integers(number, size=number), 1)
        yield times


@pytest.mark.parametrize("metric", ["gap", "map"])
@pytest.mark.parametrize(
    ("rows", "part", "sample"), [(4096, 1 << 22, 999), (3, 7, 50), (3, 7, 999)]
)
def test_draws_are_the_metric_of_the_videos_that_were_drawn(
    metric, rows, part, sample, monkeypatch
):
    monkeypatch.setattr(bootstrap, "_ROWS", rows)
    monkeypatch.setattr(bootstrap, "_THRESHOLDS", 4 * rows)
    monkeypatch.setattr(bootstrap, "_PART", part)
    monkeypatch.setattr(bootstrap, "_SAMPLE", sample)
    predictions, labels = _make_videos()
    with _evaluate(predictions, labels) as metrics:
        draws = _view(metrics, metric, num_draws=20, seed=5).draws
    for draw, times in zip(draws, _draw(40, 20, seed=5), strict=True):
        drawn = (np.repeat(array, times, axis=0) for array in _make_videos())
        with _evaluate(*drawn) as metrics:
            expected = metrics.result()[metric]
        assert draw == pytest.approx(expected, abs=1e-12)
    assert len(set(draws)) > 10


def test_means_of_draws():
    values = np.arange(7) ** 2
    draws = bootstrap.Draws(7, num_draws=11, seed=2)
    expected = [np.mean(np.repeat(values, t)) for t in _draw(7, 11, seed=2)]
    np.testing.assert_allclose(draws.means(values), expected, rtol=1e-12)
    hits = values > 3
    expected = [np.mean(np.repeat(hits, t)) for t in _draw(7, 11, seed=2)]
    np.testing.assert_allclose(draws.means(hits), expected, rtol=1e-12)


def test_interval_by_hand():
    # One prediction and one label a video, all predictions equal, and a share
    # q = 1/2 of the videos right: GAP is precision times recall, q^2, whose
    # standard deviation over draws of n videos is 2 q sqrt(q (1 - q) / n).
    labels = np.eye(2, dtype=np.float32)[np.arange(400) % 2]
    predictions = np.tile(np.float32([0.8, 0.3]), (400, 1))
    with _evaluate(predictions, labels, 1, 128) as metrics:
        viewer = _view(metrics, "gap", num_draws=4000)
    low, high = viewer.interval(0.25)
    half = 1.96 * 2 * 0.5 * (0.25 / 400) ** 0.5
    assert (high + low) / 2 == pytest.approx(0.25)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_false_predictions_that_come_late_count_once(monkeypatch):
    # Of 1,000 videos a class of 20 labels draws 10 + 20 false ones here.
    monkeypatch.setattr(bootstrap, "_FALSE_PER_LABEL", 1)
    monkeypatch.setattr(bootstrap, "_LEAST_FALSE", 10)
    rng = np.random.default_rng(4)
    labels = np.zeros((1000, 3), np.float32)
    for column in labels.T:
        column[rng.choice(1000, 20, replace=False)] = 1
    predictions = (rng.random(labels.shape) + 0.8 * labels).astype(np.float32)
    with _evaluate(predictions, labels, batch_size=500) as metrics:
        draws = _view(metrics, "map", num_draws=100, seed=1).draws
    exact = []
    for times in _draw(1000, 100, seed=1):
        drawn = (np.repeat(a, times, axis=0) for a in (predictions, labels))
        with _evaluate(*drawn, batch_size=1000) as metrics:
            exact.append(metrics.result()["map"])
    # They are left out of some draws, and the width hardly differs.
    assert np.any(draws != exact)
    assert np.corrcoef(draws, exact)[0, 1] > 0.98
    assert np.std(draws) == pytest.approx(np.std(exact), rel=0.1)


def test_draws_are_the_same_again():
    with _evaluate(*_make_videos()) as metrics:
        first, again, other = (
            _view(metrics, "gap", num_draws=5, seed=seed).draws
            for seed in (0, 0, 1)
        )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_classes_that_are_not_drawn_do_not_count():
    # The only label of the second class is drawn by some, and then found.
    predictions = np.float32([[0.9, 0.2], [0.8, 0.7], [0.1, 0.3]])
    labels = np.float32([[1, 0], [1, 1], [1, 0]])
    with _evaluate(predictions, labels) as metrics:
        np.testing.assert_array_equal(
            _view(metrics, "map", num_draws=50).draws, 1.0
        )


def test_draws_without_a_label_are_0():
    # Half of the draws of two videos lack one of them.
    predictions = np.float32([[0.9], [0.2]])
    labels = np.float32([[1], [0]])
    with _evaluate(predictions, labels, 1) as metrics:
        for metric in ("gap", "map"):
            draws = _view(metrics, metric, num_draws=50).draws
            assert set(draws) == {0.0, 1.0}


def test_labels_that_are_not_found_are_0():
    predictions = np.float32([[0.9, 0.1], [0.2, 0.1]])
    labels = np.float32([[0, 1], [0, 1]])
    with _evaluate(predictions, labels, 1) as metrics:
        draws = _view(metrics, "gap", num_draws=5).draws
    np.testing.assert_array_equal(draws, 0.0)


def test_unknown_metric():
    with pytest.raises(ValueError, match="a metric of gap, map.*metric='perr'"):
        bootstrap.Bootstrap("perr")


@pytest.mark.parametrize("numbers", [(0, 5), (3, 1)])
def test_numbers_that_are_too_small(numbers):
    with pytest.raises(ValueError, match="one video and two draws.*num_videos"):
        bootstrap.Draws(*numbers)


def test_parts_of_a_video_are_drawn_together():
    # 40 rows of 13 videos, in any order.
    videos = np.random.default_rng(6).permutation(np.arange(40) % 13)
    draws = bootstrap.Draws(13, num_draws=9, seed=4, videos=videos)
    assert draws.num_videos == 13
    values = np.arange(40) ** 2
    with _evaluate(*_make_videos()) as metrics:
        gaps = draws.gap(metrics.best_classes())
        map_draws = bootstrap.MapDraws(draws)
        for ranking in metrics.rank_classes():
            map_draws.on_class(ranking)
    for index, times in enumerate(_draw(13, 9, seed=4)):
        drawn = np.repeat(values, times[videos])
        assert draws.means(values)[index] == pytest.approx(drawn.mean())
        rows = (np.repeat(a, times[videos], axis=0) for a in _make_videos())
        with _evaluate(*rows) as metrics:
            expected = metrics.result()
        assert gaps[index] == pytest.approx(expected["gap"], abs=1e-12)
        assert map_draws.result()[index] == pytest.approx(
            expected["map"], abs=1e-12
        )


def test_draws_of_classes_that_some_videos_list():
    # The rows come in another order than the videos of the draws.
    predictions, labels = _make_videos(levels=1000)
    places = np.random.default_rng(7).permutation(40)
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :3]
    listed = np.take_along_axis(predictions, order, axis=1)

    def evaluate(rows, on_class=None):
        metrics = listed_metrics.ListedMetrics(6, top_k=3)
        found = rows_lib.from_arrays(
            [b"%d" % row for row in rows], order[rows], listed[rows]
        )
        counts = labels[rows].sum(axis=1).astype(int)
        metrics.update(found, counts, np.nonzero(labels[rows])[1])
        return metrics.result(on_class)

    draws = bootstrap.Draws(40, num_draws=20, seed=5)
    map_draws = bootstrap.MapDraws(draws)
    evaluate(places, lambda one: map_draws.on_listed(one, places))
    expected = [
        evaluate(np.repeat(np.arange(40), times))["map"]
        for times in _draw(40, 20, seed=5)
    ]
    np.testing.assert_allclose(map_draws.result(), expected, atol=1e-12)


@pytest.mark.parametrize("most", [1, 9, 100, 255])
def test_sums_of_entries_of_any_count(most):
    rng = np.random.default_rng(most)
    counts = rng.integers(0, most + 1, (50, 16)).astype(np.uint8)
    counts[3] = most
    videos = rng.integers(0, 50, 3000)
    edges = np.array([2, 3, 10, 900, 901, 3000])
    found = bootstrap._segment_sums(counts, most, videos, edges)
    expected = [
        counts[videos[start:end]].sum(axis=0, dtype=int)
        for start, end in zip(edges[:-1], edges[1:], strict=True)
    ]
    np.testing.assert_array_equal(found, expected)

"""Tests of the metrics as the starter code computes them."""

import numpy as np
import pytest

from yt8m_compact import predictions
from yt8m_compact.eval import listed_metrics
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import starter_metrics
from yt8m_compact.predictions import rows as rows_lib


def _compute(scores, labels, top_k, losses=None, batch_size=7):
    starter = starter_metrics.StarterMetrics(labels.shape[1])
    with metrics_lib.EvaluationMetrics(labels.shape[1], top_k) as metrics:
        for start in range(0, len(scores), batch_size):
            rows = slice(start, start + batch_size)
            ranking = metrics.update(
                scores[rows],
                labels[rows],
                None if losses is None else losses[rows],
            )
            starter.update_from_ranking(scores[rows], ranking)
        values = metrics.result()
        return starter.result(metrics.best_classes(), values["loss"]), values


def test_by_hand():
    scores = np.float32(
        [[0.9, 0.5, 0.3, 0.1], [0.2, 0.8, 0.6, 0.4], [0.7, 0.0, 0.05, 0.65]]
    )
    labels = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]])
    found, exact = _compute(scores, labels, 2, np.array([1.0, 2.0, 6.0]))
    assert found == pytest.approx(
        {
            # .9, .8, .7 *, .65 *, .6, .5 * of seven labels.
            "gap": (1 / 3 + 2 / 4 + 3 / 6) / 7,
            "hit_at_1": 1 / 3,
            # The last one's class 1 has a prediction of 0.
            "perr": (1 / 2 + 0 + 3 / 4) / 3,
            # Class 0: .9, .7 *, and the second video's label is not found.
            # Class 1: .8, .5 *, and the last one's is not. Class 2: .6, and
            # the last one's is not. Class 3: .65 *, and the first one's is not.
            "map": (1 / 2 / 2 + 1 / 2 / 2 + 0 + 1 / 2) / 4,
            "loss": 3.0,
        }
    )
    assert exact["perr"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert exact["gap"] == found["gap"]


def _starter_map(scores, labels, top_k):
    """The description, place by place: each class ranks what is pooled."""
    precisions = []
    for index in np.flatnonzero(labels.any(axis=0)):
        pooled = [
            (row[index], row_labels[index])
            for row, row_labels in zip(scores, labels, strict=True)
            if np.count_nonzero(row > row[index]) < top_k
        ]
        hits, total = 0, 0.0
        for place, (_, label) in enumerate(sorted(pooled, reverse=True), 1):
            if label:
                hits += 1
                total += hits / place
        precisions.append(total / labels[:, index].sum())
    return np.mean(precisions)


def test_map_of_what_is_pooled():
    rng = np.random.default_rng(3)
    labels = rng.random((80, 12)) < 0.2
    labels[:, 7] = False  # No video has it: left out of the mean.
    # Labels are better than chance, and no two scores are equal.
    order = np.argsort((rng.random((80, 12)) + 0.5 * labels).ravel())
    scores = np.empty(80 * 12, np.float32)
    scores[order] = np.arange(80 * 12) / 1024
    scores = scores.reshape(80, 12)
    for top_k in (1, 3, 12):
        found, exact = _compute(scores, labels, top_k)
        expected = _starter_map(scores, labels, top_k)
        assert found["map"] == pytest.approx(expected, abs=1e-12)
        for name in ("gap", "hit_at_1", "perr", "loss"):
            assert found[name] == exact[name]
    assert found["map"] == exact["map"]


def test_of_files():
    rng = np.random.default_rng(4)
    labels = rng.random((50, 9)) < 0.3
    scores = rng.random((50, 9)).astype(np.float32)
    scores[::3, 2] = 0
    found, _ = _compute(scores, labels, 4)
    # All classes of a video, and as many as are looked at.
    for listed, num_listed in ((9, 9), (4, 4)):
        order = np.argsort(-scores, axis=1, kind="stable")[:, :listed]
        metrics = listed_metrics.ListedMetrics(9, 4)
        metrics.update(
            rows_lib.from_arrays(
                [b"%d" % row for row in range(50)],
                order,
                np.take_along_axis(scores, order, axis=1),
            ),
            labels.sum(axis=1),
            np.nonzero(labels)[1],
        )
        values = metrics.starter_result()
        assert metrics.most_listed == num_listed
        for name in ("gap", "hit_at_1", "map"):
            assert values[name] == found[name]
        if listed == 9:
            assert values["perr"] == found["perr"]
    assert values["loss"] is None


def test_a_video_without_predictions():
    rows = predictions.Rows(
        [b"a", b"b"],
        np.array([0, 1]),
        np.array([1], np.int32),
        np.array([0.5], np.float32),
    )
    metrics = listed_metrics.ListedMetrics(3, 2)
    metrics.update(rows, np.array([1, 1]), np.array([0, 1]))
    assert metrics.starter_result() == {
        "gap": 1 / 2,
        "hit_at_1": 1 / 2,
        "perr": 1 / 2,
        "map": (0 + 1) / 2,
        "loss": None,
    }

"""Tests of the metrics of arrays."""

import doctest

import numpy as np
import pytest
import sklearn.metrics

import yt8m_compact as yt8m
from yt8m_compact.api import array_metrics


def test_examples():
    assert doctest.testmod(array_metrics) == (0, 6)


def test_by_their_definitions():
    rng = np.random.default_rng(0)
    labels = (rng.random([50, 30]) < 0.1).astype(int)
    labels[7] = 0
    labels[:, 3] = 0
    scores = np.round(rng.random([50, 30]) + labels, 2)
    ranked = np.argsort(-scores, axis=1, kind="stable")
    lists = [np.flatnonzero(row).tolist() for row in labels]
    found = yt8m.metrics(lists, scores, top_k=4)
    # GAP over the 4 first classes of all videos; the labels that are not among
    # them count as never found.
    first = np.take_along_axis(scores, ranked[:, :4], axis=1).ravel()
    hits = np.take_along_axis(labels, ranked[:, :4], axis=1).ravel()
    gap = sklearn.metrics.average_precision_score(hits, first)
    assert found["gap"] == pytest.approx(gap * hits.sum() / labels.sum())
    hit = [labels[i, ranked[i, 0]] for i in range(50)]
    assert found["hit_at_1"] == pytest.approx(np.mean(hit))
    perr = [
        labels[i, ranked[i, : len(row)]].mean() if row else 0
        for i, row in enumerate(lists)
    ]
    assert found["perr"] == pytest.approx(np.mean(perr))
    per_class = [
        sklearn.metrics.average_precision_score(labels[:, i], scores[:, i])
        for i in range(30)
        if labels[:, i].any()
    ]
    assert found["map"] == pytest.approx(np.mean(per_class))
    assert found == yt8m.metrics(labels, scores, top_k=4)


def test_blocks_are_as_one(monkeypatch):
    rng = np.random.default_rng(0)
    labels, scores = rng.random([20, 5]) < 0.4, rng.random([20, 5])
    whole = yt8m.metrics(labels, scores)
    monkeypatch.setattr(array_metrics, "_BLOCK", 7)
    assert yt8m.metrics(labels, scores) == whole


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([[0]], np.zeros([0, 3]), r"at least one video. .*shape=\[0, 3\]"),
        ([[0]], np.zeros(3), r"of shape \[videos, num_classes\]"),
        ([[0]], np.zeros([1, 3], int), "expected floating-point predictions"),
        ([[0]], np.full([1, 3], np.nan), "expected finite predictions"),
        ([[3]], np.zeros([1, 3]), r"classes from 0 to 2 in labels\[0\]"),
        ([[0], [1]], np.zeros([1, 3]), "expected labels of 1 videos"),
        ([[]], np.zeros([1, 3]), "expected at least one label in the data"),
    ],
)
def test_what_is_wrong_is_named(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        yt8m.metrics(labels, scores)

"""Tests of metrics of groups of classes."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval.insight import groups


def _classes(found):
    return {name: np.flatnonzero(rows).tolist() for name, rows in found.items()}


@pytest.mark.parametrize(
    ("support", "head", "middle", "tail"),
    [
        # 12 labels, 4 a third; the class that crosses it is in the upper group.
        ([1, 3, 0, 2, 6], [4], [1], [0, 3]),
        ([2, 2, 2], [0], [1], [2]),
        ([0, 9, 0], [1], [], []),
        ([0, 0], [], [], []),
    ],
)
def test_frequencies_by_hand(support, head, middle, tail):
    found = _classes(groups.by_frequency(np.array(support)))
    assert found == {"head": head, "middle": middle, "tail": tail}


def test_verticals():
    found = groups.by_vertical({"Games": [0, 3], "Food": [3]}, num_classes=5)
    assert _classes(found) == {"Games": [0, 3], "Food": [3]}


def test_metrics_of_groups_as_scikit_learn():
    rng = np.random.default_rng(4)
    labels = rng.random((80, 9)) < 0.4 / (1 + np.arange(9))
    labels[:, 8] = False
    scores = np.round(rng.random(labels.shape) + labels, 1).astype(np.float32)
    with metrics_lib.EvaluationMetrics(9, top_k=4) as metrics:
        metrics.update(scores, labels)
        best = metrics.best_classes()
        precisions = metrics.class_average_precisions()
    members = {"few": np.arange(9) % 3 == 2, "none": np.arange(9) == 8}
    members["all"] = np.ones(9, bool)
    few, none, every = groups.evaluate(
        members, best, labels.sum(axis=0), precisions
    )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :4]
    pooled = np.zeros(labels.shape, bool)
    np.put_along_axis(pooled, order, True, axis=1)
    pooled &= members["few"]
    gap = sklearn_metrics.average_precision_score(
        labels[pooled], scores[pooled]
    )
    gap *= labels[pooled].sum() / labels[:, members["few"]].sum()
    assert few.gap == pytest.approx(gap, abs=1e-12)
    assert few.num_classes == 2
    assert few.num_labels == labels[:, [2, 5]].sum()
    assert few.map == pytest.approx(
        np.mean(
            [
                sklearn_metrics.average_precision_score(
                    labels[:, index], scores[:, index]
                )
                for index in (2, 5)
            ]
        )
    )
    assert (none.num_classes, none.num_labels) == (0, 0)
    assert np.isnan(none.gap) and np.isnan(none.map)
    with metrics_lib.EvaluationMetrics(9, top_k=4) as metrics:
        metrics.update(scores, labels)
        expected = metrics.result()
    assert every.gap == pytest.approx(expected["gap"], abs=1e-12)
    assert every.map == pytest.approx(expected["map"], abs=1e-12)

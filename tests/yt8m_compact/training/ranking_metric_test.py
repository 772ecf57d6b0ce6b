"""Tests of the metric of batches whose labels may have a weight each."""

import numpy as np

from yt8m_compact import ops
from yt8m_compact.training import ranking_metric

LABELS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], "float32")
# The best class of each: 1, 1, 1, 2.
PREDICTIONS = np.array(
    [[0.4, 0.5, 0.1], [0.1, 0.9, 0.8], [0.2, 0.6, 0.5], [0.1, 0.2, 0.3]],
    "float32",
)


def make():
    return ranking_metric.RankingMetric(ops.batch_hit_at_1, "hit_at_1")


def test_mean_over_batches():
    metric = make()
    metric.update_state(LABELS[:2], PREDICTIONS[:2])
    assert float(metric.result()) == 0.5
    metric.update_state(LABELS[2:], PREDICTIONS[2:])
    # Right in the second and the fourth.
    assert float(metric.result()) == 0.5
    assert metric.name == "hit_at_1"


def test_classes_without_a_weight_do_not_count():
    # Without class 1, the best ones are 0, 2, 2, 2: the second has none.
    weights = np.array([[1, 0, 1]] * 4, "float32")
    metric = make()
    metric.update_state(LABELS, PREDICTIONS, weights)
    assert float(metric.result()) == 0.75

"""Tests of the metrics of classes."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval.insight import details as details_lib


def _evaluate(scores, labels, verticals=None, top_k=3):
    scores, labels = np.float32(scores), np.float32(labels)
    details = details_lib.Details(scores.shape[1], verticals)
    with metrics_lib.EvaluationMetrics(scores.shape[1], top_k) as metrics:
        for start in range(0, len(scores), 11):
            rows = slice(start, start + 11)
            details.on_ranking(metrics.update(scores[rows], labels[rows]))
        metrics.result(details.on_class)
        return details.finish(metrics.best_classes())


def test_best_threshold_by_hand():
    # By falling score: right, right, wrong, right, wrong. F1 is 2 TP / (N + 3):
    # 2/4, 4/5, 4/6, 6/7, 6/8.
    scores = [[0.9], [0.8], [0.7], [0.6], [0.2]]
    table = _evaluate(scores, [[1], [1], [0], [1], [0]]).classes
    assert table.threshold[0] == np.float32(0.6)
    assert table.precision[0] == 3 / 4
    assert table.recall[0] == 1
    assert table.f1[0] == pytest.approx(6 / 7)
    assert table.support[0] == 3
    # (1 + 1 + 3/4) / 3
    assert table.average_precision[0] == pytest.approx(11 / 12)


def test_of_equal_f1_the_highest_threshold():
    # 2 / (1 + 2) at .9, and 4 / (4 + 2) at .5.
    scores = [[0.9], [0.8], [0.7], [0.5]]
    table = _evaluate(scores, [[1], [0], [0], [1]]).classes
    assert table.threshold[0] == np.float32(0.9)
    assert (table.precision[0], table.recall[0]) == (1, 0.5)


def test_equal_scores_are_one_threshold():
    table = _evaluate([[0.5], [0.5], [0.5]], [[1], [0], [1]]).classes
    assert (table.precision[0], table.recall[0]) == (2 / 3, 1)
    assert table.average_precision[0] == pytest.approx(2 / 3)


def test_as_scikit_learn():
    rng = np.random.default_rng(6)
    labels = rng.random((90, 8)) < 0.5 / (1 + np.arange(8))
    labels[:, 5] = False
    scores = np.round(rng.random(labels.shape) + 0.7 * labels, 2)
    scores = scores.astype(np.float32)
    table = _evaluate(scores, labels).classes
    for index in range(8):
        positives = labels[:, index].sum()
        assert table.support[index] == positives
        if not positives:
            # What no video has is not defined, and no error.
            for name in ("average_precision", "threshold", "f1", "recall"):
                assert np.isnan(getattr(table, name)[index])
            continue
        precision, recall, thresholds = sklearn_metrics.precision_recall_curve(
            labels[:, index], scores[:, index]
        )
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        assert table.f1[index] == pytest.approx(f1.max())
        at = np.searchsorted(thresholds, table.threshold[index])
        assert table.precision[index] == pytest.approx(precision[at])
        assert table.recall[index] == pytest.approx(recall[at])
        assert f1[at] == pytest.approx(f1.max())
        assert table.average_precision[index] == pytest.approx(
            sklearn_metrics.average_precision_score(
                labels[:, index], scores[:, index]
            )
        )


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="expected finite predictions"):
        _evaluate([[0.5], [np.nan]], [[1], [0]])


def test_insight_is_json():
    insight = _evaluate(
        [[0.9, 0.8, 0.1], [0.2, 0.7, 0.3]],
        [[1, 0, 0], [1, 0, 0]],
        verticals={"Games": [0, 1], "Food": [2]},
    )
    # NaN is none of JSON.
    values = json.loads(json.dumps(insight.to_dict(), allow_nan=False))
    assert values["confusions"] == [
        {"missed": 0, "predicted": 1, "count": 1.0, "share": 1.0}
    ]
    head, middle, tail = values["frequencies"]
    assert (head["name"], head["num_labels"]) == ("head", 2)
    assert (tail["name"], tail["gap"]) == ("tail", None)
    games, food = values["verticals"]
    # The ranking of 0 and 1: .9 right, .8, .7 and .2 right; (1 + 2/4) / 2.
    assert games["gap"] == pytest.approx(0.75)
    assert food["map"] is None
    assert values["calibration"]["expected_error"] > 0
    assert values["precision_recall"]["recall"] == [0.5, 1.0]

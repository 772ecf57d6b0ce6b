"""Tests of the exact metrics against their definitions and scikit-learn."""

import errno
import math
import os
import tempfile

import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from yt8m_compact.eval import EvaluationMetrics

_KEYS = [
    "gap",
    "hit_at_1",
    "perr",
    "map",
    "loss",
    "num_examples",
    "num_classes_with_positives",
]


def _data(num_videos=150, num_classes=29, num_levels=None, seed=0):
    """Makes predictions that are better than chance, labels and losses.

    Frequencies fall with the class index, down to classes of one video or
    none; every seventh class has none at all. Every fifth video has no label,
    a few have more labels than GAP looks at.
    """
    rng = np.random.default_rng(seed)
    frequencies = 0.5 * np.exp(-np.arange(num_classes) / 9)
    labels = rng.random((num_videos, num_classes)) < frequencies
    labels[3::40, :40] |= rng.random(labels[3::40, :40].shape) < 0.9
    labels[2::5] = False
    labels[:, 4::7] = False
    logits = rng.standard_normal((num_videos, num_classes)) + 1.5 * labels - 2
    predictions = 1 / (1 + np.exp(-logits))
    if num_levels is not None:
        predictions = np.round(predictions * num_levels) / num_levels
    losses = rng.gamma(2.0, 3.0, num_videos)
    return (
        predictions.astype(np.float32),
        labels.astype(np.float32),
        losses.astype(np.float32),
    )


def _evaluate(predictions, labels, losses=None, *, splits=(), **kwargs):
    """Evaluates in the batches that begin at the given videos."""
    edges = [0, *splits, len(predictions)]
    with EvaluationMetrics(predictions.shape[1], **kwargs) as metrics:
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            metrics.update(
                predictions[start:stop],
                labels[start:stop],
                None if losses is None else losses[start:stop],
            )
        return metrics.result()


def _threshold_sum(entries, num_positives):
    """Sums precision x recall step over the thresholds of (score, label)."""
    total, last_recall = 0.0, 0.0
    for threshold in sorted({score for score, _ in entries}, reverse=True):
        reached = [label for score, label in entries if score >= threshold]
        recall = sum(reached) / num_positives
        total += sum(reached) / len(reached) * (recall - last_recall)
        last_recall = recall
    return total


def _by_definition(predictions, labels, losses, top_k):
    """Computes every metric by loops, straight from its definition."""
    num_videos, num_classes = predictions.shape
    predictions = predictions.astype(np.float64).tolist()
    labels = labels.astype(int).tolist()
    pool, num_hits, precisions = [], 0, []
    for scores, row in zip(predictions, labels, strict=True):
        ranked = sorted(range(num_classes), key=lambda c: (-scores[c], c))
        pool += [(scores[c], row[c]) for c in ranked[:top_k]]
        num_hits += row[ranked[0]]
        num_labels = sum(row)
        found = sum(row[c] for c in ranked[:num_labels])
        precisions.append(found / num_labels if num_labels else 0.0)
    average_precisions = []
    for c in range(num_classes):
        entries = [(predictions[v][c], labels[v][c]) for v in range(num_videos)]
        num_positives = sum(label for _, label in entries)
        if num_positives:
            average_precisions.append(_threshold_sum(entries, num_positives))
    return {
        "gap": _threshold_sum(pool, sum(map(sum, labels))),
        "hit_at_1": num_hits / num_videos,
        "perr": sum(precisions) / num_videos,
        "map": sum(average_precisions) / len(average_precisions),
        "loss": sum(losses.tolist()) / num_videos,
        "num_examples": num_videos,
        "num_classes_with_positives": len(average_precisions),
    }


def _by_sklearn(predictions, labels, top_k):
    """Computes the metrics by scikit-learn, after a stable sort."""
    labels = labels.astype(int)
    order = np.argsort(-predictions.astype(np.float64), axis=1, kind="stable")
    ranks = np.argsort(order, axis=1)
    pooled = ranks < top_k
    # scikit-learn takes the positives in the pool for all there are.
    share = labels[pooled].sum() / labels.sum()
    num_labels = labels.sum(axis=1, keepdims=True)
    present = labels.any(axis=0)

    def precision(selected):
        return sklearn.metrics.precision_score(
            labels, selected, average="samples", zero_division=0
        )

    return {
        "gap": share
        * sklearn.metrics.average_precision_score(
            labels[pooled], predictions[pooled]
        ),
        "hit_at_1": precision(ranks < 1),
        "perr": precision(ranks < num_labels),
        "map": sklearn.metrics.average_precision_score(
            labels[:, present], predictions[:, present], average="macro"
        ),
    }


def test_hand_computed():
    # Three videos, four classes, k = 2; labels are marked *.
    #
    #   class      0     1     2     3     first 2   labels
    #   video 0   .9*   .8    .1    .3*    0* 1      2
    #   video 1   .2    .5    .5*   .5     1  2*     1  (1 before 2: tie)
    #   video 2   .8    .4    .3    .1     0  1      0
    #
    # Pool: .9*, .8, .8, .5, .5*, .4; 3 labels in all, one outside the pool.
    # GAP = 1/3 * 1/1 + 1/3 * 2/5, as both .5 are one threshold.
    # Hit@1: video 0 alone, 1/3.
    # PERR: video 0 has 0* among {0*, 1}: 1/2; video 1 has none in {1}.
    # MAP: class 0: 1 (.9* is first of .9 .8 .2); class 1 has no label;
    #   class 2: 1 (.5* of .5 .3 .1); class 3: .3* is second of .5 .3 .1: 1/2.
    predictions = np.array(
        [[0.9, 0.8, 0.1, 0.3], [0.2, 0.5, 0.5, 0.5], [0.8, 0.4, 0.3, 0.1]],
        np.float32,
    )
    labels = np.array([[1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
    result = _evaluate(predictions, labels, [0.5, 2.0, 4.5], top_k=2)
    assert list(result) == _KEYS
    assert result == pytest.approx(
        {
            "gap": 1 / 3 + 2 / 15,
            "hit_at_1": 1 / 3,
            "perr": 1 / 6,
            "map": (1 + 1 + 1 / 2) / 3,
            "loss": 7 / 3,
            "num_examples": 3,
            "num_classes_with_positives": 3,
        },
        abs=1e-15,
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_levels", [None, 100, 10, 2])
@pytest.mark.parametrize("top_k", [1, 5, 20, 29])
def test_equals_the_definitions(top_k, num_levels, seed):
    data = _data(60, num_levels=num_levels, seed=seed)
    actual = _evaluate(*data, top_k=top_k, splits=[13, 40])
    expected = _by_definition(*data, top_k)
    assert actual == pytest.approx(expected, abs=1e-9, rel=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_levels", [None, 1000, 20, 3])
@pytest.mark.parametrize("top_k", [1, 5, 20])
def test_equals_sklearn(top_k, num_levels, seed):
    predictions, labels, _ = _data(1000, 101, num_levels, seed)
    actual = _evaluate(predictions, labels, top_k=top_k, splits=[400, 500])
    expected = _by_sklearn(predictions, labels, top_k)
    assert {key: actual[key] for key in expected} == pytest.approx(
        expected, abs=1e-9, rel=0
    )


def test_the_data_of_these_tests_has_every_case():
    predictions, labels, _ = _data(1000, 101, 20)
    num_labels = labels.sum(axis=1)
    assert (num_labels == 0).any() and (num_labels > 20).any()
    assert (labels.sum(axis=0) == 0).any() and (labels.sum(axis=0) == 1).any()
    result = _evaluate(predictions, labels)
    for key in ("gap", "hit_at_1", "perr", "map"):
        assert 0.1 < result[key] < 0.9


@pytest.mark.parametrize("num_levels", [None, 10])
@pytest.mark.parametrize("memory_limit_bytes", [0, 1 << 30])
def test_any_batches_give_the_same_bits(num_levels, memory_limit_bytes):
    data = _data(num_levels=num_levels)
    whole = _evaluate(*data)
    rng = np.random.default_rng(1)
    for splits in (
        range(1, 150),
        range(7, 150, 7),
        range(64, 150, 64),
        [149],
        [0, 0, 75, 75, 150],  # empty batches too
        np.sort(rng.integers(0, 151, 20)),
    ):
        assert whole == _evaluate(
            *data, splits=splits, memory_limit_bytes=memory_limit_bytes
        )


@pytest.mark.parametrize("num_levels", [None, 10])
def test_any_order_of_videos_gives_the_same_bits(num_levels):
    data = _data(num_levels=num_levels)
    expected = _evaluate(*data, splits=[50])
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(150)
        shuffled = [values[order] for values in data]
        assert expected == _evaluate(*shuffled, splits=[31, 90])


@pytest.mark.parametrize("num_levels", [None, 10])
@pytest.mark.parametrize("memory_limit_bytes", [0, 10_000, 40_000])
def test_spilling_gives_the_same_bits(tmp_path, memory_limit_bytes, num_levels):
    data = _data(1000, num_levels=num_levels)
    expected = _evaluate(*data, splits=range(40, 1000, 40))
    with EvaluationMetrics(
        29, memory_limit_bytes=memory_limit_bytes, spill_dir=tmp_path
    ) as metrics:
        for start in range(0, 1000, 40):
            metrics.update(*(values[start : start + 40] for values in data))
        assert metrics.spilled_bytes > 0
        assert metrics.result() == expected
        assert os.listdir(tmp_path) == []
    assert os.listdir(tmp_path) == []


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_are_finite():
    predictions = np.full([2, 3], np.finfo(np.float32).max)
    predictions[:, 1] = 0
    predictions[1] *= -1
    labels = np.array([[1, 0, 0], [0, 1, 0]])
    with EvaluationMetrics(3) as metrics:
        metrics.update(predictions, labels)
        assert metrics.result()["hit_at_1"] == 1.0


def test_no_file_is_left_after_an_exception(tmp_path):
    predictions, labels, _ = _data()
    with pytest.raises(ValueError, match="expected finite predictions"):
        with EvaluationMetrics(
            29, memory_limit_bytes=0, spill_dir=tmp_path
        ) as metrics:
            metrics.update(predictions, labels)
            assert metrics.spilled_bytes > 0
            metrics.update(predictions * np.nan, labels)
    assert os.listdir(tmp_path) == []
    assert metrics.spilled_bytes == 0


def test_full_disk(monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(
        tempfile,
        "TemporaryFile",
        lambda buffering, **_: open("/dev/full", "r+b", buffering=buffering),
    )
    metrics = EvaluationMetrics(29, memory_limit_bytes=0)
    message = "No space left .* cannot write the scores of 64 videos x 29 cl"
    with pytest.raises(OSError, match=message) as caught:
        metrics.update(*_data())
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="open: .*their temporary file failed"):
        metrics.update(*_data())


def test_class_average_precisions():
    predictions, labels, _ = _data(num_levels=10)
    with EvaluationMetrics(29) as metrics:
        metrics.update(predictions, labels)
        actual = metrics.class_average_precisions()
        result = metrics.result()
    present = labels.any(axis=0)
    np.testing.assert_array_equal(np.isnan(actual), ~present)
    np.testing.assert_allclose(
        actual[present],
        sklearn.metrics.average_precision_score(
            labels[:, present], predictions[:, present], average=None
        ),
        atol=1e-12,
    )
    assert result["map"] == pytest.approx(np.nanmean(actual), abs=1e-15)
    assert result["num_classes_with_positives"] == present.sum()


def test_perfect_and_worst_predictions():
    _, labels, _ = _data()
    jitter = np.linspace(0.0, 0.1, labels.size).reshape(labels.shape)
    with_labels = labels.any(axis=1).mean()
    best = _evaluate(labels + jitter, labels, top_k=29)
    assert best["gap"] == best["map"] == 1.0
    assert best["hit_at_1"] == best["perr"] == pytest.approx(with_labels)
    worst = _evaluate(-labels + jitter, labels, top_k=3)
    assert worst["gap"] == worst["hit_at_1"] == 0.0


def test_labels_outside_the_first_k_count():
    # Both labels are ranked first and second; with k = 1 one of them is never
    # found: GAP = 1/2 * 1.
    predictions = np.array([[0.9, 0.8, 0.1]])
    labels = np.array([[1, 1, 0]])
    assert _evaluate(predictions, labels, top_k=1)["gap"] == 0.5
    assert _evaluate(predictions, labels, top_k=2)["gap"] == 1.0


def test_result_does_not_end_the_collection():
    data = _data()
    with EvaluationMetrics(29) as metrics:
        for start in (0, 70):
            stop = 70 if start == 0 else 150
            metrics.update(*(values[start:stop] for values in data))
            expected = _evaluate(*(values[:stop] for values in data))
            assert metrics.result() == metrics.result() == expected


def test_the_callers_arrays_are_copied():
    data = _data()
    expected = _evaluate(*data)
    with EvaluationMetrics(29) as metrics:
        buffers = [np.empty_like(values[:50]) for values in data]
        for start in range(0, 150, 50):
            for buffer, values in zip(buffers, data, strict=True):
                buffer[:] = values[start : start + 50]
            metrics.update(*buffers)
        for buffer in buffers:
            buffer[:] = 0
        assert metrics.result() == expected


def test_tensors_and_other_types():
    data = _data()
    predictions, labels, losses = data
    expected = _evaluate(*data)
    assert expected == _evaluate(*map(tf.constant, data))
    for dtype in (bool, np.int32, np.float64):
        assert expected == _evaluate(predictions, labels.astype(dtype), losses)
    assert expected == _evaluate(predictions.astype(np.float64), labels, losses)
    for dtype in (tf.float16, tf.bfloat16):
        rounded = tf.cast(predictions, dtype)
        assert _evaluate(rounded, labels) == _evaluate(
            tf.cast(rounded, tf.float32).numpy(), labels
        )


def test_results_are_plain_numbers():
    result = _evaluate(*_data())
    assert {key: type(value) for key, value in result.items()} == {
        key: int if key.startswith("num_") else float for key in _KEYS
    }
    predictions, labels, _ = _data()
    assert _evaluate(predictions, labels)["loss"] is None


def test_float64_predictions_are_not_rounded():
    # The two differ by less than float32 tells apart.
    predictions = np.array([[0.5 + 1e-12], [0.5]])
    labels = np.array([[0], [1]])
    assert _evaluate(predictions, labels)["gap"] == 0.5
    labels = np.array([[1], [0]])
    assert _evaluate(predictions, labels)["gap"] == 1.0


def test_loss_is_summed_without_rounding():
    losses = np.array([1e16, 1.0, -1e16, 1.0])
    predictions, labels, _ = _data(4)
    labels[0, 0] = 1
    assert math.fsum(losses) == 2.0 != sum(losses)
    for splits in ([], [1], [2, 3]):
        assert (
            _evaluate(predictions, labels, losses, splits=splits)["loss"] == 0.5
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_predictions_that_are_not_finite(value):
    predictions, labels, _ = _data(5)
    with EvaluationMetrics(29) as metrics:
        metrics.update(predictions, labels)
        before = metrics.result()
        predictions[3, 17] = predictions[4, 2] = value
        message = (
            rf"Received: predictions\[3, 17\]={value}, the first of 2 .*"
            "from video 5 on$"
        )
        with pytest.raises(ValueError, match=message):
            metrics.update(predictions, labels)
        assert metrics.result() == before


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, np.nan])
def test_labels_that_are_neither_0_nor_1(value):
    predictions, labels, _ = _data(5)
    labels[1, 6] = value
    message = rf"0 or 1\. Received: labels\[1, 6\]={value}, the first of 1 "
    with pytest.raises(ValueError, match=message):
        _evaluate(predictions, labels)


@pytest.mark.parametrize("shape", [(29,), (5, 28), (5, 29, 1)])
def test_wrong_shape_of_predictions(shape):
    message = r"expected predictions of shape \[batch, num_classes=29\]\. Rec"
    with EvaluationMetrics(29) as metrics:
        with pytest.raises(ValueError, match=message):
            metrics.update(np.zeros(shape), np.zeros((5, 29)))


@pytest.mark.parametrize("shape", [(5,), (4, 29), (5, 30)])
def test_wrong_shape_of_labels(shape):
    message = r"of the predictions, \(5, 29\)\. Received: labels.shape="
    with EvaluationMetrics(29) as metrics:
        with pytest.raises(ValueError, match=message):
            metrics.update(np.zeros((5, 29)), np.zeros(shape))


def test_wrong_types_of_predictions():
    predictions, labels, _ = _data(5)
    with EvaluationMetrics(29) as metrics:
        message = "floating-point .* Received: predictions.dtype=int64$"
        with pytest.raises(ValueError, match=message):
            metrics.update(labels.astype(np.int64), labels)
        metrics.update(predictions, labels)
        with pytest.raises(ValueError, match="type float32, .*dtype=float64$"):
            metrics.update(predictions.astype(np.float64), labels)
        assert metrics.num_examples == 5


def test_wrong_losses():
    predictions, labels, losses = _data(5)
    with EvaluationMetrics(29) as metrics:
        message = r"of shape \(5,\)\. Received: loss.shape=\(\)$"
        with pytest.raises(ValueError, match=message):
            metrics.update(predictions, labels, 0.5)
        with pytest.raises(ValueError, match=r"loss.shape=\(4,\)$"):
            metrics.update(predictions, labels, losses[:4])
        losses[2] = np.nan
        message = r"finite loss .* Received: loss\[2\]=nan, in the batch from "
        with pytest.raises(ValueError, match=message):
            metrics.update(predictions, labels, losses)


@pytest.mark.parametrize("first", [True, False])
def test_loss_in_some_batches_only(first):
    predictions, labels, losses = _data(5)
    given = [losses, None] if first else [None, losses]
    with EvaluationMetrics(29) as metrics:
        metrics.update(predictions, labels, given[0])
        message = (
            "loss=None, after batches with$"
            if first
            else "loss=given, after batches without$"
        )
        with pytest.raises(ValueError, match=message):
            metrics.update(predictions, labels, given[1])


def test_no_video():
    message = "at least one video .* Received: num_examples=0$"
    with EvaluationMetrics(29) as metrics:
        with pytest.raises(ValueError, match=message):
            metrics.result()
        metrics.update(np.zeros((0, 29)), np.zeros((0, 29)), np.zeros(0))
        with pytest.raises(ValueError, match=message):
            metrics.result()


def test_no_label():
    predictions, labels, _ = _data(5)
    message = "at least one label .* Received: 0 labels in num_examples=5$"
    with pytest.raises(ValueError, match=message):
        _evaluate(predictions, 0 * labels)


def test_closed():
    metrics = EvaluationMetrics(29)
    metrics.update(*_data())
    metrics.close()
    metrics.close()
    for use in (lambda: metrics.update(*_data()), metrics.result):
        with pytest.raises(ValueError, match="are open: .* closed=True$"):
            use()


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="positive top_k. Received: top_k=0$"):
        EvaluationMetrics(29, top_k=0)
    with pytest.raises(ValueError, match="Received: num_classes=0$"):
        EvaluationMetrics(0)
    with pytest.raises(ValueError, match="Received: memory_limit_bytes=-1$"):
        EvaluationMetrics(29, memory_limit_bytes=-1)
    with pytest.raises(ValueError, match="Received: spill_dir='.*none'$"):
        EvaluationMetrics(29, spill_dir=tmp_path / "none")

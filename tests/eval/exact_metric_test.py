"""Tests of the metrics of Keras against the metrics of evaluation."""

import ast
import doctest
import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import evaluation
from yt8m_compact import models
from yt8m_compact import ops

_CLASSES = 7
_VIDEOS = 60

_METRICS = {
    "gap": lambda **kwargs: evaluation.GlobalAveragePrecision(
        top_k=3, num_videos=_VIDEOS, **kwargs
    ),
    "hit_at_1": evaluation.HitAtOne,
    "perr": lambda **kwargs: evaluation.EqualRecallPrecision(
        max_labels=4, **kwargs
    ),
    "map": lambda **kwargs: evaluation.MeanAveragePrecision(
        num_classes=_CLASSES, num_videos=_VIDEOS, **kwargs
    ),
}


def _data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, up to 4 of a video and of some none, and scores with ties."""
    rng = np.random.default_rng(seed)
    labels = np.zeros([_VIDEOS, _CLASSES], np.float32)
    for video in range(0, _VIDEOS, 1):
        number = video % 5
        labels[video, rng.permutation(_CLASSES - 1)[:number]] = 1
    scores = rng.random(labels.shape) / 2 + labels * rng.random(labels.shape)
    return labels, np.round(scores / 1.5, 2).astype(np.float32)


def _expected(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    with evaluation.EvaluationMetrics(_CLASSES, top_k=3) as metrics:
        metrics.update(scores, labels)
        return metrics.result()


@pytest.mark.parametrize("name", _METRICS)
def test_is_that_of_evaluation_whatever_the_batches(name):
    labels, scores = _data()
    metric = _METRICS[name]()
    assert float(metric.result()) == 0
    for start, stop in ((0, 1), (1, 38), (38, _VIDEOS)):
        metric.update_state(labels[start:stop], scores[start:stop])
    assert float(metric.result()) == _expected(labels, scores)[name]
    metric.reset_state()
    metric.update_state(labels[:20], scores[:20])
    expected = _expected(labels[:20], scores[:20])
    assert float(metric.result()) == expected[name]


@pytest.mark.parametrize("name", _METRICS)
def test_merged_state_is_that_of_all_videos(name):
    labels, scores = _data()
    own, *others = (_METRICS[name]() for _ in range(3))
    parts = (slice(0, 13), slice(13, 14), slice(14, 50))
    for metric, part in zip((own, *others), parts, strict=True):
        metric.update_state(labels[part], scores[part])
    own.merge_state(others)
    expected = _expected(labels[:50], scores[:50])
    assert float(own.result()) == expected[name]
    # It goes on, and what was merged stays as it was.
    own.update_state(labels[50:], scores[50:])
    assert float(own.result()) == _expected(labels, scores)[name]
    expected = _expected(labels[14:50], scores[14:50])
    assert float(others[1].result()) == expected[name]


@pytest.mark.parametrize("name", _METRICS)
def test_config(name):
    metric = _METRICS[name](name="mine")
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()
    assert copy.name == "mine"


@pytest.mark.parametrize("name", _METRICS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.ones([2, 7]), np.ones([2, 7], int), "expected floating-point y_pr"),
        (np.ones([2, 6]), np.ones([2, 7]), r"y_true.shape=\(2, 6\), y_pred"),
        (np.ones([7]), np.ones([7]), r"of shape \[batch, num_classes\]"),
    ],
)
def test_what_does_not_fit_is_refused(name, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        _METRICS[name]().update_state(y_true, y_pred)


@pytest.mark.parametrize("name", _METRICS)
def test_what_makes_no_sense_is_refused_by_the_result(name):
    labels, scores = _data()
    metric = _METRICS[name]()
    metric.update_state(labels, np.where(scores == scores.max(), np.nan, 1.0))
    with pytest.raises(ValueError, match=r"expected finite predictions.*in "):
        metric.result()
    metric.reset_state()
    metric.update_state(labels * 2, scores)
    number = np.count_nonzero(labels)
    with pytest.raises(ValueError, match=rf"0 or 1.*: {number} others in"):
        metric.result()
    with pytest.raises(ValueError, match="expected no sample_weight of"):
        metric.update_state(labels, scores, sample_weight=np.ones(len(labels)))


def test_only_what_is_alike_is_merged():
    gap = _METRICS["gap"]()
    message = r"expected metrics like GlobalAveragePrecision\({'top_k': 3}\)"
    with pytest.raises(ValueError, match=message):
        gap.merge_state([evaluation.GlobalAveragePrecision(top_k=4)])
    with pytest.raises(ValueError, match=r"merge. Received: HitAtOne\({}\)"):
        gap.merge_state([evaluation.HitAtOne()])


def test_too_many_videos_are_refused():
    labels, scores = _data()
    for name in ("gap", "map"):
        metric = _METRICS[name]()
        metric.update_state(labels, scores)
        metric.update_state(labels[:2], scores[:2])
        message = f"expected at most num_videos=60 of {name} .* Received: 62"
        with pytest.raises(ValueError, match=message):
            metric.result()
        metric.reset_state()
        metric.update_state(labels, scores)
        with pytest.raises(ValueError, match="Received: 120"):
            metric.merge_state([metric])
    metric = evaluation.EqualRecallPrecision(max_labels=3)
    metric.update_state(labels, scores)
    # Of 12 videos of each number of labels, 0 to 4.
    with pytest.raises(ValueError, match="max_labels=3 .*: 12 videos of more"):
        metric.result()


def test_videos_without_any_label_are_refused():
    for name in ("gap", "map"):
        metric = _METRICS[name]()
        metric.update_state(np.zeros([2, 7]), np.ones([2, 7]))
        with pytest.raises(ValueError, match=f"at least one label: {name} is"):
            metric.result()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: evaluation.GlobalAveragePrecision(0), "top_k=0"),
        (lambda: evaluation.GlobalAveragePrecision(1, 0), "num_videos=0"),
        (lambda: evaluation.EqualRecallPrecision(0), "max_labels=0"),
        (lambda: evaluation.MeanAveragePrecision(0, 1), "num_classes=0"),
    ],
)
def test_settings_out_of_range(make, message):
    with pytest.raises(ValueError, match=f"at least 1. Received: {message}"):
        make()


def test_other_classes_than_map_was_made_for():
    metric = _METRICS["map"]()
    with pytest.raises(ValueError, match="expected y_pred of 7 classes"):
        metric.update_state(np.ones([2, 6]), np.ones([2, 6]))


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
def test_compiled_with_a_model(jit_compile):
    labels, scores = _data()
    model = keras.Sequential([keras.layers.Activation("linear")])
    model.compile(
        loss=models.LabelLoss(ops.cross_entropy_loss),
        metrics=[make() for make in _METRICS.values()],
        jit_compile=jit_compile,
    )
    # The last of the batches is smaller.
    found = model.evaluate(
        scores, labels, batch_size=16, verbose=0, return_dict=True
    )
    expected = _expected(labels, scores)
    assert {name: found[name] for name in _METRICS} == {
        name: pytest.approx(expected[name], abs=1e-12) for name in _METRICS
    }


@pytest.mark.slow
def test_in_a_step_gap_is_that_of_the_batch():
    labels, scores = _data()
    metric = _METRICS["gap"]()

    @tf.function
    def step(y_true, y_pred):
        metric.update_state(y_true, y_pred)
        return metric.result()

    for part in (slice(0, 30), slice(30, 60)):
        found = step(labels[part], scores[part])
        expected = _expected(labels[part], scores[part])["gap"]
        assert float(found) == pytest.approx(expected, abs=1e-6)
    assert float(metric.result()) == _expected(labels, scores)["gap"]


_REPLICAS = """
import numpy as np, tensorflow as tf, keras
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], 2 * [tf.config.LogicalDeviceConfiguration()])
from yt8m_compact import evaluation as e, models, ops
data = np.load("data.npz")
labels, scores = data["labels"], data["scores"]
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.layers.Activation("linear")])
    made = [e.GlobalAveragePrecision(3, 80), e.HitAtOne(),
            e.EqualRecallPrecision(4), e.MeanAveragePrecision(7, 80)]
    loss = models.LabelLoss(ops.cross_entropy_loss)
    model.compile(loss=loss, metrics=made, jit_compile=False)
found = model.evaluate(
    scores, labels, batch_size=16, verbose=0, return_dict=True)
print({name: found[name] for name in ("gap", "hit_at_1", "perr", "map")})
outside = e.HitAtOne()
outside.merge_state([made[1]])
assert float(outside.result()) == found["hit_at_1"]
try:
    made[1].merge_state([outside])
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_of_two_replicas(tmp_path):
    labels, scores = _data()
    np.savez(tmp_path / "data.npz", labels=labels, scores=scores)
    done = tiny_runs.execute("-c", _REPLICAS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found, error = done.stdout.splitlines()
    expected = _expected(labels, scores)
    for name, value in ast.literal_eval(found).items():
        assert value == pytest.approx(expected[name], abs=1e-12), name
    assert error.startswith("expected a metric that was made outside of a str")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("global_average_precision", marks=pytest.mark.slow),
        "hit_at_one",
        "equal_recall_precision",
        "mean_average_precision",
    ],
)
def test_examples(name):
    module = importlib.import_module(f"yt8m_compact.eval.{name}")
    found = doctest.testmod(module)
    assert found.attempted > 4
    assert found.failed == 0

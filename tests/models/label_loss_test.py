"""Tests of the loss of labels that may have a weight each."""

import keras
import numpy as np
import pytest

import numpy_models
from yt8m_compact import models
from yt8m_compact import ops

LABELS = np.array([[1, 0, 1], [0, 1, 0]], "float32")
PREDICTIONS = np.array([[0.5, 0.2, 0.8], [0.1, 0.6, 0.3]], "float32")
# - y log p - (1 - y) log(1 - p), by hand.
LOSSES = -np.log([[0.5, 0.8, 0.8], [0.9, 0.6, 0.7]])


def compute(weights=None) -> float:
    loss = models.LabelLoss(ops.LOSSES["CrossEntropyLoss"])
    weights = None if weights is None else np.array(weights, "float32")
    return float(loss(LABELS, PREDICTIONS, weights))


def test_without_weights():
    assert compute() == pytest.approx(LOSSES.sum(axis=1).mean(), rel=1e-3)


def test_a_weight_for_each_example():
    expected = (2 * LOSSES[0].sum() + 0.5 * LOSSES[1].sum()) / 2
    assert compute([2, 0.5]) == pytest.approx(expected, rel=1e-3)


def test_a_weight_for_each_label():
    weights = np.array([[1, 0, 1], [0, 0, 1]])
    expected = (weights * LOSSES).sum(axis=1).mean()
    assert compute(weights) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("size", [2, 3])
def test_a_batch_of_as_many_examples_as_labels(size):
    # Weights of labels are told from those of examples by their rank alone.
    loss = models.LabelLoss(ops.LOSSES["CrossEntropyLoss"])
    labels, predictions = (
        np.eye(size, dtype="float32"),
        np.full([size] * 2, 0.5),
    )
    first = np.zeros([size, size], "float32")
    first[0] = 1
    np.testing.assert_allclose(
        loss(labels, predictions.astype("float32"), first),
        size * np.log(2) / size,
        rtol=1e-3,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [models.LogisticConfig(), models.MixNextVladConfig(
        nextvlad_cluster_size=4, nextvlad_hidden_size=4, groups=3, mix_number=2,
        drop_rate=0.0)]
)  # fmt: skip
def test_labels_of_no_weight_change_nothing_in_fit(config):
    labels = np.random.default_rng(0).integers(0, 2, (4, 7)).astype("float32")
    rated = np.zeros([4, 7], "float32")
    rated[:, 2:4] = 1
    batch = numpy_models.make_features(4)
    if config.frame_features:
        batch = numpy_models.make_frames()

    model = numpy_models.build(config)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=models.LabelLoss(ops.LOSSES["CrossEntropyLoss"]),
        jit_compile=False,
    )
    start = [w.numpy() for w in model.weights]

    def step(labels, weights):
        model.set_weights(start)
        model.reset_metrics()
        loss = model.train_on_batch(batch, labels, sample_weight=weights)
        return float(loss), [w.numpy() for w in model.trainable_weights]

    loss, weights = step(labels, rated)
    other_loss, other = step(np.where(rated > 0, labels, 1 - labels), rated)
    assert loss == other_loss
    for one, another in zip(weights, other, strict=True):
        np.testing.assert_array_equal(one, another)
    assert loss != step(np.where(rated > 0, 1 - labels, labels), rated)[0]
    assert loss != step(labels, None)[0]

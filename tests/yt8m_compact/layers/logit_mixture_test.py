"""Tests of the mixture of classifiers that learn from each other."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from yt8m_compact import layers


def make_inputs():
    rng = np.random.default_rng(0)
    gates, one, other = (
        rng.normal(0, 2, shape).astype("float32")
        for shape in [(3, 2), (3, 5), (3, 5)]
    )
    shares = scipy.special.softmax(gates, axis=1)
    mixed = shares[:, [0]] * one + shares[:, [1]] * other
    return [gates, one, other], mixed


def test_predictions():
    inputs, mixed = make_inputs()
    layer = layers.LogitMixture(2.0, 1.0)
    for training in [False, True]:
        np.testing.assert_allclose(
            layer(inputs, training=training),
            scipy.special.expit(mixed),
            rtol=1e-5,
        )
    np.testing.assert_allclose(
        layer.branch_predictions,
        scipy.special.expit(np.stack(inputs[1:], axis=1)),
        rtol=1e-5,
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_is_added_in_training_only(temperature):
    inputs, mixed = make_inputs()
    layer = layers.LogitMixture(temperature, 0.5)
    layer(inputs, training=False)
    assert layer.losses == []
    layer(inputs, training=True)
    q, *parts = (
        scipy.special.softmax(logits / temperature, axis=1)
        for logits in [mixed, *inputs[1:]]
    )
    # scipy.stats.entropy of two distributions is KL(q | q_n).
    divergences = [scipy.stats.entropy(q, part, axis=1) for part in parts]
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.5 * np.mean(sum(divergences)), rtol=1e-5)


def test_config_round_trip():
    layer = layers.LogitMixture(2.5, 0.5, name="mixture")
    again = layers.LogitMixture.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.temperature, again.penalty) == (2.5, 0.5)


@pytest.mark.parametrize(("temperature", "penalty"), [(0.0, 1.0), (1.0, -1.0)])
def test_wrong_values_are_refused(temperature, penalty):
    with pytest.raises(
        ValueError,
        match="expected a temperature above 0 and a penalty of at least 0. "
        f"Received: temperature={temperature}, penalty={penalty}",
    ):
        layers.LogitMixture(temperature, penalty)

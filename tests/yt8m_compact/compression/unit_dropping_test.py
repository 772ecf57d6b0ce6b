"""Tests of dropping hidden units."""

import dataclasses
import re

import numpy as np
import pytest

import tiny_runs
from yt8m_compact import models
from yt8m_compact.compression import unit_dropping

# Of the gates of 6 units in each of two layers: mu and sigma^2. Needed are
# those of mu^2 > sigma^2: 4 and 2.
MEANS = [[0.9, -1.2, 0.1, 2.0, 0.5, 0.3], [0.2, 1.5, -0.6, 0.1, 0.3, -0.4]]
VARIANCES = [[0.1, 0.2, 0.5, 0.3, 0.1, 0.2], [0.3, 0.3, 0.1, 0.4, 0.2, 0.2]]


def gated(num_layers: int = 1):
    """A configuration with gates, and its model of random weights."""
    config = tiny_runs.video_config(
        "none", models.MlpConfig(mlp_hidden_size=6, mlp_layers=num_layers)
    )
    config = unit_dropping.with_gates(config, 0.1)
    model = config.build_model()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 2, weight.shape))
        if "kernel" in weight.path:
            weight.assign(rng.normal(size=weight.shape))
    for index in range(num_layers):
        gates = model.get_layer(f"hidden_{index}_gates")
        logs = np.log(VARIANCES[index])
        gates.set_weights([np.array(MEANS[index]) / 10, logs / 10])
    return config, model


def predict(model) -> np.ndarray:
    rng = np.random.default_rng(1)
    return model({"features": rng.normal(size=[50, 9])}).numpy()


@pytest.mark.parametrize(
    ("num_layers", "needed"), [(1, (4,)), (2, (4, 2))], ids=str
)
def test_the_smaller_model_gives_the_outputs_of_the_gates(num_layers, needed):
    config, model = gated(num_layers)
    before = predict(model)
    dropped = unit_dropping.drop_units(config, model)
    assert dropped.needed == needed
    expected = dataclasses.replace(
        config.model, mlp_hidden_size=4, unit_penalty=0.0
    )
    assert dropped.config == dataclasses.replace(config, model=expected)
    # 9 features, 5 classes, 4 vectors of batch norm.
    count = 9 * 4 + 16 + 4 * 5 + 5 + (num_layers - 1) * (4 * 4 + 16)
    assert dropped.model.count_params() == count
    assert before.std(0).min() > 0.01
    np.testing.assert_allclose(
        predict(dropped.model), before, rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(predict(model), before)


def test_weights_of_what_is_left():
    config, model = gated(2)
    small = unit_dropping.drop_units(config, model).model
    # Of the second layer two are needed; of the others the best by
    # mu^2 / sigma^2: .13, .025, .45, .8.
    first, second = [0, 1, 3, 4], [1, 2, 4, 5]
    gates = np.array(MEANS[1]) * [0, 1, 1, 0, 0, 0]
    kernel = model.get_layer("hidden_0").kernel.numpy()
    np.testing.assert_array_equal(
        small.get_layer("hidden_0").kernel, kernel[:, first]
    )
    for old, new in zip(
        model.get_layer("hidden_1_bn").weights,
        small.get_layer("hidden_1_bn").weights,
        strict=True,
    ):
        np.testing.assert_array_equal(new, old.numpy()[second])
    classifier = model.get_layer("classifier")
    expected = (gates[:, None] * classifier.kernel.numpy())[second]
    np.testing.assert_allclose(
        small.get_layer("classifier").kernel, expected, rtol=1e-6
    )
    np.testing.assert_array_equal(
        small.get_layer("classifier").bias, classifier.bias
    )


def test_what_is_left_is_told():
    dropped = unit_dropping.drop_units(*gated(2))
    assert dropped.to_text() == (
        "hidden units: 6, of which 4, 2 are needed; 4 are left"
    )


def test_a_layer_that_needs_none():
    config, model = gated(2)
    gates = model.get_layer("hidden_1_gates")
    gates.set_weights([np.zeros(6), np.zeros(6)])
    with pytest.raises(
        ValueError,
        match="expected gates that leave units in each hidden layer. Received: "
        "none of 6 in hidden_1, with unit_penalty=0.1; choose a smaller one",
    ):
        unit_dropping.drop_units(config, model)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            models.LogisticConfig(),
            "expected an MlpModel, to drop hidden units of it. Received: "
            "model=LogisticModel, whose units have no gates; leave unit_pen",
        ),
        (
            models.MlpConfig(hidden_projection="circulant"),
            "expected hidden_projection=dense, a matrix that a row and a column"
            " can be taken out of, to drop hidden units. Received: "
            "hidden_projection=circulant; start from a run of dense matrices",
        ),
        (
            models.MlpConfig(classifier_projection="dense@int4"),
            "Received: classifier_projection=dense@int4; start from",
        ),
    ],
)
def test_models_whose_units_stay(model, message):
    config = tiny_runs.video_config("none", model)
    with pytest.raises(ValueError, match=re.escape(message)):
        unit_dropping.with_gates(config, 0.1)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan"), float("inf")])
def test_penalties_that_are_wrong(penalty):
    config = tiny_runs.video_config("none", models.MlpConfig())
    with pytest.raises(
        ValueError,
        match=f"expected unit_penalty to be above 0. Received: unit_penalty="
        f"{penalty}",
    ):
        unit_dropping.with_gates(config, penalty)


def test_which_models_have_gates():
    assert unit_dropping.has_gates(models.MlpConfig(unit_penalty=0.1))
    assert not unit_dropping.has_gates(models.MlpConfig())
    assert not unit_dropping.has_gates(models.LogisticConfig())

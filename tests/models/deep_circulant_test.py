"""Tests of the deep diagonal-circulant network."""

import keras
import numpy as np
import pytest

import numpy_models
from yt8m_compact import models


def make_config(**kwargs):
    return models.DeepCirculantConfig(**{"l2_normalize": False, **kwargs})


@pytest.mark.parametrize(
    ("num_layers", "activation_every", "slope", "kind", "classifier"),
    [
        (1, 1, 0.5, "diagonal_circulant", "diagonal_circulant"),
        (4, 1, 0.25, "diagonal_circulant", "dense"),
        (5, 2, 0.5, "dense", "circulant"),
        (3, 3, 0.0, "circulant", "diagonal_circulant"),
    ],
)
def test_equals_numpy(num_layers, activation_every, slope, kind, classifier):
    model = numpy_models.build(
        make_config(
            num_layers=num_layers,
            activation_every=activation_every,
            leaky_relu_slope=slope,
            hidden_projection=kind,
            classifier_projection=classifier,
        )
    )
    batch = numpy_models.make_features()
    x = batch["features"].astype(np.float64)
    for index in range(num_layers):
        layer = model.get_layer(f"hidden_{index}")
        x = x @ layer.as_dense_kernel().numpy() + layer.bias.numpy()
        if index % activation_every == activation_every - 1:
            x = np.where(x > 0, x, slope * x)
    layer = model.get_layer("classifier")
    logits = x @ layer.as_dense_kernel().numpy() + layer.bias.numpy()
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(model(batch), expected, atol=1e-5)


def test_classifier_is_one_block_or_several():
    # 7 classes of 9 features are narrow; of 3 features they are wide.
    for values, shape in [
        ({}, (1, 1, 7)),
        ({"classifier_projection": "diagonal_circulant"}, (1, 3, 3)),
    ]:
        model = make_config(**values).build(feature_sizes=[2, 1], num_classes=7)
        assert model.get_layer("classifier").kernel.shape == shape


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("activation_every", [1, 4])
def test_variance_is_kept_over_many_layers(slope, activation_every):
    keras.utils.set_random_seed(1)
    variances = mean_squares(
        num_layers=32, leaky_relu_slope=slope, activation_every=activation_every
    )
    # The first layer's inputs are no activations yet.
    ratio = variances[-1] / variances[0]
    # A few hundred values; errors of layers multiply.
    assert 0.3 < ratio < 3


@pytest.mark.slow
def test_paper_keeps_the_variance_for_relu_only():
    keras.utils.set_random_seed(1)
    relu, leaky = (
        mean_squares(
            num_layers=32, leaky_relu_slope=slope, initialization="paper"
        )
        for slope in (0.0, 0.5)
    )
    assert 0.3 < relu[-1] / relu[0] < 3
    # 1.25 to the power of 31 is 1010.
    assert 300 < leaky[-1] / leaky[0] < 3000


def mean_squares(**kwargs) -> list[float]:
    """Computes the mean squares of the first and the last layer's outputs."""
    config = make_config(**kwargs)
    model = config.build(feature_sizes=[700], num_classes=2)
    names = ["hidden_0", f"hidden_{config.num_layers - 1}"]
    outputs = [model.get_layer(name).output for name in names]
    x = np.random.default_rng(1).standard_normal([50, 700])
    results = keras.Model(model.inputs, outputs)({"features": x})
    return [float(np.mean(np.square(result))) for result in results]


def test_circulants_start_as_in_the_paper():
    model = make_config(initialization="paper", num_layers=1).build(
        feature_sizes=[4000], num_classes=2
    )
    layer = model.get_layer("hidden_0")
    # N(0, 2 / n); 4,000 draws are within 5 % of their standard deviation.
    np.testing.assert_allclose(
        np.std(layer.kernel), np.sqrt(2 / 4000), rtol=0.05
    )
    np.testing.assert_array_equal(np.unique(layer.diagonal), [-1, 1])
    np.testing.assert_array_equal(layer.bias, np.zeros(4000))

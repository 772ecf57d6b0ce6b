"""Tests of what a classifier is given."""

import keras
import numpy as np
import pytest

import small_models
from yt8m_compact import models

# The size of what the classifiers are given, by hand: features of 6 and 3
# values, settings of small_models, chains of 9 + 2 * 12.
SIZES = {
    "LogisticModel": None,  # looks at the features themselves
    "MoeModel": None,
    "MlpModel": 10,
    "DeepCirculantModel": 9,
    "DeepCombineChainModel": 33,
    "DbofModel": 5,
    "FrameLevelLogisticModel": 9,
    "LstmModel": 4,
    "GruModel": 5,
    "NetVladModel": 5,
    "NetFvModel": 5,
    "SoftDbofModel": 5,
    "GatedDbofModel": 5,
    "NeXtVladModel": 6,
    "MixNeXtVladModel": 12,  # of two, side by side
    "AttentionModel": None,  # classifies frames
    "TransformerModel": 6,
    "PooledEmbeddingModel": 10,  # of two features
}


def build(name: str) -> keras.Model:
    config = models.MODELS[name](**small_models.SMALL[name]).without_unused()
    return config.build(feature_sizes=(6, 3), num_classes=5)


def test_every_model_is_listed():
    assert SIZES.keys() == models.MODELS.keys()


@pytest.mark.parametrize("name", models.MODELS)
def test_size(name):
    embedding = models.find_embedding(build(name))
    if SIZES[name] is None:
        assert embedding is None
    else:
        assert embedding.shape == (None, SIZES[name])


def test_features_that_are_not_normalised_are_no_embedding():
    config = models.LogisticConfig(l2_normalize=False)
    model = config.build(feature_sizes=(6, 3), num_classes=5)
    assert models.find_embedding(model) is None


def test_the_classifier_of_it_predicts():
    model = build("MlpModel")
    inner = keras.Model(model.input, models.find_embedding(model))
    features = np.random.default_rng(0).normal(size=(4, 9)).astype("float32")
    hidden = inner({"features": features}, training=False).numpy()
    kernel, bias = model.get_layer("classifier").get_weights()
    logits = hidden @ kernel + bias
    np.testing.assert_allclose(
        model({"features": features}, training=False),
        1 / (1 + np.exp(-logits)),
        rtol=1e-5,
    )


def test_model_that_no_config_built():
    x = keras.Input((3,), name="features")
    model = keras.Model({"features": x}, keras.layers.Dense(2)(x))
    assert models.find_embedding(model) is None

"""Tests of files of packed weights."""

import os
import re

import numpy as np
import pytest
from safetensors import numpy as safetensors

from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact.run import packed_weights

FEATURES = np.random.default_rng(0).standard_normal((8, 36))


def make_model(**settings):
    config = models.get_model_config("DeepCirculantModel")(
        **{
            "num_layers": 2,
            "hidden_projection": "diagonal_circulant@int4",
            "classifier_projection": "dense@binary",
            **settings,
        }
    )
    return config.build(feature_sizes=[36], num_classes=50)


def predict(model):
    features = FEATURES.astype(np.float32)
    return model.predict({"features": features}, verbose=0)


@pytest.mark.slow
def test_round_trip(tmp_path):
    path = os.path.join(tmp_path, "weights.safetensors")
    model = make_model()
    latent = predict(model)
    size = packed_weights.write(model, path)
    assert size == os.path.getsize(path)
    np.testing.assert_array_equal(predict(model), latent)
    structure_bytes = sum(
        layer.structure.num_bytes(*layer.sizes)
        for layer in layers.projections(model)
    )
    vectors = sum(
        2 * int(np.prod(weight.shape))
        for weight in model.weights
        if weight.dtype == "float32"
    )
    # Names and shapes.
    assert 0 < size - structure_bytes - vectors < 120 * len(model.weights) + 100

    again = make_model()
    packed_weights.read(again, path)
    np.testing.assert_allclose(predict(again), latent, atol=2e-3)
    for weight, other in zip(model.weights, again.weights, strict=True):
        assert weight.path == other.path
        if weight.dtype != "float32":
            np.testing.assert_array_equal(weight, other)
    packed_weights.write(again, path)
    third = make_model()
    packed_weights.read(third, path)
    np.testing.assert_array_equal(predict(third), predict(again))


@pytest.mark.slow
def test_values_beyond_float16_stay_float32(tmp_path):
    path = os.path.join(tmp_path, "weights.safetensors")
    model = make_model()
    bias = next(w for w in model.weights if w.path.endswith("classifier/bias"))
    bias.assign(1e6 + np.arange(50))
    packed_weights.write(model, path)
    again = make_model()
    packed_weights.read(again, path)
    np.testing.assert_array_equal(predict(again), predict(model))


def test_what_is_not_finite_is_refused(tmp_path):
    path = os.path.join(tmp_path, "weights.safetensors")
    model = make_model()
    bias = next(w for w in model.weights if w.path.endswith("classifier/bias"))
    bias.assign(np.full(50, np.inf))
    message = (
        "expected finite weights to write. Received: .*bias, not finite: 5"
    )
    with pytest.raises(ValueError, match=message):
        packed_weights.write(model, path)
    assert not os.path.exists(path)


@pytest.mark.slow
def test_other_files_are_refused(tmp_path):
    path = os.path.join(tmp_path, "weights.safetensors")
    packed_weights.write(make_model(), path)
    message = "expected the weights of the model that config.json describes. Re"
    for settings in (
        {"num_layers": 1},
        {"classifier_projection": "dense@ternary"},
        {"classifier_projection": "dense"},
    ):
        with pytest.raises(ValueError, match=message):
            packed_weights.read(make_model(**settings), path)
    with open(path, "rb") as file:
        data = file.read()
    for broken in (b"", data[:5], data[: len(data) // 2], b"x" * 1000):
        with open(path, "wb") as file:
            file.write(broken)
        with pytest.raises(
            ValueError, match=f"{re.escape(path)}: expected packed weights. Rec"
        ):
            packed_weights.read(make_model(), path)
    safetensors.save_file({"a": np.ones(3)}, path)
    message = "expected yt8m_compact packed weights, version 1. Received: forma"
    with pytest.raises(ValueError, match=message):
        packed_weights.read(make_model(), path)
    os.remove(path)
    with pytest.raises(ValueError, match="expected packed weights. Received"):
        packed_weights.read(make_model(), path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden_projection": "circulant", "classifier_projection": "dense"},
        {"classifier_projection": "low_rank(rank=3)@float16"},
    ],
)
def test_bytes_are_known_before(tmp_path, settings):
    model = make_model(**settings)
    size = packed_weights.write(model, os.path.join(tmp_path, "packed"))
    weights = {w.path: (w.shape, w.dtype) for w in model.weights}
    counted = packed_weights.num_bytes_of_empty()
    counted += packed_weights.num_bytes(weights)
    # Places in the file are of fewer digits, and dtypes of fewer letters.
    assert 0 <= counted - size <= 8 + 23 * len(weights)

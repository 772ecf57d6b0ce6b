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


_METADATA = {"format": "yt8m_compact packed weights", "version": "1"}


def nan_at_2(array):
    array = array.copy()
    array.flat[2] = np.nan
    return array


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "name", "change", "received"),
    [
        ("dense@int4", "kernel_scales", nan_at_2, "not finite: 1"),
        ("dense@int4", "bias", nan_at_2, "not finite: 1"),
        (
            "dense@int4",
            "kernel_codes",
            lambda codes: codes.astype(np.float32),
            "float32, not uint8",
        ),
        (
            "dense@int4",
            "kernel_codes",
            lambda codes: codes.astype(np.int8),
            "int8, not uint8",
        ),
        (
            "dense@int4",
            "kernel_scales",
            lambda scales: scales.astype(np.int32),
            "int32, not a float",
        ),
        (
            "dense@ternary",
            "kernel_codes",
            lambda codes: np.where(np.arange(codes.size) == 3, 243, codes),
            "a byte of 243, where 242 is the largest",
        ),
        (
            "low_rank(rank=2) + dense@ternary",
            "dense_kernel_codes",
            lambda codes: np.full_like(codes, 255),
            "a byte of 255, where 242 is the largest",
        ),
        (
            "dense@bfloat16",
            "kernel_bits",
            lambda bits: np.full_like(bits, 0x7F80),
            "not finite: 1296",
        ),
        (
            "sparse(density=0.1)@int4",
            "positions_codes",
            lambda codes: np.full_like(codes, 255),
            "expected 130 sorted positions of .*",
        ),
        (
            "sparse(density=0.1)@int4",
            "positions_codes",
            np.zeros_like,
            "expected 130 sorted positions of .*",
        ),
        (
            "sparse(density=0.1)",
            "positions",
            lambda positions: positions + 1200,
            "from .* to .*, where 1295 is the largest",
        ),
        (
            "sparse(density=0.1)",
            "positions",
            lambda positions: positions - 1200,
            "from -.* to .*, where 1295 is the largest",
        ),
        # 36 values in blocks of 64.
        (
            "fastfood@int8",
            "permutation_numbers",
            lambda numbers: numbers + 1,
            "from 1 to 64, where 63 is the largest",
        ),
        (
            "fastfood",
            "permutation",
            lambda numbers: numbers - 1,
            "from -1 to 62, where 63 is the largest",
        ),
    ],
)
def test_values_that_are_never_written_are_refused(
    tmp_path, hidden, name, change, received
):
    path = os.path.join(tmp_path, "weights.safetensors")
    settings = {"num_layers": 1, "hidden_projection": hidden}
    packed_weights.write(make_model(**settings), path)
    arrays = safetensors.load_file(path)
    (found,) = [key for key in arrays if key.endswith(f"hidden_0/{name}")]
    changed = np.asarray(change(arrays[found]))
    if received.startswith("a byte"):
        changed = changed.astype(np.uint8)
    safetensors.save_file({**arrays, found: changed}, path, _METADATA)
    model = make_model(**settings)
    layers.pack(model)
    before = [weight.numpy() for weight in model.weights]
    message = (
        f"{re.escape(path)}: expected weights as they were written. Received: "
        f"in 1 of {len(arrays)} others: {found}: {received}; copy the file aga"
    )
    with pytest.raises(ValueError, match=message):
        packed_weights.read(model, path)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_step_that_is_none(tmp_path):
    path = os.path.join(tmp_path, "weights.safetensors")
    model = make_model()
    packed_weights.write(model, path)
    arrays = safetensors.load_file(path)
    for step in ("abc", "-1", ""):
        metadata = {**_METADATA, "step": step}
        safetensors.save_file(arrays, path, metadata)
        message = (
            f"{re.escape(path)}: expected a whole number of steps. Received: "
            f"step='{step}'"
        )
        with pytest.raises(ValueError, match=message):
            packed_weights.read(model, path)


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

"""Tests of weights of few bits in LiteRT files."""

import keras
import numpy as np
import pytest

import litert_files
from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import packed_constants
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export


def test_one_scale():
    codes = np.array([[1, -1], [0, 1]], np.int8)
    stored = packed_constants.lay_out(codes, np.full((2, 2), 0.5, np.float32))
    assert (stored.axis, stored.bits) == (0, 2)
    np.testing.assert_array_equal(stored.scales, [0.5])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_scale_for_each_slice(axis):
    codes = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    values = np.arange(1, codes.shape[axis] + 1, dtype=np.float32)
    shape = [1, 1, 1]
    shape[axis] = -1
    scales = np.broadcast_to(values.reshape(shape), codes.shape)
    stored = packed_constants.lay_out(codes, scales)
    assert (stored.axis, stored.bits) == (axis, 8)
    np.testing.assert_array_equal(stored.decode(), codes * scales)


def test_a_scale_for_each_run():
    codes = np.arange(48, dtype=np.int8).reshape(2, 24) % 8
    scales = np.repeat(np.arange(1, 7, dtype=np.float32), 8).reshape(2, 24)
    stored = packed_constants.lay_out(codes, scales)
    assert (stored.codes.shape, stored.axis, stored.bits) == ((6, 8), 0, 4)
    np.testing.assert_array_equal(
        stored.decode().reshape(2, 24), codes * scales
    )


def test_scales_that_change_too_often():
    codes = np.ones((2, 24), np.int8)
    scales = np.repeat(np.arange(1, 13, dtype=np.float32), 4).reshape(2, 24)
    assert packed_constants.lay_out(codes, scales) is None


def make_model(structure, norm):
    keras.utils.set_random_seed(0)
    features = keras.Input([64], name="features")
    x = layers.Projection(96, structure, use_bias=not norm)(features)
    if norm:
        batch_norm = keras.layers.BatchNormalization()
        x = batch_norm(x)
        rng = np.random.default_rng(0)
        for weight in batch_norm.weights:
            weight.assign(0.5 + rng.random(weight.shape))
    model = keras.Model({"features": features}, keras.layers.ReLU()(x))
    specs = portable_function.input_specs(model, 1, None)
    auto = projection_export.ProjectionExport.AUTO
    function = portable_function.make_portable_function(model, specs, auto)
    return model, specs, function


# Bytes of the codes of 64 x 96 weights, and of 96 scales of 12 bytes.
@pytest.mark.parametrize(
    ("structure", "norm", "num_bytes", "packed"),
    [
        ("dense@int8", True, 6144 + 1152, False),
        ("dense@int8", False, 6144 + 1152, False),
        ("dense@int4", True, 3072 + 1152, False),
        ("dense@int2", True, 3072 + 1152, False),
        ("dense@ternary", True, 1536 + 1152, False),
        ("dense@binary", True, 1536 + 1152, False),
        ("dense@int4(block_size=16)", True, 3072 + 4 * 1152, False),
        ("dense@float16", False, 12288, False),
        # 8 columns and 96, of 64 and 8 values.
        ("low_rank(rank=8)@int8", True, 512 + 768 + 12 * 104, False),
        (
            "low_rank(rank=8)@int8 + dense@binary",
            False,
            1280 + 1536 + 1152 + 12 * 104,
            False,
        ),
        ("dense@int4", True, 3072 + 1152, True),
    ],
)
def test_bits_are_kept(structure, norm, num_bytes, packed, tmp_path):
    model, specs, function = make_model(structure, norm)
    if packed:
        layers.pack(model)
        auto = projection_export.ProjectionExport.AUTO
        function = portable_function.make_portable_function(model, specs, auto)
    floats = litert_files.write(str(tmp_path / "floats.tflite"), function)
    path = str(tmp_path / "bits.tflite")
    size = litert_files.write(path, function, model)
    count = 1280 + 6144 if "+" in structure else 6144
    count = 1280 if structure == "low_rank(rank=8)@int8" else count
    # What says that they are decoded takes some bytes, for each weight.
    assert 4 * count - num_bytes - 1500 < floats - size < 4 * count - num_bytes
    inputs = portable_function.draw_inputs(specs)
    np.testing.assert_allclose(
        artefacts.LiteRtModel(path).predict_each(inputs),
        model(inputs, training=False),
        atol=2e-5,
    )


@pytest.mark.slow
def test_what_is_made_of_weights_stays(tmp_path):
    # Spectra have no codes.
    model, _, function = make_model("circulant@int8", True)
    floats = litert_files.write(str(tmp_path / "floats.tflite"), function)
    bits = litert_files.write(str(tmp_path / "bits.tflite"), function, model)
    assert floats == bits

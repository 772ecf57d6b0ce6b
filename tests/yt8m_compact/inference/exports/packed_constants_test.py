"""Tests of weights of few bits in files."""

import keras
import numpy as np
import pytest

import litert_files
from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export


def make_model(structure, norm):
    keras.utils.set_random_seed(0)
    features = keras.Input([64], name="features")
    projection = layers.Projection(96, structure, use_bias=not norm)
    x = projection(features)
    if not norm:
        projection.bias.assign(np.random.default_rng(1).random(96))
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
@pytest.mark.slow
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


# Bytes of the codes of 64 x 96 weights, 8, 4, 2, 5 (log 3) and 1 bits each,
# the first five of three levels to a byte; of a scale of 16 bits for each of 96
# columns, or for 16 values of one; and of the codes that each byte stands for.
@pytest.mark.parametrize(
    ("structure", "norm", "num_bytes"),
    [
        ("dense@int8", True, 6144 + 192),
        ("dense@int4(block_size=16)", False, 3072 + 4 * 192 + 2 * 225),
        ("dense@int2", False, 1536 + 192 + 4 * 256),
        ("dense@ternary", True, 1229 + 192 + 5 * 243),
        ("dense@binary", True, 768 + 192 + 8 * 256),
        ("dense@float16", True, 12288),
        ("dense@bfloat16", False, 12288),
        (
            "low_rank(rank=8)@binary + dense@binary",
            False,
            768 + 192 + 64 + 96 + 2 * 104 + 8 * 256,
        ),
    ],
)
def test_bits_are_kept_by_onnx_and_openvino(structure, norm, num_bytes):
    model, specs, function = make_model(structure, norm)
    floats = onnx.convert(function)
    content = onnx.store_packed(floats, onnx.find_packed(model, floats))
    inputs = portable_function.draw_inputs(specs)
    expected = model(inputs, training=False).numpy()
    # Floats as such, but for a bias, or the scale and shift of the norm.
    left = 4 * 96 * (2 if norm else 1)
    files = openvino.convert(content)
    assert left <= len(files["model.bin"]) - num_bytes < left + 300
    assert left < len(content) - num_bytes < left + 2500
    for opened in (onnx.open_content(content), openvino.open_content(content)):
        np.testing.assert_allclose(
            opened.predict_each(inputs), expected, rtol=0, atol=2e-5
        )

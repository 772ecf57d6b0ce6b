"""Tests of every model, in kinds of projections, as ONNX and OpenVINO files.

YT8M_EVERY_KIND=true takes each model in every kind.
"""

import os

import keras
import numpy as np
import pytest

import layer_conformance
import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

AUTO, DFT, DENSE = (
    projection_export.ProjectionExport(name)
    for name in ("auto", "dft", "dense")
)
_FRAMES = 6
_LENGTHS = (4, 1, 6, 0, 3)
# Transforms, products of factors, what is written out, and rounded weights.
KINDS = (
    "diagonal_circulant",
    "low_rank(rank=2) + circulant",
    "hashed",
    "dense@int4",
)
if os.environ.get("YT8M_EVERY_KIND") == "true":
    KINDS = (*small_models.KINDS, *KINDS[1:])


def export(model, folder, form, batch_size):
    """Writes a model in each format; returns what opens them."""
    frames = _FRAMES if "frames" in model.input else None
    specs = portable_function.input_specs(model, batch_size, frames)
    function = portable_function.make_portable_function(model, specs, form)
    content = onnx.convert(function)
    packed = onnx.find_packed(model, content)
    content = onnx.store_packed(content, packed)
    for name, written in {
        onnx.FILE_NAME: content,
        **openvino.convert(content),
    }.items():
        (folder / name).write_bytes(written)
    return (
        artefacts.OnnxModel(folder / onnx.FILE_NAME),
        artefacts.OpenVinoModel(folder / openvino.FILE_NAME),
    )


def make_inputs(model: keras.Model) -> dict[str, np.ndarray]:
    if "frames" in model.input:
        inputs = numpy_models.make_frames(_LENGTHS, max_frames=_FRAMES)
    else:
        inputs = numpy_models.make_features(len(_LENGTHS))
    return {
        name: np.asarray(value).astype(model.input[name].dtype)
        for name, value in inputs.items()
    }


def check(name, kind, folder, form=DFT, batch_size=None):
    """Compares the files of a small model with it, for 1, 3 and 5 videos."""
    places = small_models.places(name)
    config = small_models.make_model(name, (kind,) * len(places))
    model = numpy_models.build(config)
    inputs = make_inputs(model)
    expected = model(inputs, training=False).numpy()
    assert expected.std(axis=0).max() > 1e-3
    for opened in export(model, folder, form, batch_size):
        shapes = opened.input_shapes
        assert set(shapes) == set(model.input)
        assert {shape[0] for shape in shapes.values()} == {batch_size}
        for rows in (slice(0, 5), slice(2, 3), slice(1, 4)):
            some = {name: value[rows] for name, value in inputs.items()}
            scores = opened.predict_each(some)
            assert scores.dtype == np.float32
            np.testing.assert_allclose(
                scores, expected[rows], rtol=0, atol=1e-5
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form", "batch_size"),
    [
        ("MlpModel", DFT, 1),
        ("MlpModel", AUTO, None),
        ("MlpModel", DENSE, None),
        ("DbofModel", DFT, None),
        ("DbofModel", DFT, 2),
        ("GruModel", DFT, None),
    ],
)
def test_a_model(name, form, batch_size, tmp_path):
    check(name, "diagonal_circulant", tmp_path, form, batch_size)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, None])
@pytest.mark.parametrize("name", ["LstmModel", "GruModel"])
def test_loops_of_rounded_weights(name, batch_size, tmp_path):
    check(name, "dense@int4", tmp_path, batch_size=batch_size)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model(name, kind, tmp_path):
    check(name, kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_of_one_video(name, tmp_path):
    check(name, "diagonal_circulant", tmp_path, batch_size=1)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, None])
def test_every_structure_in_one_file(batch_size, tmp_path):
    features = keras.Input([60], name="features")
    cases = layer_conformance.CASES
    projections = [
        layer_conformance.make_projection(case, 70, name=f"case_{number}")
        for number, case in enumerate(cases)
    ]
    outputs = [projection(features) for projection in projections]
    model = keras.Model(
        {"features": features}, keras.layers.Concatenate()(outputs)
    )
    rng = np.random.default_rng(0)
    for layer in projections:
        assert isinstance(layer, layers.Projection)
        layer.set_weights(
            [
                layer_conformance.random_values(rng, weight)
                for weight in layer.weights
            ]
        )
    rows = layer_conformance.random_rows(3, 60).astype("float32")
    kernels = [
        layer_conformance.expected_kernel(case, layer)
        for case, layer in zip(cases, projections, strict=True)
    ]
    biases = [layer.bias.numpy() for layer in projections]
    products = rows @ np.concatenate(kernels, axis=1) + np.concatenate(biases)
    scale = np.abs(products).max()
    for opened in export(model, tmp_path, DFT, batch_size):
        np.testing.assert_allclose(
            opened.predict_each({"features": rows}),
            products,
            rtol=0,
            atol=1e-5 * scale,
        )

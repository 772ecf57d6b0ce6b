"""Tests of OpenVINO files: what they hold and refuse."""

import re

import keras
import numpy as np
import pytest

import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.artefacts import openvino_package
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export


@pytest.fixture(scope="module")
def contents():
    """The files of a small model, and the bytes of its weights."""
    model = numpy_models.build(
        small_models.make_model("MlpModel", ("dense",) * 2)
    )
    specs = portable_function.input_specs(model, 1, None)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.DENSE
    )
    count = sum(np.size(w) for w in model.variables)
    return openvino.convert(onnx.convert(function)), count


def test_weights_are_float32_and_no_path_is_in_it(contents):
    files, count = contents
    assert list(files) == ["model.xml", "model.bin"]
    # Batch normalisation becomes a scale and a shift; sizes come on top.
    assert 4 * count * 0.8 < len(files["model.bin"]) < 4 * count * 1.2
    text = files["model.xml"].decode()
    assert 'element_type="f32"' in text
    assert "f16" not in text
    assert "/tmp" not in text


@pytest.mark.parametrize("kept", [0, 100])
def test_weights_that_are_cut_off_are_refused(kept, contents, tmp_path):
    files, _ = contents
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    artefacts.OpenVinoModel(tmp_path / "model.xml")
    (tmp_path / "model.bin").write_bytes(files["model.bin"][:kept])
    message = f"{tmp_path}/model.xml: expected an OpenVINO model of yt8m-export"
    with pytest.raises(ValueError, match=re.escape(message)):
        artefacts.OpenVinoModel(tmp_path / "model.xml")


def test_the_output_has_one_name(tmp_path):
    # The last operation is an identity of a slice, which OpenVINO leaves out.
    features = keras.Input([300], name="features")
    outputs = layers.Projection(100, "circulant", use_bias=False)(features)
    model = keras.Model({"features": features}, outputs)
    specs = portable_function.input_specs(model, None, None)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.DFT
    )
    for name, content in openvino.convert(onnx.convert(function)).items():
        (tmp_path / name).write_bytes(content)
    core = openvino_package.load().Core()
    opened = core.read_model(str(tmp_path / "model.xml"))
    assert [value.names for value in opened.outputs] == [{"predictions"}]
    assert [value.names for value in opened.inputs] == [{"features"}]
    assert opened.inputs[0].partial_shape[0].is_dynamic
    compiled = core.compile_model(opened, "CPU")
    assert [value.names for value in compiled.outputs] == [{"predictions"}]

"""Tests of runtimes that are missing, and of files of other models."""

import re
import sys

import keras
import openvino
import pytest
import tensorflow as tf
import tf2onnx

import small_artefacts
from yt8m_compact.inference import artefacts


@pytest.mark.parametrize(
    ("name", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")]
)
def test_a_runtime_that_is_not_installed(name, package, monkeypatch):
    made = small_artefacts.make("video")
    monkeypatch.setitem(sys.modules, package, None)
    message = (
        f'expected {package}, which opens .*: pip install "yt8m-compact'
        rf'\[export\]". Received: {package} is not installed'
    )
    with pytest.raises(ValueError, match=message):
        artefacts.load(made.path(name))


def test_litert_of_tensorflow_where_its_own_package_is_missing(monkeypatch):
    made = small_artefacts.make("video")
    features = {"features": tf.random.stateless_normal([3, 9], [1, 2]).numpy()}
    expected = artefacts.LiteRtModel(made.file("litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    found = artefacts.LiteRtModel(made.file("litert"))
    assert isinstance(found._interpreter, tf.lite.Interpreter)
    assert not isinstance(expected._interpreter, tf.lite.Interpreter)
    assert found.predict_each(features) == pytest.approx(
        expected.predict_each(features), abs=1e-6
    )


@tf.function(input_signature=[tf.TensorSpec([1, 3], name="x")])
def _add(x):
    return {"sums": x + 1}


def write_litert(path):
    function = _add.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    path.write_bytes(converter.convert())


def write_onnx(path):
    tf2onnx.convert.from_function(
        _add, input_signature=_add.input_signature, output_path=str(path)
    )


def write_openvino(path):
    openvino.save_model(openvino.convert_model(_add), str(path))


@pytest.mark.parametrize(
    ("kind", "write", "name", "outputs"),
    [
        (artefacts.LiteRtModel, write_litert, "x.tflite", "[]"),
        (artefacts.OnnxModel, write_onnx, "x.onnx", "['sums']"),
        (artefacts.OpenVinoModel, write_openvino, "x.xml", "['sums']"),
    ],
)
def test_another_model_is_refused(kind, write, name, outputs, tmp_path):
    path = tmp_path / name
    write(path)
    message = (
        f"{path}: expected {kind.KIND} of yt8m-export, with predictions as its "
        f"output. Received: outputs {outputs}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(path)


def test_another_model_of_keras_is_refused(tmp_path):
    inputs = keras.Input([3])
    path = tmp_path / "model.keras"
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(path)
    message = (
        f"{path}: expected a Keras model of yt8m-export, whose inputs have "
        "names. Received: Functional"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        artefacts.KerasModel(path)


@pytest.mark.slow
def test_code_in_a_keras_file_is_not_run(tmp_path):
    inputs = keras.Input([3], name="features")
    outputs = keras.layers.Lambda(lambda x: x * 2)(inputs)
    path = tmp_path / "model.keras"
    keras.Model({"features": inputs}, outputs).save(path)
    with pytest.raises(ValueError, match="model.keras: .*[Ll]ambda"):
        artefacts.KerasModel(path)

"""Tests of what yt8m-export wrote, opened: it predicts, or says why not."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import small_artefacts
import tiny_runs
from yt8m_compact.inference import artefacts
from yt8m_compact.run import config as config_lib

FORMATS = small_artefacts.FORMATS
FILES = ("litert", "onnx", "openvino", "keras")
CLASSES = {
    "litert": artefacts.LiteRtModel,
    "onnx": artefacts.OnnxModel,
    "openvino": artefacts.OpenVinoModel,
    "saved_model": artefacts.SavedModel,
    "packed": artefacts.PackedModel,
    "keras": artefacts.KerasModel,
}


def read(run):
    batch = tiny_runs.features_of(run, run.pattern)
    names = ("features",)
    if run.config.data.frame_features:
        names = ("frames", "num_frames")
    return {name: batch[name] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("name", FORMATS)
def test_predicts_as_the_run(name, level):
    made = small_artefacts.make(level)
    config, model = artefacts.load(made.path(name))
    assert type(model) is CLASSES[name]
    assert config.data == made.run.config.data
    assert artefacts.load_config(made.path(name)) == config
    assert model.num_classes == 5
    batch = None if name in ("saved_model", "packed", "keras") else 1
    time = None if batch is None else 4
    assert model.input_shapes == (
        {"features": [batch, 9]}
        if level == "video"
        else {"frames": [batch, time, 9], "num_frames": [batch]}
    )
    expected = tiny_runs.predictions_of(made.run, made.run.pattern)
    assert expected.std(axis=0).max() > 1e-3
    found = model.predict_each(read(made.run))
    assert found.dtype == np.float32
    # Packed, what has no precision is rounded to 16 bits.
    tolerance = 1e-3 if name == "packed" else 1e-5
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    # What was returned is not written over by the next call.
    before = found.copy()
    model.predict_each({k: v[::-1] for k, v in read(made.run).items()})
    np.testing.assert_array_equal(found, before)


def test_only_the_configuration_is_read(tmp_path):
    config = tiny_runs.video_config("missing*")
    for name, file in (
        ("saved_model/saved_model.pb", "saved_model/assets/config.json"),
        ("packed/weights.safetensors", "packed/config.json"),
        ("litert/model.tflite", "litert/config.json"),
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        (tmp_path / name).touch()
        config_lib.save(config, str(path))
        folder = str((tmp_path / name).parent)
        assert artefacts.load_config(folder) == config


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_named_or_its_folder(name):
    made = small_artefacts.make("video")
    for path in (made.file(name), made.path(name)):
        config, model = artefacts.load(path)
        assert model.path == made.file(name)
        assert config.model == made.run.config.model


@pytest.mark.parametrize("name", ["litert", "onnx", "openvino"])
def test_files_that_tensorflow_reaches(name):
    made = small_artefacts.make("video")
    folder = f"ram://artefacts/{name}"
    for file in os.listdir(made.path(name)):
        tf.io.gfile.copy(
            os.path.join(made.path(name), file), f"{folder}/{file}"
        )
    _, model = artefacts.load(folder)
    assert model.path.startswith(folder)
    _, expected = artefacts.load(made.path(name))
    inputs = read(made.run)
    np.testing.assert_array_equal(
        model.predict_each(inputs), expected.predict_each(inputs)
    )


@pytest.mark.parametrize("name", ["litert", "onnx", "openvino"])
def test_threads_change_nothing(name):
    made = small_artefacts.make("video")
    inputs = read(made.run)
    found = []
    for number in (None, 1, 2):
        _, model = artefacts.load(made.path(name), number)
        assert model.num_threads == number
        found.append(model.predict_each(inputs))
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_threads_of_tensorflow_are_those_of_the_process():
    made = small_artefacts.make("video")
    message = (
        "expected the number of threads before TensorFlow computes for the "
        "first time in a process. Received: num_threads=7"
    )
    for name in ("saved_model", "packed", "keras"):
        with pytest.raises(ValueError, match=message):
            artefacts.load(made.path(name), 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_fewer_frames_are_filled_up(name):
    made = small_artefacts.make("frame")
    _, model = artefacts.load(made.path(name))
    inputs = read(made.run)
    short = inputs["num_frames"] <= 3
    assert 0 < short.sum() < len(short)
    inputs = {key: value[short] for key, value in inputs.items()}
    expected = model.predict_each(inputs)
    inputs["frames"] = inputs["frames"][:, :3]
    found = model.predict_each(inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def _overwrite_start(content: bytes) -> bytes:
    return b"\0" * 100 + content[100:]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(
            (name, damage)
            for name in FILES
            for damage in (
                lambda content: b"",
                lambda content: b"not a model",
                lambda content: content[: len(content) // 2],
            )
        ),
        # An archive of Keras begins with a part that says its date alone.
        *((name, _overwrite_start) for name in FILES if name != "keras"),
    ],
)
def test_a_damaged_file_is_refused(name, damage, tmp_path):
    made = small_artefacts.make("video")
    shutil.copytree(made.path(name), tmp_path / "export")
    path = tmp_path / "export" / os.path.basename(made.file(name))
    path.write_bytes(damage(path.read_bytes()))
    manifest = tmp_path / "export" / "export_manifest.json"
    if manifest.exists():
        message = f"{path}: expected the file that yt8m-export wrote, "
        with pytest.raises(ValueError, match=re.escape(message)):
            artefacts.load(path)
        # Without the sums, as of a file that was copied alone.
        manifest.unlink()
    message = f"{path}: expected {CLASSES[name].KIND} of yt8m-export, whole. "
    if name == "keras":
        message = (
            f"{path}: expected a .keras file of layers of Keras and of "
            "yt8m_compact, whole. Received: no zip file, or not all of it"
        )
    with pytest.raises(ValueError, match=re.escape(message)):
        artefacts.load(path)


@pytest.mark.parametrize(
    ("kind", "file", "message"),
    [
        (
            "saved_model",
            "saved_model.pb",
            "export: expected a SavedModel of yt8m-export, whole. Received: ",
        ),
        (
            "saved_model",
            "variables/variables.data-00000-of-00001",
            "export: expected a SavedModel of yt8m-export, whole. Received: ",
        ),
        (
            "packed",
            "weights.safetensors",
            "export/weights.safetensors: expected packed weights. Received: ",
        ),
    ],
)
@pytest.mark.parametrize("length", [0, 100])
def test_a_damaged_folder_is_refused(kind, file, message, length, tmp_path):
    made = small_artefacts.make("video")
    shutil.copytree(made.path(kind), tmp_path / "export")
    path = tmp_path / "export" / file
    path.write_bytes(path.read_bytes()[:length])
    # Without the sums, as of an earlier version.
    (tmp_path / "export" / "export_manifest.json").unlink(missing_ok=True)
    message = f"{tmp_path}/{message}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        artefacts.load(tmp_path / "export")


def test_a_folder_of_versions_is_none_of_them(tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
    message = "Received: a folder of 1, 2; name one of them"
    with pytest.raises(ValueError, match=f"{message}$"):
        artefacts.load(tmp_path)


def test_weights_of_openvino_that_are_gone(tmp_path):
    made = small_artefacts.make("video")
    shutil.copytree(made.path("openvino"), tmp_path / "export")
    (tmp_path / "export" / "model.bin").unlink()
    message = (
        f"{tmp_path}/export/model.bin: expected the weights of "
        f"{tmp_path}/export/model.xml. Received: no such file"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        artefacts.load(tmp_path / "export")


@pytest.mark.parametrize("name", FILES)
def test_no_configuration_beside_it(name, tmp_path):
    made = small_artefacts.make("video")
    shutil.copytree(made.path(name), tmp_path / "export")
    (tmp_path / "export" / "config.json").unlink()
    path = tmp_path / "export" / os.path.basename(made.file(name))
    message = f"{path}: expected the config.json of its run beside it, as "
    with pytest.raises(ValueError, match=re.escape(message)):
        artefacts.load(tmp_path / "export")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("change", ["num_classes", "feature_sizes", "frames"])
def test_another_configuration_beside_it(name, level, change, tmp_path):
    made = small_artefacts.make(level)
    shutil.copytree(made.path(name), tmp_path / "export")
    path = tmp_path / "export" / "config.json"
    config = config_lib.load(str(path))
    values = config.to_dict()
    if change == "num_classes":
        values["data"]["num_classes"] = 6
    elif change == "feature_sizes":
        values["data"]["feature_sizes"] = [6, 4]
    elif level == "frame" and name != "keras":  # Which takes any number.
        values["model"]["iterations"] = 5
    else:
        other = small_artefacts.make(
            {"video": "frame", "frame": "video"}[level]
        )
        values = other.run.config.to_dict()
    path.write_text(json.dumps(values))
    with pytest.raises(
        ValueError,
        match=r"model\.\w+: expected inputs .* as config.json beside it says. "
        "Received: inputs .*; export the run again",
    ):
        artefacts.load(tmp_path / "export")


@pytest.mark.parametrize(
    ("names", "received"),
    [
        ([], "Received: a folder of nothing"),
        (["notes.txt"], "Received: a folder of notes.txt"),
        (
            ["model.tflite", "other.onnx", "config.json"],
            "Received: a folder of model.tflite, other.onnx; name one of them",
        ),
        (
            ["config.json", "checkpoints"],
            "Received: a folder of checkpoints, config.json; the folder of a "
            "run is what --train_dir takes, and yt8m_compact.load_run in "
            "Python",
        ),
    ],
)
def test_folders_of_something_else(names, received, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    message = (
        f"{tmp_path}: expected a model of yt8m-export: a file .tflite, .onnx, "
        ".xml, .keras, or the folder of one, of a SavedModel or of a packed "
        f"model. {received}"
    )
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        artefacts.load(tmp_path)


def test_files_of_something_else(tmp_path):
    path = tmp_path / "model.txt"
    with pytest.raises(ValueError, match="model.txt: .* Received: no such fil"):
        artefacts.load(path)
    path.touch()
    with pytest.raises(ValueError, match="model.txt: .* Received: another fil"):
        artefacts.load(path)

"""Tests of `.keras` files, and of their loading."""

import json
import re
import zipfile

import keras
import numpy as np
import pytest

import small_models
import tiny_runs
from yt8m_compact import models
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import keras_file
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

_FAST = ("MlpModel", "FrameLevelLogisticModel")


def inputs_of(config: config_lib.Config) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if not config.data.frame_features:
        return {"features": rng.normal(size=[3, 9]).astype(np.float32)}
    return {
        "frames": rng.integers(0, 256, [3, 4, 9], np.uint8),
        "num_frames": np.array([4, 1, 3], np.int32),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run's model, and what it predicts."""
    run = tiny_runs.video_run()
    folder = tmp_path_factory.mktemp("keras") / "keras"
    config, model, step = train_dir_lib.TrainDir(run.path).restore_model()
    about = companions.About(config=config, step=step)
    size, difference = keras_file.save(str(folder), about, model)
    assert size == (folder / "model.keras").stat().st_size
    assert difference == 0
    return folder, inputs_of(config), model(inputs_of(config), training=False)


def test_it_is_loaded_again(saved):
    folder, inputs, expected = saved
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "export_manifest.json",
        "model.keras",
    ]
    assert keras_file.is_saved(str(folder))
    assert not keras_file.is_saved(str(folder.parent))
    loaded = keras_file.load(folder / "model.keras")
    np.testing.assert_array_equal(loaded(inputs, training=False), expected)
    card = (folder / "README.md").read_text()
    assert 'keras.saving.load_model("FOLDER/model.keras")' in card


# Every model, with weights of few bits at all places, which are packed.
@pytest.mark.parametrize(
    "name",
    [
        name if name in _FAST else pytest.param(name, marks=pytest.mark.slow)
        for name in models.MODELS
    ],
)
def test_every_model_with_packed_weights(tmp_path, name):
    places = small_models.places(name)
    kinds = ["low_rank(rank=2)@int4 + diagonal_circulant@int8"] * len(places)
    model_config = small_models.make_model(name, tuple(kinds))
    make = (
        tiny_runs.frame_config
        if model_config.frame_features
        else tiny_runs.video_config
    )
    config = make("", model_config)
    model = config.build_model()
    inputs = inputs_of(config)
    expected = model(inputs, training=False)
    about = companions.About(config=config, step=0)
    keras_file.save(str(tmp_path / "keras"), about, model)
    path = tmp_path / "keras" / "model.keras"
    # By what anybody has who imported the package.
    loaded = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_allclose(
        loaded(inputs, training=False), expected, rtol=1e-5, atol=1e-6
    )
    assert {str(weight.dtype) for weight in loaded.weights} >= {"uint8"}


_LOAD = """
import keras
import yt8m_compact

model = keras.saving.load_model("model.keras", safe_mode=True)
print(model.name)
"""


@pytest.mark.slow
def test_one_import_makes_the_classes_known(saved):
    folder, _, _ = saved
    done = tiny_runs.execute("-c", _LOAD, folder=folder)
    assert (done.returncode, done.stdout) == (0, "MoeModel\n"), done.stderr


def test_a_damaged_file_of_ours_is_not_opened(saved, tmp_path, monkeypatch):
    folder, _, _ = saved
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = tmp_path / "model.keras"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(keras.saving, "load_model", None)
    with pytest.raises(
        ValueError,
        match=f"^{re.escape(str(file))}: expected the file that yt8m-export",
    ):
        keras_file.load(file)


@pytest.mark.parametrize("version", ["3.14.1", "3.6.0", "2.15.0"])
def test_earlier_loaders_are_refused(saved, monkeypatch, version):
    path = saved[0] / "model.keras"
    monkeypatch.setattr(keras, "__version__", version)
    monkeypatch.setattr(keras.saving, "load_model", None)
    message = (
        f"{path}: expected Keras 3.15 or later to load a .keras file: the "
        "loaders of earlier ones may run code of a file, in safe mode too. pip "
        "install --upgrade keras. Received: keras.__version__="
        f"'{version}'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        keras_file.load(path)


@pytest.mark.parametrize("version", ["3.15.0", "3.16.0.dev20261027", "4.0"])
def test_later_loaders_are_not(saved, monkeypatch, version):
    monkeypatch.setattr(keras, "__version__", version)
    assert keras_file.load(saved[0] / "model.keras").name == "MoeModel"


def test_a_file_of_somebody_runs_no_code(tmp_path):
    x = keras.Input([3])
    y = keras.layers.Lambda(lambda x: x + 1)(x)
    path = tmp_path / "somebody.keras"
    keras.Model(x, y).save(path)
    message = (
        f"^{re.escape(str(path))}: expected a .keras file of layers of Keras "
        "and of yt8m_compact, whole. Received: .*[Ll]ambda"
    )
    with pytest.raises(ValueError, match=message):
        keras_file.load(path)


def test_a_file_of_somebody_is_loaded(tmp_path):
    x = keras.Input([3])
    model = keras.Model(x, keras.layers.Dense(2)(x))
    model.save(tmp_path / "somebody.keras")
    loaded = keras_file.load(tmp_path / "somebody.keras")
    value = np.array([[1.0, -2.0, 3.0]])
    np.testing.assert_array_equal(loaded(value), model(value))


def test_files_that_are_none(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(ValueError, match="a .keras file. Received: no such"):
        keras_file.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: expected"):
        keras_file.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({"class_name": "Nothing"}))
        file.writestr("metadata.json", "{}")
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: expected"):
        keras_file.load(path)


def test_a_file_that_predicts_something_else(tmp_path, monkeypatch):
    run = tiny_runs.video_run()
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    other = config.build_model()
    monkeypatch.setattr(keras_file, "load", lambda path: other)
    about = companions.About(config=config, step=1)
    message = "expected the scores of the model, within 1e-06, of its .keras"
    with pytest.raises(ValueError, match=message):
        keras_file.save(str(tmp_path / "keras"), about, model)
    assert not list(tmp_path.iterdir())

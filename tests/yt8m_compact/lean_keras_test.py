"""Tests of Keras without what programs do not use."""

import importlib.machinery
import importlib.util
import json
import sys
import types

import pytest

import tiny_runs
from yt8m_compact import lean_keras


@pytest.fixture
def finders(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    return sys.meta_path


def test_nothing_is_left_out_once_keras_is_there(finders):
    assert "keras" in sys.modules
    before = [*finders]
    lean_keras.prepare()
    assert finders == before


def test_only_keras_does_without(finders, monkeypatch):
    spec = importlib.machinery.ModuleSpec("keras", None)
    monkeypatch.delitem(sys.modules, "keras")
    for name in ("sklearn", "matplotlib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    lean_keras.prepare()
    lean_keras.prepare()
    assert len([f for f in finders if type(f).__name__ == "_Finder"]) == 1
    assert importlib.util.find_spec("sklearn") is not None
    keras = types.SimpleNamespace(__spec__=spec)
    monkeypatch.setitem(sys.modules, "keras", keras)
    spec._initializing = True
    with pytest.raises(ModuleNotFoundError, match="sklearn is left out"):
        importlib.util.find_spec("sklearn")
    assert importlib.util.find_spec("scipy") is not None
    spec._initializing = False
    assert importlib.util.find_spec("sklearn") is not None


_COUNT = """
import json, sys
from yt8m_compact.eval import evaluate
sys.argv = ["yt8m-eval", "--parameters_only", "--num_classes=5"]
try:
    evaluate.run()
except SystemExit as ended:
    assert not ended.code, ended.code
found = sorted({name.partition(".")[0] for name in sys.modules})
import matplotlib.pyplot, sklearn.metrics
print(json.dumps(found))
"""


@pytest.mark.slow
def test_counting_weights_loads_no_more_than_tensorflow_and_keras():
    done = tiny_runs.execute("-c", _COUNT, folder=".")
    assert done.returncode == 0, done.stderr
    found = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"tensorflow", "keras"} < found
    others = {
        "IPython",
        "google_crc32c",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "openvino",
        "optuna",
        "pandas",
        "sklearn",
        "tensorboard",
        "tensorflow_datasets",
        "tf2onnx",
        "tqdm",
    }
    assert found & others == set()

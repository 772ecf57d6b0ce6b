"""Tests of the check of Keras's backend; jax need not be installed."""

import os
import pathlib
import re
import subprocess
import sys
import types

import pytest

from yt8m_compact import keras_backend

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def no_keras(monkeypatch, tmp_path):
    """A process that has not imported Keras, and a home without settings."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return tmp_path


def refused(message: str) -> pytest.RaisesExc:
    message = f"expected Keras's TensorFlow backend; {message}"
    return pytest.raises(ImportError, match=f"^{re.escape(message)}$")


def test_tensorflow_is_what_keras_takes_by_itself(no_keras):
    keras_backend.expect_tensorflow()


def test_the_variable(no_keras, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras_backend.expect_tensorflow()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with refused(
        "set KERAS_BACKEND=tensorflow. Received: backend=jax (KERAS_BACKEND)"
    ):
        keras_backend.expect_tensorflow()


@pytest.mark.parametrize("named", [False, True])
def test_the_file(no_keras, monkeypatch, named):
    folder = no_keras / (".keras" if not named else "elsewhere")
    folder.mkdir()
    if named:
        monkeypatch.setenv("KERAS_HOME", str(folder))
    file = folder / "keras.json"
    for text in ("", "{}", "[]", '{"backend": "tensorflow"}', "[" * 99_999):
        file.write_text(text)
        keras_backend.expect_tensorflow()
    file.write_text('{"backend": "torch"}')
    with refused(
        f"set KERAS_BACKEND=tensorflow. Received: backend=torch ({file})"
    ):
        keras_backend.expect_tensorflow()
    # Which goes before the file.
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras_backend.expect_tensorflow()


def test_a_home_that_can_not_be_written(no_keras, monkeypatch):
    # Keras looks in /tmp then.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert keras_backend._config_path() == "/tmp/.keras/keras.json"


def test_keras_that_is_there_already(no_keras, monkeypatch):
    keras = types.SimpleNamespace(
        config=types.SimpleNamespace(backend=lambda: "jax")
    )
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # too late
    with refused(
        "set KERAS_BACKEND=tensorflow before Keras is imported. Received: "
        "backend=jax"
    ):
        keras_backend.expect_tensorflow()


def test_in_a_program_it_is_one_line(no_keras, monkeypatch, capsys):
    others = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: others.append(args))
    monkeypatch.setattr(sys, "argv", ["/usr/bin/yt8m-eval"])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ImportError) as caught:
        keras_backend.expect_tensorflow()
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert capsys.readouterr().err == f"yt8m-eval: error: {caught.value}\n"
    assert others == []
    monkeypatch.setattr(sys, "stderr", None)
    sys.excepthook(caught.type, caught.value, caught.tb)
    error = KeyError("another")
    sys.excepthook(KeyError, error, None)
    assert others == [(KeyError, error, None)]


@pytest.mark.parametrize(
    "module",
    [
        "eval",
        "layers",
        "models",
        "inference.serving",
        "run.train_dir",
        "training",
        "eval.evaluate",
    ],
)
def test_it_is_told_before_keras_is_imported(module, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    # As fast as it is because TensorFlow is not imported either.
    done = subprocess.run(
        [sys.executable, "-c", f"import yt8m_compact.{module}"],
        cwd=ROOT,
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "yt8m_compact: error: expected Keras's TensorFlow backend; set "
        f"KERAS_BACKEND=tensorflow. Received: backend=jax ({tmp_path}"
        "/keras.json)"
    ]

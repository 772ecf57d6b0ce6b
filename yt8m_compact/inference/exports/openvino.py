"""Models as files of OpenVINO: its intermediate representation."""

# ruff: noqa: E402
from __future__ import annotations

from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import os
import sys
import tempfile
import types
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import packages
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import config as config_lib

FILE_NAME = "model.xml"
_WEIGHTS_NAME = "model.bin"
_TELEMETRY = "openvino_telemetry"


def expect_packages() -> None:
    """Refuses to go on without the packages that `save` needs.

    Raises:
        ValueError: if one is not installed.
    """
    packages.expect(("onnx", "openvino", "tf2onnx"), "--format=openvino")


def convert(function: Any) -> tuple[bytes, bytes]:
    """Converts a model to what OpenVINO reads.

    From its ONNX file: OpenVINO's own reader of TensorFlow's functions takes no
    loops, and has died of others.

    Args:
        function: of `portable_function.make_portable_function`.

    Returns:
        The graph, in XML, and the weights.

    Raises:
        ValueError: as `onnx.convert` does.
    """
    openvino = _import_openvino()
    model = openvino.Core().read_model(onnx.convert(function))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, FILE_NAME)
        openvino.save_model(model, path, compress_to_fp16=False)
        contents = []
        for name in (FILE_NAME, _WEIGHTS_NAME):
            with open(os.path.join(folder, name), "rb") as file:
                contents.append(file.read())
    return tuple(contents)


def write(path: str, function: Any) -> int:
    """Writes a model to two files, each whole or not at all.

    Args:
        path: `model.xml`, which is replaced; beside it, `model.bin` is.
        function: of `portable_function.make_portable_function`.

    Returns:
        The number of their bytes.

    Raises:
        ValueError: as `onnx.convert` does.
        OSError: if they can't be written.
    """
    contents = convert(function)
    for name, content in zip((path, _weights_path(path)), contents, strict=True):
        with files.writing(name, "wb") as file:
            file.write(content)
    return sum(map(len, contents))


def save(
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
) -> tuple[int, float]:
    """Writes `model.xml`, `model.bin` and `config.json`, whole or not at all.

    The files are opened again before they appear, and have to predict what the
    model does for inputs drawn at random.

    Args:
        folder: the folder, which is replaced.
        config: the configuration of the run.
        model: its model.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.

    Returns:
        The bytes of both files, and the largest difference of a score.

    Raises:
        ValueError: as `onnx.convert` does, or if the files do not predict the
            same.
        OSError: if they can't be written.
    """
    specs = portable_function.specs_of_run(config, model, batch_size)
    function = portable_function.make_portable_function(model, specs, export)
    with files.writing_folder(folder, replace=True) as partial:
        config_lib.save(config, os.path.join(partial, "config.json"))
        path = os.path.join(partial, FILE_NAME)
        size = write(path, function)
        difference = portable_function.expect_same_scores(
            OpenVinoModel(path).predict_each, model, specs, "OpenVINO"
        )
    return size, difference


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))


class OpenVinoModel:
    """The files of a model of OpenVINO, open to predict on a CPU.

    In float32, which OpenVINO does only if it is told to: by itself it rounds
    to what the processor is fastest in.

    Args:
        path: `model.xml`; `model.bin` is beside it.
        num_threads: threads that it computes with.

    Raises:
        ValueError: if one is damaged, or they are not files of `write`.
        OSError: if they can't be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int = 1
    ) -> None:
        path = os.fspath(path)
        contents = []
        for name in (path, _weights_path(path)):
            with tf.io.gfile.GFile(name, "rb") as file:
                contents.append(file.read())
        openvino = _import_openvino()
        try:
            core = openvino.Core()
            self._model = core.compile_model(
                core.read_model(*contents),
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": "f32",
                    "INFERENCE_NUM_THREADS": num_threads,
                },
            )
        except RuntimeError as error:
            raise ValueError(
                f"{path}: expected an OpenVINO model of yt8m-export, whole, "
                f"with its {_WEIGHTS_NAME}. Received: "
                f"{' '.join(str(error).split())}"
            ) from error
        outputs = [sorted(value.get_names()) for value in self._model.outputs]
        if outputs != [[portable_function.OUTPUT_NAME]]:
            raise ValueError(
                f"{path}: expected an OpenVINO model of yt8m-export, with "
                f"{portable_function.OUTPUT_NAME} as its output. Received: "
                f"outputs {outputs}"
            )

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return {
            value.get_any_name(): [
                None if size.is_dynamic else size.get_length()
                for size in value.get_partial_shape()
            ]
            for value in self._model.inputs
        }

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts.

        Args:
            inputs: the model's inputs by name, as many videos as the files
                take at once.

        Returns:
            float32 `[batch, num_classes]`.
        """
        return self._model(dict(inputs))[portable_function.OUTPUT_NAME]

    def predict_each(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts any number of videos, however many the files take.

        Args:
            inputs: the model's inputs by name.

        Returns:
            float32 `[batch, num_classes]`.
        """
        size = next(iter(self.input_shapes.values()))[0]
        return portable_function.predict_each(self, size, inputs)


def _weights_path(path: str) -> str:
    return os.path.splitext(path)[0] + ".bin"


def _import_openvino() -> types.ModuleType:
    """Imports OpenVINO without what reports to its makers.

    Otherwise its import alone tries to send where it is used, unless a file in
    the home folder says no. It does without the package that sends.
    """
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    missing = object()
    before = sys.modules.get(_TELEMETRY, missing)
    sys.modules[_TELEMETRY] = None  # Its import fails, which is foreseen.
    try:
        import openvino
    finally:
        del sys.modules[_TELEMETRY]
        if before is not missing:
            sys.modules[_TELEMETRY] = before
    return openvino

"""Models as files of LiteRT, which was TensorFlow Lite."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import os
import re
import tempfile
from typing import Any
import warnings

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.exports import litert_checksum
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import packed_constants
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import config as config_lib

FILE_NAME = "model.tflite"
_SIGNATURE = "serving_default"
# Scores are from 0 to 1.
_TOLERANCE = 1e-4
# What the converter says of an operator that it can't convert: that there is no
# such, or where it is, in a shape that it does not take.
_MISSING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_PLACE = re.compile(r'fused\["(\w+):", "[^"@]*@__inference_predict')


def convert(function: Any) -> bytes:
    """Converts a model to operators that LiteRT has itself.

    Args:
        function: of `portable_function.make_portable_function`.

    Returns:
        The bytes of a file.

    Raises:
        ValueError: if it has other operators.
    """
    saved = tf.Module()
    saved.weights = list(function.variables)
    saved.function = function
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Inputs and outputs have names only if they come from one.
            tf.saved_model.save(saved, folder, {_SIGNATURE: function})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            # By default none is refused, and the file does not load.
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS
            ]
            return converter.convert()
    except Exception as error:
        text = str(error)
        missing = sorted({*_MISSING.findall(text)} or {*_PLACE.findall(text)})
        if not missing:
            raise
        places = "; ".join(
            f"{operator} in "
            + (", ".join(portable_function.layers_with(function, operator)))
            for operator in missing
        )
        raise ValueError(
            "expected operators that LiteRT has. Received: "
            f"{places}; use --projection_export=auto --batch_size=1, or another"
            " model"
        ) from None


def write(
    path: str, function: Any, model: keras.Model | None = None
) -> int:
    """Writes a model to a file, whole or not at all.

    Args:
        path: the file, which is replaced.
        function: of `portable_function.make_portable_function`.
        model: what the function was made of, for the bits of its weights of a
            precision; None stores floats.

    Returns:
        The number of its bytes.

    Raises:
        ValueError: if the model has operators that LiteRT has not.
        OSError: if it can't be written.
    """
    content = convert(function)
    if model is not None:
        graph = litert_constants.LiteRtGraph(content)
        graph.store_all(packed_constants.find(model, graph))
        content = graph.to_bytes()
    return write_content(path, content)


def write_content(path: str, content: bytes) -> int:
    """Writes a file with its checksum, whole or not at all.

    Args:
        path: the file, which is replaced.
        content: the bytes of a LiteRT file.

    Returns:
        The number of its bytes.

    Raises:
        OSError: if it can't be written.
    """
    graph = litert_constants.LiteRtGraph(content)
    graph.set_metadata(litert_checksum.METADATA_NAME, litert_checksum.METADATA)
    content = litert_checksum.sign(graph.to_bytes())
    with files.writing(path, "wb") as file:
        file.write(content)
    return len(content)


def save(
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
) -> tuple[int, float]:
    """Writes `model.tflite` and `config.json`, whole or not at all.

    The file is opened again before it appears, and has to predict what the
    model does for inputs drawn at random.

    Args:
        folder: the folder, which is replaced.
        config: the configuration of the run.
        model: its model.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.

    Returns:
        The bytes of the file, and the largest difference of a score.

    Raises:
        ValueError: if the model has operators that LiteRT has not, or the file
            does not predict the same.
        OSError: if it can't be written.
    """
    num_frames = None
    if config.data.frame_features:
        num_frames = config.prediction_reader().num_output_frames
    specs = portable_function.input_specs(model, batch_size, num_frames)
    function = portable_function.make_portable_function(model, specs, export)
    with files.writing_folder(folder, replace=True) as partial:
        config_lib.save(config, os.path.join(partial, "config.json"))
        path = os.path.join(partial, FILE_NAME)
        size = write(path, function, model)
        inputs = portable_function.draw_inputs(specs)
        scores = LiteRtModel(path).predict_each(inputs)
        expected = model(inputs, training=False).numpy()
        difference = float(np.abs(scores - expected).max())
        if not difference <= _TOLERANCE:
            raise ValueError(
                f"expected the scores of the model, within {_TOLERANCE}, of its"
                f" LiteRT file. Received: a difference of {difference}"
            )
    return size, difference


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))


class LiteRtModel:
    """A file of LiteRT, open to predict.

    Args:
        path: the file.
        num_threads: threads that it computes with.

    Raises:
        ValueError: if it is damaged, or not a file of `write`.
        OSError: if it can't be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int = 1
    ) -> None:
        with tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            content = file.read()
        try:
            with warnings.catch_warnings():
                # Of the same interpreter in a package of its own.
                warnings.simplefilter("ignore")
                self._interpreter = tf.lite.Interpreter(
                    model_content=content, num_threads=num_threads
                )
            self._interpreter.allocate_tensors()
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path}: expected a LiteRT model of yt8m-export, whole. "
                f"Received: {' '.join(str(error).split())}"
            ) from error
        outputs = signatures.get(_SIGNATURE, {}).get("outputs", [])
        if outputs != [portable_function.OUTPUT_NAME]:
            raise ValueError(
                f"{path}: expected a LiteRT model of yt8m-export, with "
                f"{portable_function.OUTPUT_NAME} as its output. Received: "
                f"signatures {sorted(signatures)} with outputs {outputs}"
            )
        if not litert_checksum.is_signed(content):
            raise ValueError(
                f"{path}: expected a LiteRT model as yt8m-export wrote it. "
                "Received: another SHA-256 than the one that is in it; export "
                "it again, or copy it again"
            )
        self._run = self._interpreter.get_signature_runner(_SIGNATURE)

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return {
            name: [None if size < 0 else int(size) for size in shape]
            for name, details in self._run.get_input_details().items()
            for shape in [details["shape_signature"]]
        }

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts.

        Args:
            inputs: the model's inputs by name, as many videos as the file
                takes at once.

        Returns:
            float32 `[batch, num_classes]`.
        """
        return self._run(**inputs)[portable_function.OUTPUT_NAME]

    def predict_each(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts any number of videos, however many the file takes.

        Args:
            inputs: the model's inputs by name.

        Returns:
            float32 `[batch, num_classes]`.
        """
        size = next(iter(self.input_shapes.values()))[0]
        if size is None:
            return self(inputs)
        count = len(next(iter(inputs.values())))
        # Of the last ones, some again, so that there are as many as it takes.
        places = np.minimum(np.arange(-(-count // size) * size), count - 1)
        batches = [
            self({name: value[batch] for name, value in inputs.items()})
            for batch in places.reshape(-1, size)
        ]
        return np.concatenate(batches)[:count]

"""Models as files of LiteRT, which was TensorFlow Lite."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import os
import re
import tempfile
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.artefacts import litert as litert_artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

FILE_NAME = "model.tflite"
# What the converter says of an operator that it can't convert: that there is no
# such, or where it is, in a shape that it does not take.
_MISSING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_PLACE = re.compile(r'fused\["(\w+):", "[^"@]*@__inference_predict')

_USAGE = """\
from ai_edge_litert.interpreter import Interpreter  # or tf.lite.Interpreter

path = "FOLDER/model.tflite"
predict = Interpreter(path).get_signature_runner("serving_default")
predict(**inputs)["predictions"]"""


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
            tf.saved_model.save(
                saved, folder, {litert_artefact.SIGNATURE: function}
            )
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


def write(path: str, function: Any) -> int:
    """Writes a model to a file, whole or not at all.

    Args:
        path: the file, which is replaced.
        function: of `portable_function.make_portable_function`.

    Returns:
        The number of its bytes.

    Raises:
        ValueError: if the model has operators that LiteRT has not.
        OSError: if it can't be written.
    """
    content = convert(function)
    with files.writing(path, "wb") as file:
        file.write(content)
    return len(content)


def save(
    folder: str,
    about: companions.About,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
) -> tuple[int, float]:
    """Writes `model.tflite` and its companions, whole or not at all.

    The file is opened again before it appears, and has to predict what the
    model does for inputs drawn at random.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model of the run.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.

    Returns:
        The bytes of the file, and the largest difference of a score.

    Raises:
        ValueError: if the model has operators that LiteRT has not, or the file
            does not predict the same.
        OSError: if it can't be written.
    """
    model = portable_function.in_float32(about.config, model)
    specs = portable_function.specs_of_run(about.config, model, batch_size)
    function = portable_function.make_portable_function(model, specs, export)
    with files.writing_folder(folder, replace=True) as partial:
        path = os.path.join(partial, FILE_NAME)
        size = write(path, function)
        difference = portable_function.expect_same_scores(
            litert_artefact.LiteRtModel(path), model, specs
        )
        card = companions.Artefact(
            format="litert",
            what="`model.tflite`, for LiteRT (TensorFlow Lite), of its own "
            "operators only.",
            inputs=companions.describe_specs(specs),
            outputs=companions.describe_scores(about.config),
            usage=_USAGE,
        )
        companions.write(partial, about, model, card)
    return size, difference


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))

"""Models as files of LiteRT, which was TensorFlow Lite."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import os
import re
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.artefacts import litert as litert_artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import litert_quantization
from yt8m_compact.inference.exports import packed_constants
from yt8m_compact.inference.exports import portable_file
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.inference.exports import same_scores
from yt8m_compact.run import config as config_lib

FILE_NAME = "model.tflite"
# Beyond these differences of scores, which are from 0 to 1, a file is useless.
_TOLERANCES = {
    export_precision.ExportPrecision.FLOAT32: same_scores.TOLERANCE,
    export_precision.ExportPrecision.FLOAT16: 5e-3,
    export_precision.ExportPrecision.INT8: 0.05,
    export_precision.ExportPrecision.INT4: 0.2,
}
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


def save(
    folder: str,
    about: companions.About,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
    precision: export_precision.ExportPrecision = (
        export_precision.ExportPrecision.FLOAT32
    ),
    calibration_data_pattern: str | None = None,
) -> portable_file.Saved:
    """Writes `model.tflite` and its companions, whole or not at all.

    It is opened before it appears, and has to predict what the model does: for
    records, or for inputs drawn at random. How constants are stored is chosen
    by every second one, and the others judge.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model of the run.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.
        precision: of what is no weight of a precision of its own.
        calibration_data_pattern: files of records; None draws inputs.

    Returns:
        What was written.

    Raises:
        ValueError: if the model has operators that LiteRT has not, the file
            does not predict the same, or a package is missing.
        DataError: if the records are missing, broken or of another kind.
        OSError: if it can't be written.
    """
    made = prepared.prepare(
        about,
        model,
        export,
        batch_size,
        calibration_data_pattern,
        open_function,
    )
    content, lines = _stored(convert(made.function), made, precision)
    differences = _differences(content, made, precision)
    card = companions.Artefact(
        format="litert",
        what="`model.tflite`, for LiteRT (TensorFlow Lite), of its own "
        "operators only.",
        usage=_USAGE,
    )
    return portable_file.write(
        folder,
        about,
        made,
        {FILE_NAME: content},
        card,
        (*made.lines, *lines),
        differences,
    )


def save_in_few_bits(
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    precision: export_precision.ExportPrecision,
    batch_size: int | None,
) -> None:
    """Writes `model.tflite` alone, all of its constants in a precision.

    Whatever scores bear: for a comparison of bytes and times.

    Args:
        folder: the folder, which is replaced.
        config: the configuration of the model.
        model: the model.
        precision: of all constants.
        batch_size: videos to predict at once; None is any number.

    Raises:
        ValueError: if the model has operators that LiteRT has not, or a package
            is missing.
        OSError: if it can't be written.
    """
    model = portable_function.in_float32(config, model)
    specs = portable_function.specs_of_run(config, model, batch_size)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.DENSE
    )
    content = litert_quantization.store_all(convert(function), precision)
    with files.writing_folder(folder, replace=True) as partial:
        with files.writing(os.path.join(partial, FILE_NAME), "wb") as file:
            file.write(content)


def _differences(
    content: bytes,
    made: prepared.Prepared,
    precision: export_precision.ExportPrecision,
) -> np.ndarray:
    """Compares scores with those of the model; refuses what is useless."""
    # Those that nothing was chosen by.
    judging = slice(1, None, 2) if len(made.expected) > 1 else slice(None)
    if precision is export_precision.ExportPrecision.FLOAT32:
        judging = slice(None)
    opened = litert_artefact.LiteRtModel.from_content(content)
    return same_scores.expect(
        opened.predict_each(_rows(made.inputs, judging)),
        made.expected[judging],
        f"LiteRT file in {precision}",
        _TOLERANCES[precision],
    )


def _stored(
    content: bytes,
    made: prepared.Prepared,
    precision: export_precision.ExportPrecision,
) -> tuple[bytes, list[str]]:
    """Stores the constants of a file, and says how."""
    lines = []
    graph = litert_constants.LiteRtGraph(content)
    packed = packed_constants.find(made.model, graph)
    if precision is not export_precision.ExportPrecision.FLOAT32:
        choosing = slice(0, None, 2)
        some = _rows(made.inputs, choosing)

        def measure(content: bytes) -> float:
            scores = litert_artefact.LiteRtModel.from_content(
                content
            ).predict_each(some)
            return float(np.abs(scores - made.expected[choosing]).max())

        content, choice = litert_quantization.choose(
            content, precision, measure, packed
        )
        lines = choice.to_lines()
    if packed:
        graph = litert_constants.LiteRtGraph(content)
        graph.store_all(packed)
        content = graph.to_bytes()
        count = sum(stored.decode().size for stored in packed.values())
        lines.append(f"bits of their own: {count:,} values")
    return content, lines


def _rows(
    inputs: Mapping[str, np.ndarray], rows: slice
) -> dict[str, np.ndarray]:
    return {name: value[rows] for name, value in inputs.items()}


def open_function(function: Any) -> litert_artefact.LiteRtModel:
    """Opens a file of a function, to predict on one thread.

    Args:
        function: of `portable_function.make_portable_function`.

    Raises:
        ValueError: as `convert` does.
    """
    return litert_artefact.LiteRtModel.from_content(convert(function))


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))

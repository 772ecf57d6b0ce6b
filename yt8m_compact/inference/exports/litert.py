"""Models as files of LiteRT, which was TensorFlow Lite."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import os
import re
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.artefacts import litert as litert_artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import litert_layout
from yt8m_compact.inference.exports import litert_quantization
from yt8m_compact.inference.exports import packed_constants
from yt8m_compact.inference.exports import portable_file
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.inference.exports import stored_constants

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
        with files.temporary_folder() as folder:
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

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> saved = yt8m.inference.exports.litert.save(
        ...     "litert",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> yt8m.inference.exports.litert.is_saved("litert")
        True
        >>> saved.difference < 1e-5
        True
    """
    made = prepared.prepare(
        about,
        model,
        export,
        batch_size,
        calibration_data_pattern,
        open_function,
    )
    content, lines = stored_constants.store(
        convert(made.function), made, precision, _TOOLS
    )
    card = companions.Artefact(
        format="litert",
        what="`model.tflite`, for LiteRT (TensorFlow Lite), of its own "
        "operators only.",
        usage=_USAGE,
    )
    return portable_file.save(
        folder,
        about,
        made,
        {FILE_NAME: content},
        litert_artefact.LiteRtModel,
        card,
        precision,
        lines,
    )


def convert_in_few_bits(
    function: Any, precision: export_precision.ExportPrecision
) -> dict[str, bytes]:
    """Converts a model, all of its constants in a precision.

    Args:
        function: of `portable_function.make_portable_function`.
        precision: of all constants, whatever scores bear.

    Returns:
        The bytes of a file, by its name.

    Raises:
        ValueError: as `convert` does, or if a package is missing.
    """
    content = litert_quantization.store_all(convert(function), precision)
    return {FILE_NAME: content}


def find_packed(
    model: keras.Model, content: bytes
) -> dict[litert_constants.Key, litert_constants.Stored]:
    """Finds the constants of a file that are weights of a precision.

    Args:
        model: the model that the file was made of.
        content: the file.
    """
    constants = litert_constants.LiteRtGraph(content).constants()
    return packed_constants.find(
        model,
        {key: constant.values for key, constant in constants.items()},
        litert_layout.lay_out,
    )


def store_packed(
    content: bytes,
    packed: Mapping[litert_constants.Key, litert_constants.Stored],
) -> bytes:
    """Stores constants of a file in their bits.

    Args:
        content: the file.
        packed: of `find_packed`.
    """
    graph = litert_constants.LiteRtGraph(content)
    graph.store_all(packed)
    return graph.to_bytes()


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


_TOOLS = stored_constants.Tools(
    find_packed=find_packed,
    store_packed=store_packed,
    make_file=litert_quantization.LiteRtFile,
    open_content=litert_artefact.LiteRtModel.from_content,
)

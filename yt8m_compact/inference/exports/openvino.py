"""Models as files of OpenVINO: its intermediate representation."""

# ruff: noqa: E402
from __future__ import annotations

from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import functools
import os
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.artefacts import openvino as openvino_artefact
from yt8m_compact.inference.artefacts import openvino_package
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import onnx_constants
from yt8m_compact.inference.exports import packages
from yt8m_compact.inference.exports import portable_file
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.inference.exports import stored_constants

FILE_NAME = "model.xml"
_WEIGHTS_NAME = "model.bin"
# What decodes a constant takes about 4 KB of XML.
_LEAST_BYTES = 6 * 1024

_USAGE = """\
import openvino

model = openvino.Core().compile_model(
    "FOLDER/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
)
model(inputs)["predictions"]"""


def expect_packages() -> None:
    """Refuses to go on without the packages that `save` needs.

    Raises:
        ValueError: if one is not installed.
    """
    packages.expect(("onnx", "openvino", "tf2onnx"), "--format=openvino")


def convert(content: bytes) -> dict[str, bytes]:
    """Converts a model to what OpenVINO reads fastest.

    From its ONNX file: OpenVINO's own reader of TensorFlow's functions takes no
    loops, and dies of some other models; the files that it writes are as large.

    Args:
        content: of `onnx.convert`.

    Returns:
        The bytes of two files by name: the graph in XML, and the weights.
    """
    openvino = openvino_package.load()
    model = openvino.Core().read_model(content)
    # Of values between there are no names: the output would have that of what
    # an identity passes on, too, once the model is compiled.
    for node in model.get_ordered_ops():
        for value in node.outputs():
            value.get_tensor().set_names(set())
    for value in model.inputs:
        value.get_tensor().set_names({value.get_node().get_friendly_name()})
    (scores,) = model.outputs
    scores.get_tensor().set_names({portable_function.OUTPUT_NAME})
    with files.temporary_folder() as folder:
        path = os.path.join(folder, FILE_NAME)
        openvino.save_model(model, path, compress_to_fp16=False)
        contents = {}
        for name in (FILE_NAME, _WEIGHTS_NAME):
            with open(os.path.join(folder, name), "rb") as file:
                contents[name] = file.read()
    return contents


def save(
    folder: str,
    about: companions.About,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
    precision: export_precision.ExportPrecision = (
        export_precision.ExportPrecision.FLOAT32
    ),
    data_pattern: str | None = None,
) -> portable_file.Saved:
    """Writes `model.xml`, `model.bin`, companions, whole or not at all.

    The files are opened again before they appear, and have to predict what the
    model does, for records or for inputs drawn at random.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model of the run.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.
        precision: of what is no weight of a precision of its own.
        data_pattern: files of records to compare on, and to choose by how
            constants are stored; None draws inputs.

    Returns:
        What was written.

    Raises:
        ValueError: as `onnx.convert` does, or if the files do not predict the
            same.
        OSError: if they can't be written.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> saved = yt8m.inference.exports.openvino.save(
        ...     "openvino",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> yt8m.inference.exports.openvino.is_saved("openvino")
        True
        >>> saved.difference < 1e-5
        True
    """
    made = prepared.prepare(
        about, model, export, batch_size, data_pattern, open_function
    )
    tools = stored_constants.Tools(
        functools.partial(onnx.find_packed, least_bytes=_LEAST_BYTES),
        onnx.store_packed,
        functools.partial(onnx_constants.OnnxFile, least_bytes=_LEAST_BYTES),
        open_content,
    )
    content, lines = stored_constants.store(
        onnx.convert_smallest(made, _count_bytes, _LEAST_BYTES),
        made,
        precision,
        tools,
    )
    card = companions.Artefact(
        format="openvino",
        what="`model.xml` and `model.bin`, for OpenVINO.",
        usage=_USAGE,
    )
    return portable_file.save(
        folder,
        about,
        made,
        convert(content),
        openvino_artefact.OpenVinoModel,
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
        The bytes of two files, by name.

    Raises:
        ValueError: as `onnx.convert` does.
    """
    contents = onnx.convert_in_few_bits(function, precision, _LEAST_BYTES)
    return convert(contents[onnx.FILE_NAME])


def open_function(function: Any) -> openvino_artefact.OpenVinoModel:
    """Opens a file of a function, to predict on one thread.

    Args:
        function: of `portable_function.make_portable_function`.

    Raises:
        ValueError: as `onnx.convert` does.
    """
    return open_content(onnx.convert(function))


def open_content(content: bytes) -> openvino_artefact.OpenVinoModel:
    """Opens what OpenVINO makes of an ONNX file, to predict on one thread.

    Args:
        content: of `onnx.convert`.
    """
    return portable_file.open_contents(
        convert(content),
        functools.partial(openvino_artefact.OpenVinoModel, num_threads=1),
    )


def _count_bytes(content: bytes) -> int:
    return sum(map(len, convert(content).values()))


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))

"""Models as files of ONNX, of the operators that its standard has."""

# ruff: noqa: E402
from __future__ import annotations

from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Iterator, Mapping
import functools
import logging
import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import lazy
from yt8m_compact import quiet_logging
from yt8m_compact.inference.artefacts import onnx as onnx_artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import onnx_constants
from yt8m_compact.inference.exports import packages
from yt8m_compact.inference.exports import packed_constants
from yt8m_compact.inference.exports import portable_file
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.inference.exports import stored_constants

with lazy.imports():
    import onnx
    import tf2onnx

FILE_NAME = "model.onnx"
# The oldest version of the operators that all models are converted to: the
# older it is, the more runtimes open the file.
_OPSET = 15
# A file is one message of protocol buffers.
_MAX_BYTES = 2**31 - 1
_COMPLEX = (tf.complex64.as_datatype_enum, tf.complex128.as_datatype_enum)
_READ = "ReadVariableOp"  # becomes a constant
_BATCH = "batch"
# Smaller constants are sizes and the like, which need no place of their own.
_MIN_SHARED = 64
# Those of one value are said by it, if that is shorter.
_MIN_FILLED = 1024

_USAGE = """\
import onnxruntime

session = onnxruntime.InferenceSession("FOLDER/model.onnx")
(scores,) = session.run(["predictions"], inputs)"""


def expect_packages() -> None:
    """Refuses to go on without the packages that `save` needs.

    Raises:
        ValueError: if one is not installed.
    """
    packages.expect(("onnx", "onnxruntime", "tf2onnx"), "--format=onnx")


def convert(function: Any) -> bytes:
    """Converts a model to operators of the standard domain of ONNX.

    Args:
        function: of `portable_function.make_portable_function`.

    Returns:
        The bytes of a file.

    Raises:
        ValueError: if it has other operators, or more weights than a file
            holds.
    """
    _expect_fitting(function)
    _expect_real(function)
    inputs = {
        tensor.name: tensor.op.name
        for tensor in function.inputs
        if tensor.dtype != tf.resource
    }
    outputs = {
        tensor.name: name
        for name, tensor in function.structured_outputs.items()
    }
    # What the converter says of operators is told by errors here.
    quiet = quiet_logging.only(logging.CRITICAL, "tf2onnx")
    with quiet, tf.device("/cpu:0"):
        frozen = tf2onnx.tf_loader.from_function(
            function, list(inputs), list(outputs)
        )
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = tf2onnx.tfonnx.process_tf_graph(
                graph,
                opset=_OPSET,
                custom_op_handlers={"Erfc": (_write_erfc, [])},
                input_names=list(inputs),
                output_names=list(outputs),
                tensors_to_rename={**inputs, **outputs},
            )
        model = tf2onnx.optimizer.optimize_graph(
            converted, catch_errors=False
        ).make_model("yt8m_compact")
    _take_as_constants(model.graph, function.given)
    _expect_standard(model, function)
    _hoist_invariants(model.graph)
    _share_constants(model.graph)
    _fill_uniform_constants(model.graph)
    _name_batches(model.graph)
    _drop_unused_domains(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


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
    """Writes `model.onnx` and its companions, whole or not at all.

    The file is opened again before it appears, and has to predict what the
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
        ValueError: if the model has operators that ONNX has not, is too large,
            or the file does not predict the same.
        OSError: if it can't be written.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> saved = yt8m.inference.exports.onnx.save(
        ...     "onnx",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> yt8m.inference.exports.onnx.is_saved("onnx")
        True
        >>> saved.difference < 1e-5
        True
    """
    made = prepared.prepare(
        about, model, export, batch_size, data_pattern, open_function
    )
    tools = stored_constants.Tools(
        find_packed, store_packed, onnx_constants.OnnxFile, open_content
    )
    content, lines = stored_constants.store(
        convert_smallest(made), made, precision, tools
    )
    card = companions.Artefact(
        format="onnx",
        what="`model.onnx`, of the operators of the standard of ONNX only.",
        usage=_USAGE,
    )
    return portable_file.save(
        folder,
        about,
        made,
        {FILE_NAME: content},
        onnx_artefact.OnnxModel,
        card,
        precision,
        lines,
    )


def convert_in_few_bits(
    function: Any,
    precision: export_precision.ExportPrecision,
    least_bytes: int = few_bits.LEAST_BYTES,
) -> dict[str, bytes]:
    """Converts a model, all of its constants in a precision.

    Args:
        function: of `portable_function.make_portable_function`.
        precision: of all constants, whatever scores bear.
        least_bytes: of how many bytes a constant is worth operators that
            decode it.

    Returns:
        The bytes of a file, by its name.

    Raises:
        ValueError: as `convert` does.
    """
    file = onnx_constants.OnnxFile(convert(function), least_bytes)
    return {FILE_NAME: file.store(few_bits.lowest(file, precision))}


def find_packed(
    model: keras.Model, content: bytes, least_bytes: int = 0
) -> dict[str, onnx_constants.Stored]:
    """Finds the constants of a file that are weights of a precision.

    Args:
        model: the model that the file was made of.
        content: the file.
        least_bytes: of how many bytes a constant is worth operators that
            decode it.
    """
    constants = onnx_constants.OnnxGraph(content).constants()
    return packed_constants.find(
        model,
        {
            name: constant.values
            for name, constant in constants.items()
            if constant.values.nbytes >= least_bytes
        },
        onnx_constants.lay_out,
    )


def store_packed(
    content: bytes, packed: Mapping[str, onnx_constants.Stored]
) -> bytes:
    """Stores constants of a file in their bits.

    Args:
        content: the file.
        packed: of `find_packed`.
    """
    graph = onnx_constants.OnnxGraph(content)
    graph.store_all(packed)
    return graph.to_bytes()


def open_content(content: bytes) -> onnx_artefact.OnnxModel:
    """Opens a file that is not written yet, to predict on one thread.

    Args:
        content: the bytes of the file.
    """
    return portable_file.open_contents(
        {FILE_NAME: content},
        functools.partial(onnx_artefact.OnnxModel, num_threads=1),
    )


def open_function(function: Any) -> onnx_artefact.OnnxModel:
    """Opens a file of a function, to predict on one thread.

    Args:
        function: of `portable_function.make_portable_function`.

    Raises:
        ValueError: as `convert` does.
    """
    return open_content(convert(function))


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))


def convert_smallest(
    made: prepared.Prepared,
    count_bytes: Callable[[bytes], int] = len,
    least_bytes: int = 0,
) -> bytes:
    """Converts a model to what takes the fewest bytes, of bits of its own.

    Of weights with a precision that multiply by transforms, a file holds the
    spectra in floats, or the bits and the operators that make spectra of them,
    which runtimes do once, when they open it.

    Args:
        made: the model.
        count_bytes: says how many an ONNX file takes in the end.
        least_bytes: as of `find_packed`.

    Returns:
        The bytes of a file, with constants in float32.

    Raises:
        ValueError: as `convert` does.
    """
    content = convert(made.function)
    given = portable_function.with_spectra(made.model, made.forms)
    if not given:
        return content
    function = portable_function.make_portable_function(
        made.model, made.specs, made.forms, given
    )

    def count(content: bytes) -> int:
        packed = find_packed(made.model, content, least_bytes)
        return count_bytes(store_packed(content, packed))

    return min([content, convert(function)], key=count)


def _expect_fitting(function: Any) -> None:
    size = sum(
        variable.shape.num_elements() * variable.dtype.size
        for variable in function.variables
    )
    if size > _MAX_BYTES:
        raise ValueError(
            f"expected at most {_MAX_BYTES:,} bytes of weights, which is all "
            f"that an ONNX file holds. Received: {size:,} bytes; use "
            "--projection_export=auto, or another --format"
        )


def _expect_real(function: Any) -> None:
    """Refuses complex numbers, which no operator of ONNX takes."""
    found = {
        node.op
        for node in portable_function.nodes_of(function)
        if any(value.type in _COMPLEX for value in node.attr.values())
        and not (node.op == _READ or onnx.defs.has(node.op))
    }
    if found:
        raise _missing_operators(found, function)


def _take_as_constants(
    graph: onnx.GraphProto, values: Mapping[str, np.ndarray]
) -> None:
    """Makes constants of inputs, which kept the converter from using them."""
    for value in list(graph.input):
        if value.name in values:
            graph.input.remove(value)
            graph.initializer.append(
                onnx.numpy_helper.from_array(values[value.name], value.name)
            )


def _expect_standard(model: onnx.ModelProto, function: Any) -> None:
    found = {
        node.op_type
        for graph in _graphs_in(model.graph)
        for node in graph.node
        if node.domain or not onnx.defs.has(node.op_type)
    }
    if found:
        raise _missing_operators(found, function)


def _missing_operators(operators: set[str], function: Any) -> ValueError:
    places = "; ".join(
        f"{operator} in "
        + ", ".join(portable_function.layers_with(function, operator))
        for operator in sorted(operators)
    )
    return ValueError(
        f"expected operators that ONNX has. Received: {places}; use "
        "--projection_export=auto, or another model"
    )


def _write_erfc(context: Any, node: Any, name: str, args: list[Any]) -> None:
    """Writes 1 - erf(x), of which ONNX has the second."""
    (output,) = node.output
    shape, dtype = context.get_shape(output), context.get_dtype(output)
    value = node.input[0]
    context.remove_node(name)
    erf = context.make_node("Erf", [value], shapes=[shape], dtypes=[dtype])
    one = context.make_const(
        tf2onnx.utils.make_name(name),
        np.array(1, tf2onnx.utils.map_onnx_to_numpy_type(dtype)),
    )
    context.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        outputs=[output],
        name=name,
        shapes=[shape],
        dtypes=[dtype],
    )


def _graphs_in(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Lists a graph and the bodies of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs_in(attribute.g)


def _hoist_invariants(graph: onnx.GraphProto) -> None:
    """Lets loops read what they leave as it is, such as weights.

    The converter hands it from step to step instead, so that runtimes do not
    know that it stays, and OpenVINO refuses the loop.
    """
    for inner in _graphs_in(graph):
        for node in inner.node:
            if node.op_type == "Loop":
                _hoist_of_loop(inner, node)


def _hoist_of_loop(graph: onnx.GraphProto, loop: onnx.NodeProto) -> None:
    (body,) = [a.g for a in loop.attribute if a.name == "body"]
    outputs = [value.name for value in body.output]
    of_graph = {value.name for value in graph.output}
    # Before those that are carried come the number of the step and whether
    # there is one, which is also the first that comes out of the body.
    for place in reversed(range(len(loop.input) - 2)):
        carried = body.input[place + 2].name
        if (
            outputs[place + 1] != carried
            or outputs.count(carried) > 1
            or loop.output[place] in of_graph
        ):
            continue
        outer = loop.input[place + 2]
        _rename(body, carried, outer)
        _rename(graph, loop.output[place], outer)
        del loop.input[place + 2], loop.output[place]
        del body.input[place + 2], body.output[place + 1], outputs[place + 1]


def _share_constants(graph: onnx.GraphProto) -> None:
    """Writes equal matrices once: each loop has its own otherwise."""
    shared: dict[tuple[Any, ...], onnx.TensorProto] = {}
    for inner in list(_graphs_in(graph)):
        outputs = {value.name for value in inner.output}
        for tensor in list(inner.initializer):
            if len(tensor.raw_data) < _MIN_SHARED or tensor.name in outputs:
                continue
            key = (tensor.data_type, *tensor.dims, tensor.raw_data)
            if key not in shared:
                shared[key] = onnx.TensorProto()
                shared[key].CopyFrom(tensor)
                shared[key].name = f"constant_{len(shared)}"
            _rename(inner, tensor.name, shared[key].name)
            inner.initializer.remove(tensor)
    graph.initializer.extend(shared.values())


def _fill_uniform_constants(graph: onnx.GraphProto) -> None:
    """Says zeros and the like by their shape and one of them."""
    for tensor in list(graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.nbytes < _MIN_FILLED or (values != values.flat[0]).any():
            continue
        shape = np.array(values.shape, np.int64)
        sizes = onnx.numpy_helper.from_array(shape, f"{tensor.name}_shape")
        graph.initializer.remove(tensor)
        graph.initializer.append(sizes)
        value = onnx.numpy_helper.from_array(values.ravel()[:1])
        graph.node.insert(
            0,
            onnx.helper.make_node(
                "ConstantOfShape", [sizes.name], [tensor.name], value=value
            ),
        )


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Lets all that reads one value read another."""
    for inner in _graphs_in(graph):
        for node in inner.node:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new


def _name_batches(graph: onnx.GraphProto) -> None:
    """Calls the number of videos the same wherever it is free."""
    for value in (*graph.input, *graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if not first.HasField("dim_value"):
            first.dim_param = _BATCH


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    standard = [entry for entry in model.opset_import if not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)

"""Times the operators of a LiteRT file, each as a file of its own."""

from collections import defaultdict
import time
import warnings

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

_CALLS = 20
_NAMES = {
    code: name
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int)
}


def _alone(model: schema.ModelT, operator: schema.OperatorT) -> bytes:
    """Writes one operator, what it computes with as its inputs."""
    subgraph = model.subgraphs[0]
    alone = schema.ModelT()
    alone.version, alone.buffers = 3, [schema.BufferT()]
    alone.operatorCodes = [model.operatorCodes[operator.opcodeIndex]]
    places: dict[int, int] = {}
    part = schema.SubGraphT()
    part.tensors, part.inputs, part.outputs = [], [], []
    for index in [*operator.inputs, *operator.outputs]:
        if index < 0 or index in places:
            continue
        tensor = subgraph.tensors[index]
        copy = schema.TensorT()
        for name in ("shape", "type", "quantization", "name"):
            setattr(copy, name, getattr(tensor, name))
        data = model.buffers[tensor.buffer].data
        places[index] = len(part.tensors)
        part.tensors.append(copy)
        if data is not None and len(data):
            alone.buffers.append(model.buffers[tensor.buffer])
            copy.buffer = len(alone.buffers) - 1
        elif index in operator.inputs:
            part.inputs.append(places[index])
    copied = schema.OperatorT()
    copied.opcodeIndex = 0
    copied.inputs = [places.get(i, -1) for i in operator.inputs]
    copied.outputs = [places[i] for i in operator.outputs]
    copied.builtinOptionsType = operator.builtinOptionsType
    copied.builtinOptions = operator.builtinOptions
    part.operators, part.outputs = [copied], copied.outputs
    alone.subgraphs = [part]
    builder = flatbuffers.Builder(1024)
    builder.Finish(alone.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _milliseconds(content: bytes) -> float:
    with warnings.catch_warnings():
        # Of the same interpreter in a package of its own.
        warnings.simplefilter("ignore")
        model = tf.lite.Interpreter(model_content=content, num_threads=1)
    model.allocate_tensors()
    for details in model.get_input_details():
        shape, dtype = details["shape"], details["dtype"]
        model.set_tensor(details["index"], np.ones(shape, dtype))
    times = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        model.invoke()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def measure(content: bytes) -> dict[tuple[str, str], float]:
    """Times each operator, without those of subgraphs in loops.

    Args:
        content: a file, of one video at once.

    Returns:
        The milliseconds of all of a type in a layer; each is the best of 20.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        output = model.subgraphs[0].tensors[operator.outputs[0]]
        name = output.name.decode().split(";")[0]
        scope = name.split("/")[1] if name.count("/") > 1 else name
        try:
            found[scope, _NAMES[code]] += _milliseconds(_alone(model, operator))
        except (RuntimeError, ValueError):
            found[scope, f"{_NAMES[code]}, not timed"] += 0.0
    return dict(found)

"""Tests of how constants of ONNX files are stored."""

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from yt8m_compact import structures
from yt8m_compact.inference.artefacts import openvino_package
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import onnx_constants

_NAME = "scope/values"


def make_content(values, operator="Mul"):
    """Writes `x * values`, of the name of a layer."""
    make = onnx.helper.make_tensor_value_info
    shape = (
        (values.shape[-2], values.shape[-2])
        if operator == "MatMul"
        else (values.shape)
    )
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node(
                operator, ["x", _NAME], ["y"], name="scope/layer/product"
            )
        ],
        "test",
        [make("x", onnx.TensorProto.FLOAT, shape)],
        [make("y", onnx.TensorProto.FLOAT, values.shape)],
        [onnx.numpy_helper.from_array(values, _NAME)],
    )
    opset = onnx.helper.make_opsetid("", 15)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return model.SerializeToString()


def multiplied(content, shape):
    """Returns what each runtime makes of ones: the constant."""
    ones = np.ones(shape, np.float32)
    session = onnxruntime.InferenceSession(
        content, providers=["CPUExecutionProvider"]
    )
    yield session.run(None, {"x": ones})[0]
    compiled = openvino_package.load().compile_model(
        openvino_package.load().Core().read_model(content),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32"},
    )
    yield compiled([ones])[0]


def store(coded):
    """Stores a constant by its codes; returns the file and how it is stored."""
    values = coded.decode()
    stored = onnx_constants.lay_out(coded)
    np.testing.assert_array_equal(stored.decode(), values)
    graph = onnx_constants.OnnxGraph(make_content(values))
    graph.store_all({_NAME: stored})
    content = graph.to_bytes()
    for found in multiplied(content, values.shape):
        np.testing.assert_array_equal(found, values)
    return onnx.load_from_string(content), stored


def raw_bytes(model):
    return sum(len(t.raw_data) for t in model.graph.initializer)


def test_finds_a_constant():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    ((name, constant),) = (
        onnx_constants.OnnxGraph(make_content(values)).constants().items()
    )
    assert (name, constant.layer) == (_NAME, "scope/layer")
    np.testing.assert_array_equal(constant.values, values)
    assert not constant.in_columns
    content = make_content(values, "MatMul")
    assert onnx_constants.OnnxGraph(content).constants()[_NAME].in_columns


# So many of so many levels fit in a byte: 2^8, 3^5, 4^4, 6^3, 16^2, 17.
@pytest.mark.parametrize(
    ("levels", "per_byte"), [(2, 8), (3, 5), (4, 4), (6, 3), (16, 2), (17, 1)]
)
@pytest.mark.parametrize("shape", [(6, 40), (7, 11), (61,)])
def test_codes_fill_bytes(levels, per_byte, shape):
    rng = np.random.default_rng(levels)
    size = int(np.prod(shape))
    codes = (np.arange(size) % levels - levels // 2).astype(np.int8)
    codes = rng.permutation(codes).reshape(shape)
    coded = structures.CodedWeight(codes, np.full(shape, 0.1, np.float32))
    model, stored = store(coded)
    assert stored.per_byte == per_byte
    packed = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
        and len(tensor.dims) == 1
    ]
    assert [t.dims[0] for t in packed] == [-(-size // per_byte)]


@pytest.mark.parametrize("codes", [[3, 3, 3, 3], [0, 0, 0, 0]])
def test_codes_of_one_level(codes):
    codes = np.array(codes, np.int8)
    store(structures.CodedWeight(codes, np.full(4, 0.5, np.float32)))


def test_the_first_code_is_in_the_lowest_place():
    # Of -1, 0 and 2: 0 + 3 * 1 + 9 * 2 + 27 * 2 + 81 * 0, and 1.
    codes = np.array([-1, 0, 2, 2, -1, 0], np.int8)
    coded = structures.CodedWeight(codes, np.ones(6, np.float32))
    stored = onnx_constants.lay_out(coded)
    assert stored.to_bytes().tolist() == [75, 1]
    assert stored.table().shape == (243, 5)
    assert stored.table()[75].tolist() == [-1, 0, 2, 2, -1]


@pytest.mark.parametrize(
    ("runs", "shape", "count"),
    [
        ((6, 40), (6, 40), 1),
        ((1, 40), (6, 40), 6),
        ((6, 1), (6, 40), 40),
        # The last block has fewer values.
        ((4, 1), (6, 40), 80),
        ((1, 16), (6, 40), 18),
        ((2, 8), (6, 40), 15),
        ((2, 1, 3), (4, 5, 7), 30),
    ],
)
def test_scales_of_blocks(runs, shape, count):
    rng = np.random.default_rng(0)
    scales = np.arange(1, 1001, dtype=np.float32)
    blocks = [-(-size // run) for size, run in zip(shape, runs, strict=True)]
    scales = scales[: np.prod(blocks)].reshape(blocks)
    for axis, run in enumerate(runs):
        scales = scales.repeat(run, axis).take(range(shape[axis]), axis)
    codes = rng.integers(-1, 2, shape).astype(np.int8)
    # What 16 bits hold is stored in them.
    for factor, num_bytes in ((0.25, 2), (0.1, 4)):
        factors = scales * np.float32(factor)
        model, stored = store(structures.CodedWeight(codes, factors))
        assert stored.scales.size == count
        (kept,) = [
            tensor
            for tensor in model.graph.initializer
            if tensor.data_type
            in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
        ]
        assert len(kept.raw_data) == num_bytes * count


@pytest.mark.parametrize("dtype", [np.float16, tf.bfloat16.as_numpy_dtype])
def test_floats_of_16_bits(dtype):
    values = np.random.default_rng(0).standard_normal((6, 50)).astype(dtype)
    ones = np.ones(values.shape, np.float32)
    model, stored = store(structures.CodedWeight(values, ones))
    assert raw_bytes(model) == 2 * 300
    assert [node.op_type for node in model.graph.node] == ["Cast", "Mul"]
    assert 0 < stored.num_bytes - 600 < 1000
    with_scales = structures.CodedWeight(values, 2 * ones)
    assert onnx_constants.lay_out(with_scales) is None


def test_tables_are_shared():
    rng = np.random.default_rng(0)
    codes = rng.choice(np.array([-1, 1], np.int8), (8, 64))
    coded = structures.CodedWeight(codes, np.ones((8, 64), np.float32))
    content = make_content(coded.decode())
    model = onnx.load_from_string(content)
    other = onnx.TensorProto()
    other.CopyFrom(model.graph.initializer[0])
    other.name = "other"
    model.graph.initializer.append(other)
    model.graph.node[0].output[0] = "between"
    model.graph.node.append(
        onnx.helper.make_node("Mul", ["between", "other"], ["y"])
    )
    graph = onnx_constants.OnnxGraph(model.SerializeToString())
    stored = onnx_constants.lay_out(coded)
    graph.store_all({_NAME: stored, "other": stored})
    written = onnx.load_from_string(graph.to_bytes())
    # The table, twice 64 bytes of codes, a scale of 2 bytes and a shape.
    assert raw_bytes(written) == 2048 + 2 * (64 + 2) + 16


@pytest.mark.parametrize(
    ("level", "worst"), [("int8", 0.01), ("int4", 0.25), ("float16", 1e-3)]
)
@pytest.mark.parametrize("operator", ["Mul", "MatMul"])
def test_levels(level, worst, operator):
    # A scale a row, or for each column of what rows are multiplied by.
    rng = np.random.default_rng(0)
    factors = 1.2 ** np.arange(-20, 20)[:, np.newaxis]
    values = rng.uniform(-1, 1, (40, 40)) * factors
    values = (values.T if operator == "MatMul" else values).astype(np.float32)
    file = onnx_constants.OnnxFile(make_content(values, operator))
    assert not file.multiplies_whole_numbers(file.constants[_NAME])
    levels = {_NAME: few_bits.Level(level)}
    size = {"int8": 1600, "int4": 800, "float16": 3200}[level]
    stored = file.store(levels)
    assert size < len(stored) < size + 1300
    rounded = onnx_constants.OnnxGraph(file.rounded(levels)).constants()
    found = rounded[_NAME].values
    error = np.abs(found - values)
    error = error.T if operator == "MatMul" else error
    assert 0 < (error / factors).max() < worst
    if operator == "Mul":
        for product in multiplied(stored, values.shape):
            np.testing.assert_array_equal(product, found)
    nothing = {_NAME: few_bits.Level.FLOAT32}
    kept = onnx_constants.OnnxGraph(file.store(nothing)).constants()[_NAME]
    np.testing.assert_array_equal(kept.values, values)

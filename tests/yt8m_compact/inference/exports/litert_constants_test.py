"""Tests of how constants of LiteRT files are stored."""

import importlib.util

from ai_edge_litert import interpreter
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.inference.exports import litert_constants

_SHAPE = (3, 64)


@pytest.fixture(scope="module")
def content():
    """A file of `x * constant`, whose constant is 0, 1, ... / 100."""
    values = np.arange(192, dtype=np.float32).reshape(_SHAPE) / 100
    function = tf.function(
        lambda x: x * values, input_signature=[tf.TensorSpec(_SHAPE)]
    ).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    return converter.convert()


def multiplied(content):
    """Returns what a file makes of ones: its constant."""
    model = interpreter.Interpreter(model_content=content)
    model.allocate_tensors()
    model.set_tensor(
        model.get_input_details()[0]["index"], np.ones(_SHAPE, np.float32)
    )
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"])


def test_finds_a_constant(content):
    graph = litert_constants.LiteRtGraph(content)
    ((key, constant),) = graph.constants().items()
    expected = np.arange(192).reshape(_SHAPE) / 100
    np.testing.assert_allclose(constant.values, expected, rtol=1e-6)
    assert [use.operator for use in constant.uses] == ["MUL"]
    assert graph.operators() == ["MUL"]
    start = graph.offsets()[key]
    found = np.frombuffer(content[start : start + 768], np.float32)
    np.testing.assert_array_equal(found.reshape(_SHAPE), constant.values)
    np.testing.assert_array_equal(multiplied(graph.to_bytes()), constant.values)


def test_halves(content):
    graph = litert_constants.LiteRtGraph(content)
    ((key, constant),) = graph.constants().items()
    stored = litert_constants.Halves(constant.values.astype(np.float16))
    assert stored.num_bytes == 2 * 192
    graph.store(key, stored)
    written = graph.to_bytes()
    assert graph.operators() == ["DEQUANTIZE", "MUL"]
    expected = constant.values.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(stored.decode(), expected)
    np.testing.assert_array_equal(multiplied(written), expected)
    # The floats are gone.
    assert constant.values.tobytes() not in written


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_codes(content, bits, axis):
    graph = litert_constants.LiteRtGraph(content)
    ((key, _),) = graph.constants().items()
    rng = np.random.default_rng(bits)
    half = 2 ** (bits - 1)
    codes = rng.integers(-half, half, _SHAPE).astype(np.int8)
    count = 1 if axis is None else _SHAPE[axis]
    scales = rng.random(count).astype(np.float32)
    stored = litert_constants.Codes(codes, scales, axis or 0, bits)
    assert stored.num_bytes == 192 * bits / 8 + 12 * count
    graph.store_all({key: stored})
    rows = scales[np.newaxis] if axis == 1 else scales[:, np.newaxis]
    expected = codes.astype(np.float32) * rows
    np.testing.assert_array_equal(stored.decode(), expected)
    np.testing.assert_array_equal(multiplied(graph.to_bytes()), expected)


def test_codes_of_another_shape(content):
    # A scale for each 16 values of a row of 64.
    graph = litert_constants.LiteRtGraph(content)
    ((key, _),) = graph.constants().items()
    codes = np.random.default_rng(0).integers(-8, 8, (12, 16)).astype(np.int8)
    scales = np.arange(1, 13, dtype=np.float32) / 8
    graph.store(key, litert_constants.Codes(codes, scales, 0, 4))
    assert graph.operators() == ["DEQUANTIZE", "RESHAPE", "MUL"]
    expected = (codes * scales[:, np.newaxis]).reshape(_SHAPE)
    np.testing.assert_array_equal(multiplied(graph.to_bytes()), expected)


def test_bits_that_the_interpreter_has(monkeypatch):
    assert litert_constants.readable_bits() == (2, 4, 8)
    # An older TensorFlow alone.
    monkeypatch.delattr(
        litert_constants.schema.TensorType, "INT2", raising=False
    )
    assert litert_constants.readable_bits() == (2, 4, 8)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert litert_constants.readable_bits() == (8,)


def test_bytes_of_codes():
    # The first in the lowest bits, and an odd one alone.
    codes = np.array([1, -1, 7], np.int8)
    stored = litert_constants.Codes(codes, np.ones(1, np.float32), 0, 4)
    assert stored.to_bytes() == bytes([0xF1, 0x07])
    codes = np.array([1, -1, 0, -2, 1], np.int8)
    stored = litert_constants.Codes(codes, np.ones(1, np.float32), 0, 2)
    assert stored.to_bytes() == bytes([0b10_00_11_01, 0b01])

"""Tests of the forms of products: all the same, without operators of one."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import structures

FORMS = (structures.ProductForm.DFT, structures.ProductForm.DENSE)
# What LiteRT, ONNX or OpenVINO has not.
_UNPORTABLE = {"RFFT", "IRFFT", "FFT", "IFFT", "Complex", "Real", "Imag"}
SIZES = [(1, 1), (2, 5), (7, 3), (7, 17), (128, 300), (251, 100)]
TRANSFORMS = tuple(
    case
    for case, oracle in layer_conformance.ORACLES.items()
    if oracle.transforms
)


def operators(graph: tf.Graph) -> set[str]:
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    types = {node.op for node in nodes}
    values = {
        node.attr["dtype"].type
        for node in nodes
        if node.op == "Const"  # complex ones too
    }
    assert not values & {tf.complex64.as_datatype_enum, 18}
    return types


def assert_product(case, input_dim, units, form, shape=(3,)):
    layer = layer_conformance.make_layer(case, input_dim, units)
    kernel = layer_conformance.expected_kernel(case, layer)
    x = layer_conformance.random_rows(*shape, input_dim).astype("float32")
    asked = []

    def choose(*arguments):
        asked.append(arguments)
        return form

    function = tf.function(lambda x: layer(x, training=False), autograph=False)
    with structures.product_forms(choose):
        spec = tf.TensorSpec([None] * len(shape) + [input_dim])
        concrete = function.get_concrete_function(spec)
    parts = getattr(layer.structure, "parts", [layer.structure])
    assert asked == [(part, input_dim, units) for part in parts]
    if form is structures.ProductForm.DFT:
        assert not operators(concrete.graph) & _UNPORTABLE
    expected = x @ kernel + layer.bias.numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        concrete(tf.constant(x)), expected, rtol=0, atol=4e-6 * scale
    )


@pytest.mark.parametrize(("input_dim", "units"), SIZES)
@pytest.mark.parametrize("case", TRANSFORMS)
def test_transforms_equal_the_dense_product(case, input_dim, units):
    assert_product(case, input_dim, units, structures.ProductForm.DFT)


@pytest.mark.parametrize(
    ("case", "input_dim", "units"),
    [
        ("acdc", 1152, 512),
        ("block_circulant", 1152, 300),
        ("circulant, padded", 512, 3862),
        ("diagonal_circulant", 1152, 2400),
        ("diagonal_circulant", 3862, 128),
        ("toeplitz", 1152, 100),
    ],
)
def test_large_sizes(case, input_dim, units):
    assert_product(case, input_dim, units, structures.ProductForm.DFT)


@pytest.mark.parametrize("case", layer_conformance.FIRST_CASES)
@pytest.mark.parametrize("form", FORMS)
def test_any_structure_of_frames(case, form):
    assert_product(case, 7, 17, form, shape=(2, 3))


def test_it_is_the_usual_form_after():
    layer = layer_conformance.make_layer("circulant", 512, 1024)
    spec = tf.TensorSpec([3, 512])

    def trace():
        function = tf.function(lambda x: layer(x, training=False))
        return operators(function.get_concrete_function(spec).graph)

    assert not structures.are_chosen()
    with pytest.raises(KeyError):
        with structures.product_forms(lambda *_: structures.ProductForm.DFT):
            assert structures.are_chosen()
            assert "RFFT" not in trace()
            raise KeyError
    assert not structures.are_chosen()
    assert "RFFT" in trace()


def test_files_have_no_gradient_of_a_dense_product():
    weights = {"kernel": tf.ones([4, 5])}

    def multiply(x):
        return structures.Dense().multiply(weights, x, 5)

    def found():
        traced = tf.function(multiply)
        graph = traced.get_concrete_function(tf.TensorSpec([3, 4])).graph
        return operators(graph)

    assert "IdentityN" in found()
    with structures.product_forms(lambda *_: structures.ProductForm.DFT):
        assert "IdentityN" not in found()

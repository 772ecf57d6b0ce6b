"""Every case of projection multiplies by the dense matrix it stands for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import ops
from yt8m_compact import structures

SIZES = layer_conformance.SIZES
CASES = layer_conformance.CASES


def assert_close(result, expected, dtype):
    expected = np.asarray(expected)
    scale = np.abs(expected).max(initial=1e-30)
    tolerance = {"float32": 3e-6, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)


def test_every_structure_has_an_oracle():
    oracles = layer_conformance.ORACLES.values()
    classes = {type(oracle.structure) for oracle in oracles}
    assert classes == {*structures.STRUCTURES.values(), structures.Sum}


@pytest.mark.parametrize(
    ("input_dim", "units", "dtype"),
    [(*size, "float32") for size in SIZES]
    + [(*size, "float64") for size in layer_conformance.SMALL_SIZES],
)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_dense_product(case, input_dim, units, dtype):
    layer = layer_conformance.make_layer(case, input_dim, units, dtype=dtype)
    kernel = layer_conformance.expected_kernel(case, layer)
    assert kernel.shape == (input_dim, units)
    written = layer.as_dense_kernel()
    assert written.dtype == dtype
    assert_close(written, kernel, dtype)
    bias = layer.bias.numpy()
    for shape in [(5, input_dim), (2, 3, input_dim)]:
        x = layer_conformance.random_rows(*shape).astype(dtype)
        outputs = layer(x)
        assert outputs.dtype == dtype
        assert_close(outputs, x @ kernel + bias, dtype)
        assert_close(x @ written.numpy() + bias, x @ kernel + bias, dtype)


@pytest.mark.parametrize("units", [3, 1300])
@pytest.mark.parametrize("option", ["shared_diagonal", "pad_input", None])
def test_several_factors_are_written_out_some_rows_at_a_time(option, units):
    arguments = {option: True} if option else {}
    layer = layers.Projection(
        units, structures.DiagonalCirculant(num_factors=2, **arguments)
    )
    layer.build((None, 600))
    expected = ops.diagonal_circulant_kernel(
        tf.convert_to_tensor(layer.diagonal),
        tf.convert_to_tensor(layer.kernel),
        units,
        600,
    )
    written = layer.as_dense_kernel()
    assert written.shape == (600, units)
    assert_close(written, expected, "float32")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("use_bias", [True, False])
def test_has_the_weights_of_its_formula(case, use_bias):
    oracle = layer_conformance.ORACLES[case]
    for input_dim, units in SIZES:
        layer = layer_conformance.make_projection(
            case, units, use_bias=use_bias, kernel_initializer="zeros"
        )
        layer.build((None, input_dim))
        shapes = {w.name: tuple(w.shape) for w in layer.weights}
        bias = {"bias": (units,)} if use_bias else {}
        assert shapes == oracle.weight_shapes(input_dim, units) | bias
        count = oracle.weight_count(input_dim, units) + use_bias * units
        assert layer.count_params() == count
        assert count - use_bias * units == (
            layer.structure.num_weights(input_dim, units)
        )
        fixed = {w.name for w in layer.non_trainable_weights}
        assert fixed == set(oracle.fixed)
        assert layer.dense_weight_count == (input_dim + use_bias) * units
        assert isinstance(layer.multiply_adds, int)
        assert layer.multiply_adds > 0


@pytest.mark.parametrize("case", CASES)
def test_batch_and_frames_may_be_unknown(case):
    layer = layer_conformance.make_layer(case, 7, 17)
    kernel = layer_conformance.expected_kernel(case, layer)
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, 7])])
    def project(x):
        traces.append(x.shape)
        outputs = layer(x)
        assert outputs.shape.as_list() == [None, None, 17]
        return outputs

    for batch, frames in [(2, 3), (4, 1), (0, 3), (3, 0)]:
        x = layer_conformance.random_rows(batch, frames, 7).astype("float32")
        assert_close(project(x), x @ kernel + layer.bias.numpy(), "float32")
    assert len(traces) == 1


@pytest.mark.parametrize("case", CASES)
def test_symbolic_shape_is_the_eager_one(case):
    layer = layer_conformance.make_layer(case, 7, 17, dtype="mixed_bfloat16")
    symbolic = layer(keras.Input((None, 7)))
    assert symbolic.shape == (None, None, 17)
    assert symbolic.dtype == "bfloat16"
    assert layer.compute_output_shape((4, 5, 7)) == (4, 5, 17)
    assert layer(np.ones([4, 5, 7])).shape == (4, 5, 17)


@pytest.mark.parametrize("case", CASES)
def test_whole_numbers_are_projected_to_floats(case):
    layer = layer_conformance.make_layer(case, 7, 4)
    x = np.arange(21).reshape(3, 7)
    outputs = layer(x)
    assert outputs.dtype == "float32"
    kernel = layer_conformance.expected_kernel(case, layer)
    assert_close(outputs, x @ kernel + layer.bias.numpy(), "float32")


@pytest.mark.parametrize("case", CASES)
def test_a_row_does_not_depend_on_the_others(case):
    layer = layer_conformance.make_layer(case, 300, 700)
    x = layer_conformance.random_rows(3, 300).astype("float32")
    alone = np.concatenate([layer(row[np.newaxis]) for row in x])
    assert_close(layer(x), alone, "float32")

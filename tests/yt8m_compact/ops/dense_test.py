"""Tests of dense products and their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops


def draw(*shape, dtype=tf.float32):
    values = np.random.default_rng(len(shape)).normal(size=shape)
    return tf.constant(values, dtype)


def gradients(multiply, x, kernel, upstream):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        outputs = multiply(x, kernel)
    return [outputs, *tape.gradient(outputs, [x, kernel], upstream)]


@pytest.mark.parametrize("rows", [1, 7, 256, 257])
@pytest.mark.parametrize("traced", ["eager", "graph", "any rows", "XLA"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.bfloat16])
def test_outputs_and_gradients_are_those_of_matmul(rows, traced, dtype):
    arguments = draw(rows, 6), draw(6, 9), draw(rows, 9)
    arguments = [tf.cast(one, dtype) for one in arguments]
    expected = gradients(tf.matmul, *arguments)

    def compute(x, kernel, upstream):
        return gradients(ops.dense_matmul, x, kernel, upstream)

    if traced == "any rows":
        specs = [[None, 6], [6, 9], [None, 9]]
        compute = tf.function(
            compute, input_signature=[tf.TensorSpec(s, dtype) for s in specs]
        )
    elif traced != "eager":
        compute = tf.function(compute, jit_compile=traced == "XLA")
    found = compute(*arguments)
    tolerance = 0.05 if dtype == tf.bfloat16 else 2e-5
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert one.shape == other.shape
        np.testing.assert_allclose(
            tf.cast(one, tf.float64),
            tf.cast(other, tf.float64),
            rtol=tolerance,
            atol=tolerance,
        )


@pytest.mark.parametrize(("rows", "first"), [(256, "W"), (257, "G")])
def test_of_few_rows_the_matrix_comes_first(rows, first):
    """That is what is quicker; of more rows the other order."""

    @tf.function
    def compute(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = ops.dense_matmul(x, kernel)
        return tape.gradient(outputs, x)

    graph = compute.get_concrete_function(
        tf.TensorSpec([rows, 6]), tf.TensorSpec([6, 9])
    ).graph
    # One product alone gives a gradient of x, [6, rows] or [rows, 6].
    shapes = [
        operation.outputs[0].shape.as_list()
        for operation in graph.get_operations()
        if operation.type == "MatMul"
    ]
    assert ([6, rows] in shapes) == (first == "W")
    assert ([rows, 6] in shapes) == (first == "G")


def test_second_derivatives():
    x, kernel = draw(3, 4), draw(4, 5)

    def differentiate(multiply):
        with tf.GradientTape() as outer:
            outer.watch([x, kernel])
            with tf.GradientTape() as inner:
                inner.watch(x)
                outputs = tf.reduce_sum(multiply(x, kernel) ** 3)
            first = inner.gradient(outputs, x)
        return outer.gradient(first, [x, kernel])

    for one, other in zip(
        differentiate(ops.dense_matmul), differentiate(tf.matmul), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

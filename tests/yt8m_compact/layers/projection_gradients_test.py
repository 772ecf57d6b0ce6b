"""Gradients of every case of projection."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance

CASES = layer_conformance.CASES
# A run without the slow tests has one size of each case, and all cases together
# each size.
SIZES = [(1, 3), (7, 3), (3, 8)]
LARGE_SIZES = [(300, 400), (512, 100)]
GRADIENT_CASES = [
    pytest.param(
        case,
        *size,
        marks=[pytest.mark.slow] if (row + column) % len(SIZES) else [],
    )
    for row, case in enumerate(CASES)
    for column, size in enumerate(SIZES)
]


def make_layer(case, input_dim, units):
    return layer_conformance.make_layer(case, input_dim, units, dtype="float64")


@pytest.mark.parametrize(("case", "input_dim", "units"), GRADIENT_CASES)
def test_equal_finite_differences(case, input_dim, units):
    layer = make_layer(case, input_dim, units)

    fixed = [w.value for w in layer.non_trainable_variables]

    @tf.function(autograph=False)
    def project(x, *weights):
        return layer.stateless_call(weights, fixed, x)[0]

    x = layer_conformance.random_rows(2, input_dim)
    arguments = [x, *(w.numpy() for w in layer.trainable_variables)]
    analytic, numeric = tf.test.compute_gradient(project, arguments)
    for ours, theirs in zip(analytic, numeric, strict=True):
        scale = np.abs(theirs).max()
        assert scale > 1e-4
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize(("input_dim", "units"), LARGE_SIZES)
@pytest.mark.parametrize("case", CASES)
def test_equal_those_of_the_dense_product(case, input_dim, units):
    layer = make_layer(case, input_dim, units)
    x = tf.constant(layer_conformance.random_rows(3, input_dim))
    upstream = layer_conformance.random_rows(3, units, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * upstream)
    weights = layer_conformance.weights_by_name(layer)
    sources = {w.name: w.value for w in layer.trainable_variables}
    of_x, gradients = tape.gradient(loss, (x, sources))

    kernel = layer_conformance.expected_kernel(case, layer)
    scale = np.abs(kernel).max()
    np.testing.assert_allclose(of_x, upstream @ kernel.T, atol=1e-10 * scale)
    np.testing.assert_allclose(gradients["bias"], upstream.sum(0), atol=1e-9)
    # The kernel is linear in each of its weights, or in each of their factors,
    # so that a step of any size in one changes the loss by exactly gradient
    # times step.
    oracle = layer_conformance.ORACLES[case]
    num_factors = oracle.num_factors
    assert set(gradients) == {*oracle.trained(input_dim, units), "bias"}
    for name in oracle.trained(input_dim, units):
        for factor in range(num_factors):
            step = np.zeros(weights[name].shape)
            step[factor::num_factors] = layer_conformance.random_rows(
                *step[factor::num_factors].shape, seed=3
            )
            moved = {**weights, name: weights[name] + step}
            change = oracle.dense_kernel(moved, input_dim, units) - kernel
            expected = np.sum(upstream * (x.numpy() @ change))
            result = np.sum(gradients[name].numpy() * step)
            size = np.linalg.norm(gradients[name]) * np.linalg.norm(step)
            assert size > 0.1
            np.testing.assert_allclose(
                result, expected, rtol=1e-9, atol=1e-9 * size
            )

"""Every case of projection in 16 bits."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance

CASES = layer_conformance.CASES
# Half the distance between 1 and the next number.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


@pytest.mark.parametrize("compute", ROUNDING)
@pytest.mark.parametrize("case", CASES)
def test_computes_in_16_bits_with_float32_weights(case, compute):
    layer = layer_conformance.make_layer(
        case, 300, 700, dtype=f"mixed_{compute}"
    )
    x = tf.cast(layer_conformance.random_rows(4, 300), compute)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") ** 2)
    assert outputs.dtype == compute
    kernel = layer_conformance.expected_kernel(case, layer)
    expected = tf.cast(x, "float64").numpy() @ kernel + layer.bias.numpy()
    # The terms of a sum are rounded once each.
    tolerance = 4 * ROUNDING[compute] * np.abs(expected).max()
    np.testing.assert_allclose(
        tf.cast(outputs, "float64"), expected, rtol=0, atol=tolerance
    )
    sources = [w.value for w in layer.trainable_variables]
    of_x, *gradients = tape.gradient(loss, [x, *sources])
    assert of_x.dtype == compute
    for weight, gradient in zip(sources, gradients, strict=True):
        assert weight.dtype == gradient.dtype == "float32"
    bias_gradient = gradients[
        [w.name for w in layer.trainable_weights].index("bias")
    ]
    np.testing.assert_allclose(
        bias_gradient,
        2 * expected.sum(0),
        atol=8 * ROUNDING[compute] * np.abs(expected).max() * 4,
    )
    assert layer.as_dense_kernel().dtype == "float32"


@pytest.mark.parametrize("compute", ROUNDING)
@pytest.mark.parametrize(
    "case",
    [
        case
        for case, oracle in layer_conformance.ORACLES.items()
        if oracle.transforms
    ],
)
def test_transforms_are_float32(case, compute):
    layer = layer_conformance.make_layer(
        case, 300, 700, use_bias=False, dtype=f"mixed_{compute}"
    )
    x = tf.cast(layer_conformance.random_rows(4, 300), compute)
    kernel = layer_conformance.expected_kernel(case, layer)
    expected = tf.cast(tf.cast(x, "float64") @ kernel, compute)
    # Only the result is rounded: weights or sums in 16 bits would change a
    # third of the entries and more, errors of float32 next to none.
    same = np.mean(layer(x).numpy() == expected.numpy())
    assert same > 0.98

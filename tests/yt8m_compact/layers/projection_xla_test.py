"""Every case of projection under XLA."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance

ORACLES = layer_conformance.ORACLES
# Small ones of each structure, and large ones of those with transforms.
SIZES = {
    type(ORACLES[case].structure): (case, 7, 17) for case in ORACLES
}.values()
LARGE_SIZES = [(case, 300, 700) for case in ORACLES if ORACLES[case].transforms]


@pytest.mark.parametrize(("case", "input_dim", "units"), [*SIZES, *LARGE_SIZES])
def test_equals_the_product_without_xla(case, input_dim, units):
    layer = layer_conformance.make_layer(
        case, input_dim, units, activation="tanh"
    )
    signature = [
        tf.TensorSpec([None, None, input_dim]),
        tf.TensorSpec([None, None, units]),
    ]

    def outputs_and_gradients(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            loss = tf.reduce_sum(outputs * upstream)
        weights = [w.value for w in layer.trainable_variables]
        return outputs, *tape.gradient(loss, [x, *weights])

    compiled = tf.function(
        outputs_and_gradients,
        input_signature=signature,
        jit_compile=True,
        autograph=False,
    )
    x = tf.constant(layer_conformance.random_rows(2, 3, input_dim), "float32")
    upstream = layer_conformance.random_rows(2, 3, units, seed=2)
    upstream = tf.constant(upstream, "float32")
    expected = outputs_and_gradients(x, upstream)
    assert len(expected) == 2 + len(layer.trainable_weights)
    for ours, theirs in zip(compiled(x, upstream), expected, strict=True):
        scale = np.abs(theirs).max()
        assert scale > 1e-5
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)

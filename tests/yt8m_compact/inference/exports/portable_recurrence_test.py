"""Tests of recurrent layers in operators that other runtimes have."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import portable_recurrence
from yt8m_compact.inference.exports import projection_export


@pytest.mark.parametrize("precision", ["int8", "binary", "bfloat16"])
def test_weights_are_rounded_before_loops(precision):
    keras.utils.set_random_seed(0)
    frames = keras.Input([3, 12], name="frames")
    cell = layers.GruCell(4, f"dense@{precision}")
    outputs = keras.layers.RNN(cell)(frames)
    model = keras.Model({"frames": frames}, outputs)
    specs = portable_function.input_specs(model, None, 3)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.DFT
    )
    assert not portable_function.layers_with(function, "Bitcast")
    assert portable_function.layers_with(function, "MatMul")
    # The rounded weights are kept: each is as it was decoded.
    (expected,) = cell.recurrent_projection.decoded().values()
    kept = [variable.numpy() for variable in function.frozen.kept]
    assert any(
        np.array_equal(value, expected)
        for value in kept
        if value.shape == expected.shape
    )
    inputs = np.random.default_rng(0).standard_normal((2, 3, 12))
    inputs = {"frames": tf.constant(inputs, tf.float32)}
    np.testing.assert_allclose(
        function(**inputs)["predictions"], model(inputs), atol=1e-6
    )


def test_layers_round_again_afterwards():
    features = keras.Input([8], name="features")
    projection = layers.Projection(4, "dense@int4")
    model = keras.Model({"features": features}, projection(features))
    with portable_recurrence.decoded_ahead(model, {}):
        projection.kernel.assign(2 * projection.kernel)
        before = projection.decoded()["kernel"].numpy()
    after = projection.decoded()["kernel"].numpy()
    np.testing.assert_array_equal(after, 2 * before)
    assert before.any()

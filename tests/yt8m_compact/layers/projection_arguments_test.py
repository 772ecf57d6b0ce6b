"""The arguments of every case of projection act as those of Dense."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

CASES = layer_conformance.CASES
ORACLES = layer_conformance.ORACLES


def make_dense_twin(case, layer, **arguments):
    """Makes the keras.layers.Dense that a built projection stands for."""
    dense = keras.layers.Dense(layer.units, **arguments)
    dense.build((None, layer.input_dim))
    kernel = layer_conformance.expected_kernel(case, layer)
    bias = [] if layer.bias is None else [layer.bias.numpy()]
    dense.set_weights([kernel, *bias])
    return dense


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("activation", "use_bias"),
    [(None, True), ("relu6", False), ("sigmoid", True), (tf.nn.elu, False)],
)
def test_activation_and_bias_are_those_of_dense(case, activation, use_bias):
    arguments = {"activation": activation, "use_bias": use_bias}
    layer = layer_conformance.make_layer(case, 7, 17, **arguments)
    dense = make_dense_twin(case, layer, **arguments)
    x = layer_conformance.random_rows(2, 3, 7).astype("float32")
    expected = dense(x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(layer(x), expected, atol=3e-6 * scale)


@pytest.mark.parametrize("name", structures.STRUCTURES)
def test_arguments_after_the_structure_have_the_order_of_dense(name):
    layer = layers.Projection(3, name, "tanh", False, "he_normal")
    assert layer.structure == structures.STRUCTURES[name]()
    assert layer.activation is keras.activations.tanh
    assert layer.use_bias is False
    assert isinstance(layer.kernel_initializer, keras.initializers.HeNormal)


@pytest.mark.parametrize("case", CASES)
def test_bias_and_activity_regularizers_are_those_of_dense(case):
    arguments = {
        "bias_initializer": keras.initializers.RandomNormal(seed=3),
        "bias_regularizer": keras.regularizers.L1(0.5),
        "activity_regularizer": keras.regularizers.L2(0.25),
    }
    layer = layer_conformance.make_projection(case, 17, **arguments)
    layer.build((None, 7))
    dense = make_dense_twin(case, layer, **arguments)
    fresh = keras.layers.Dense(17, **arguments)
    fresh.build((None, 7))
    np.testing.assert_array_equal(layer.bias, fresh.bias)
    x = layer_conformance.random_rows(5, 7).astype("float32")
    layer(x), dense(x)
    assert len(layer.losses) == len(dense.losses) == 2
    losses = sorted(float(loss) for loss in layer.losses)
    expected = sorted(float(loss) for loss in dense.losses)
    assert expected[0] > 0
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_kernel_regularizer_is_over_all_that_is_trained_but_the_bias(case):
    layer = layer_conformance.make_layer(
        case, 7, 17, kernel_regularizer=keras.regularizers.L2(0.5)
    )
    weights = layer_conformance.weights_by_name(layer)
    expected = sum(
        0.5 * np.sum(weights[name] ** 2)
        for name in ORACLES[case].trained(7, 17)
    )
    np.testing.assert_allclose(
        sum(float(loss) for loss in layer.losses), expected, rtol=1e-5
    )


@pytest.mark.parametrize("case", CASES)
def test_initializers_of_none_are_glorot_and_zeros(case):
    keras.utils.set_random_seed(4)
    layer = layer_conformance.make_projection(
        case, 17, kernel_initializer=None, bias_initializer=None
    )
    layer.build((None, 7))
    keras.utils.set_random_seed(4)
    default = layer_conformance.make_projection(case, 17)
    default.build((None, 7))
    weights = layer_conformance.weights_by_name(layer)
    expected = layer_conformance.weights_by_name(default)
    assert list(weights) == list(expected)
    for name, value in weights.items():
        np.testing.assert_array_equal(value, expected[name])
    np.testing.assert_array_equal(layer.bias, np.zeros(17))


@pytest.mark.parametrize("case", CASES)
def test_constraints_hold_after_a_step(case):
    layer = layer_conformance.make_layer(
        case,
        7,
        17,
        kernel_constraint=keras.constraints.NonNeg(),
        bias_constraint=keras.constraints.MaxNorm(0.125),
    )
    x = layer_conformance.random_rows(5, 7).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    variables = layer.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    keras.optimizers.SGD(0.01).apply(gradients, variables)
    weights = layer_conformance.weights_by_name(layer)
    for name in ORACLES[case].trained(7, 17):
        assert weights[name].min() >= 0
        assert weights[name].max() > 0
    for name in ORACLES[case].initialized:
        assert weights[name].min() == 0
    np.testing.assert_allclose(
        np.linalg.norm(weights["bias"]), 0.125, rtol=1e-5
    )


@pytest.mark.parametrize("case", CASES)
def test_initializers_that_do_not_scale_are_used_as_they_are(case):
    initializer = keras.initializers.RandomNormal(mean=3.0, seed=1)
    layer = layer_conformance.make_projection(
        case, 17, kernel_initializer=initializer
    )
    layer.build((None, 7))
    weights = layer_conformance.weights_by_name(layer)
    shapes = ORACLES[case].weight_shapes(7, 17)
    first, *others = ORACLES[case].initialized
    expected = np.asarray(initializer(shapes[first]))
    np.testing.assert_array_equal(weights[first], expected)
    for name in others:
        # Other values, since the products of equal ones would not be random.
        same = np.asarray(initializer(shapes[name]))
        assert not np.isclose(weights[name], same).any()
        assert 2.5 < weights[name].mean() < 3.5


@pytest.mark.parametrize("case", CASES)
def test_frozen_layer_has_no_trainable_weights(case):
    layer = layer_conformance.make_layer(case, 7, 17, trainable=False)
    assert layer.trainable_weights == []
    assert layer.non_trainable_weights == layer.weights


@pytest.mark.parametrize("case", CASES)
def test_keras_mask_is_passed_on(case):
    layer = layer_conformance.make_layer(case, 7, 17)
    x = layer_conformance.random_rows(2, 3, 7).astype("float32")
    x[1, 2] = 0
    masked = keras.layers.Masking()(x)
    mask = keras.layers.Dense(17)(masked)._keras_mask
    np.testing.assert_array_equal(layer(masked)._keras_mask, mask)
    np.testing.assert_array_equal(mask, [[True] * 3, [True, True, False]])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("units", [0, -3, 2.0, "3", None])
def test_bad_units_are_refused(case, units):
    with pytest.raises(
        ValueError,
        match=rf"expected a positive int\. Received: units={units!r}",
    ):
        layer_conformance.make_projection(case, units)


@pytest.mark.parametrize("case", CASES)
def test_unknown_last_dimension_is_refused(case):
    layer = layer_conformance.make_projection(case, 3, name="fc")
    with pytest.raises(
        ValueError,
        match=r"expected an input with a known last dimension\. Received: "
        r"input_shape=\(None, None\), layer=fc",
    ):
        layer.build((None, None))


@pytest.mark.parametrize("case", CASES)
def test_layer_that_is_not_built_is_refused(case):
    layer = layer_conformance.make_projection(case, 3, name="fc")
    for ask in [
        layer.as_dense_kernel,
        lambda: layer.dense_weight_count,
        lambda: layer.multiply_adds,
    ]:
        with pytest.raises(
            ValueError, match=r"expected a built layer: .* Received: layer=fc"
        ):
            ask()


@pytest.mark.parametrize("case", CASES)
def test_input_of_another_shape_is_refused(case):
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        layer_conformance.make_projection(case, 3)(np.arange(7.0))
    layer = layer_conformance.make_layer(case, 7, 17)
    with pytest.raises(ValueError, match="expected axis -1 .* value 7"):
        layer(np.ones([2, 8]))


def test_a_dense_projection_without_its_diagonal():
    layer = layers.Projection(
        3, structures.Dense(zero_diagonal=True), dtype="float64"
    )
    x = tf.constant([[1.0, 2.0, 4.0], [3.0, -1.0, 2.0]], "float64")
    layer(x)
    matrix = np.arange(1.0, 10.0).reshape(3, 3)
    layer.kernel.assign(matrix)
    layer.bias.assign([0.5, 0.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = layer(x)
        loss = tf.reduce_sum(result)
    # 2 * 4 + 4 * 7 + 0.5, 1 * 2 + 4 * 8, 1 * 3 + 2 * 6; then -4 + 14 + 0.5,
    # 6 + 16, 9 - 6.
    expected = [[36.5, 34.0, 15.0], [10.5, 22.0, 3.0]]
    np.testing.assert_allclose(result, expected)
    without = [[0, 2, 3], [4, 0, 6], [7, 8, 0]]
    np.testing.assert_array_equal(layer.as_dense_kernel(), without)
    of_x, of_kernel = tape.gradient(loss, [x, layer.kernel.value])
    np.testing.assert_allclose(of_x, [[5, 10, 15]] * 2)
    # Columns sums of x, 4, 1 and 6, and nothing on the diagonal.
    np.testing.assert_allclose(of_kernel, [[0, 4, 4], [1, 0, 1], [6, 6, 0]])
    again = layers.Projection.from_config(layer.get_config())
    assert again.structure.zero_diagonal


def test_the_diagonal_of_a_matrix_that_is_not_square():
    layer = layers.Projection(3, "dense(zero_diagonal=True)")
    with pytest.raises(
        ValueError,
        match="expected as many units as inputs with zero_diagonal=True. "
        "Received: units=3, input_dim=4",
    ):
        layer.build((None, 4))

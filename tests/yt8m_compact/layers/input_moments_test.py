"""Moments of inputs of layers, against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers

ROWS = layer_conformance.random_rows(600, 4).astype("float32") + 2


def make_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, "relu", name="first")
    outputs = layers.Projection(3, "low_rank(rank=1)", name="last")
    # One layer is called twice.
    return keras.Model(inputs, outputs(hidden(hidden(inputs))))


def check(moments, rows):
    rows = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
    assert moments.num_rows == len(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        moments.second, rows.T @ rows / len(rows), rtol=1e-5
    )
    np.testing.assert_allclose(
        moments.covariance, np.cov(rows.T, bias=True), atol=1e-5
    )


@pytest.mark.parametrize("how", ["array", "list", "dataset"])
def test_equal_those_of_numpy(how):
    model = make_model()
    first, last = model.get_layer("first"), model.get_layer("last")
    data = {
        "array": ROWS,
        "list": [ROWS[:7], ROWS[7:]],
        "dataset": tf.data.Dataset.from_tensor_slices(ROWS).batch(100),
    }[how]
    found = layers.collect_input_moments(model, [last, first], data)
    hidden = np.maximum(ROWS @ first.kernel + first.bias, 0)
    again = np.maximum(hidden @ first.kernel + first.bias, 0)
    check(found[0], again)
    check(found[1], np.concatenate([ROWS, hidden]))
    # The model is as before.
    assert "call" not in vars(first)
    assert "call" not in vars(last)


def test_leading_axes_are_rows():
    layer = layers.Projection(5, "circulant")
    model = keras.Sequential([keras.Input((3, 4)), layer])
    rows = ROWS.reshape(-1, 3, 4)
    (found,) = layers.collect_input_moments(model, [layer], rows)
    check(found, rows)


def test_masked_rows_do_not_count():
    layer = layers.Projection(5, "circulant")
    model = keras.Sequential(
        [keras.Input((3, 4)), keras.layers.Masking(9.0), layer]
    )
    rows = np.array(ROWS.reshape(-1, 3, 4))
    rows[::2, 2] = 9
    (found,) = layers.collect_input_moments(model, [layer], rows)
    check(found, rows[(rows != 9).any(axis=2)])


@pytest.mark.slow
def test_of_layers_within_a_graph():
    layer = layers.Projection(4, "circulant")

    class Graph(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layer

        def call(self, inputs):
            return tf.function(self.inner)(inputs)

    model = keras.Sequential([keras.Input((4,)), Graph()])
    (found,) = layers.collect_input_moments(model, [layer], ROWS)
    check(found, ROWS)


def test_no_more_rows_than_asked_for():
    model = make_model()
    read = []

    def batches():
        for start in range(0, 600, 100):
            read.append(start)
            yield ROWS[start : start + 100]

    (found,) = layers.collect_input_moments(
        model, [model.get_layer("last")], batches(), max_rows=150
    )
    assert found.num_rows == 150
    assert read == [0, 100]


def test_few_rows_are_shrunk_to_white_ones():
    second = np.array([[4.0, 1.0], [1.0, 2.0]])
    moments = layers.InputMoments(np.array([1.0, 0.5]), second, 6)
    # 6 rows, and 2 of white inputs with moments (4 + 2) / 2.
    np.testing.assert_allclose(
        moments.error_weights(centered=False), [[3.75, 0.75], [0.75, 2.25]]
    )
    # Covariance 3, .5, 1.75; white ones of 2.375.
    np.testing.assert_allclose(
        moments.error_weights(centered=True),
        [[2.84375, 0.375], [0.375, 1.90625]],
    )


def test_share_of_the_output_that_is_kept():
    rows = ROWS.astype(np.float64)
    moments = layers.InputMoments(
        rows.mean(axis=0), rows.T @ rows / len(rows), len(rows)
    )
    kernel = layer_conformance.random_rows(4, 3)
    other = kernel + 0.3 * layer_conformance.random_rows(4, 3, seed=2)
    lost, output = rows @ (kernel - other), rows @ kernel
    np.testing.assert_allclose(
        moments.share_kept(kernel, other, centered=False),
        1 - np.sum(lost**2) / np.sum(output**2),
    )
    np.testing.assert_allclose(
        moments.share_kept(kernel, other, centered=True),
        1 - lost.var(axis=0).sum() / output.var(axis=0).sum(),
    )
    zeros = np.zeros([4, 3])
    assert moments.share_kept(zeros, zeros, centered=True) == 1


@pytest.mark.parametrize(
    ("mean", "second", "num_rows"),
    [([1.0], np.eye(2), 1), ([1.0, 2], np.ones(2), 1), ([1.0], [[1.0]], 0)],
)
def test_what_are_no_moments_are_refused(mean, second, num_rows):
    with pytest.raises(
        ValueError,
        match=r"expected a mean \[input_dim\], second moments .* some rows\. "
        rf"Received: mean\.shape=.*num_rows={num_rows}",
    ):
        layers.InputMoments(np.array(mean), np.array(second), num_rows)


def test_bad_data_are_refused():
    model = make_model()
    last = model.get_layer("last")
    with pytest.raises(
        ValueError,
        match="expected data that reach every layer.*no input of layer=last",
    ):
        layers.collect_input_moments(model, [last], [])
    assert "call" not in vars(last)
    rows = np.array(ROWS)
    rows[3, 2] = np.inf
    with pytest.raises(
        ValueError, match="inputs that are not finite of layer=last"
    ):
        layers.collect_input_moments(model, [last], rows)
    with pytest.raises(
        ValueError, match=r"expected rows\. Received: max_rows=0"
    ):
        layers.collect_input_moments(model, [last], ROWS, max_rows=0)


def test_compactify_keeps_more_of_the_outputs_with_data():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu", bias_initializer="random_normal"),
            keras.layers.Dense(16, name="head"),
        ]
    )
    expected = model(ROWS).numpy()
    errors = [
        np.mean(
            (
                layers.compactify(model, "circulant", data, layer_names="head")(
                    ROWS
                ).numpy()
                - expected
            )
            ** 2
        )
        for data in (None, ROWS)
    ]
    assert errors[1] < 0.5 * errors[0]

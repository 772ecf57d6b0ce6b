"""Tests of functions of frozen weights, against NumPy."""

import numpy as np
import tensorflow as tf

from yt8m_compact.inference import frozen_function

ROWS = tf.TensorSpec([None, 3], tf.float32)
X = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 4.0]], np.float32)


def call(function, x=X):
    return tf.function(function, autograph=False)(tf.constant(x)).numpy()


def variable(*values):
    return tf.Variable(np.array(values, np.float32))


def test_what_weights_give_is_kept_until_the_next_refresh():
    weight, other = variable(1.0, 2.0, 3.0), variable(4.0, 5.0, 6.0)

    def function(x):
        return x * tf.square(weight) * tf.constant(2.0) + tf.cumsum(other)

    frozen = frozen_function.FrozenFunction(function, [ROWS])
    kept = sorted(value.numpy().tolist() for value in frozen.kept)
    assert kept == [[1.0, 4.0, 9.0], [4.0, 9.0, 15.0]]
    np.testing.assert_array_equal(call(frozen), X * 2 * kept[0] + kept[1])
    weight.assign([2.0, 2.0, 2.0])
    np.testing.assert_array_equal(call(frozen), X * 2 * kept[0] + kept[1])
    frozen.refresh()
    np.testing.assert_array_equal(call(frozen), X * 8 + kept[1])


def test_weights_as_they_are_are_not_copied():
    kernel = tf.Variable(tf.reshape(tf.range(6.0), [3, 2]))
    frozen = frozen_function.FrozenFunction(lambda x: x @ kernel, [ROWS])
    assert not frozen.kept
    expected = X @ np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(call(frozen), expected)


def test_casts_are_kept_in_16_bits():
    kernel = tf.Variable(tf.reshape(tf.range(6.0), [3, 2]))
    frozen = frozen_function.FrozenFunction(
        lambda x: tf.cast(x, tf.bfloat16) @ tf.cast(kernel, tf.bfloat16),
        [ROWS],
        may_grow=False,
    )
    assert [value.dtype for value in frozen.kept] == [tf.bfloat16]
    expected = X @ np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(
        call(lambda x: tf.cast(frozen(x), tf.float32)), expected
    )


def test_what_grows_is_kept_where_it_may():
    weight = tf.Variable(tf.range(1.0, 33.0))

    def function(x):
        outer = weight[:3, tf.newaxis] * weight
        spectrum = tf.signal.rfft(weight)
        return x @ outer + tf.signal.irfft(spectrum * tf.complex(x[0, 0], 0.0))

    w = np.arange(1.0, 33.0)
    expected = X @ np.outer(w[:3], w) + X[0, 0] * w
    shapes = {}
    for may_grow in (True, False):
        frozen = frozen_function.FrozenFunction(
            function, [ROWS], may_grow=may_grow
        )
        np.testing.assert_allclose(call(frozen), expected, rtol=1e-5)
        shapes[may_grow] = sorted(list(v.shape) for v in frozen.kept)
    # 17 complex values are little more than 32, and 96 are not.
    assert shapes == {True: [[3, 32], [17]], False: [[17]]}


def test_loops_and_branches():
    weight = variable(1.0, 2.0, 3.0)

    def function(x):
        (x,) = tf.while_loop(
            lambda x: tf.reduce_sum(x) < 100,
            lambda x: [x + tf.square(weight)],
            [x],
        )
        return tf.cond(x[0, 0] > 0, lambda: x * weight, lambda: x)

    # The sum of both rows is 6.5 and grows by 28 each time: four times.
    expected = (X + 4 * np.array([1.0, 4.0, 9.0])) * [1.0, 2.0, 3.0]
    frozen = frozen_function.FrozenFunction(function, [ROWS])
    np.testing.assert_allclose(call(frozen), expected)


def test_what_waits_for_inputs_or_is_random_is_not_kept():
    weight = variable(1.0, 2.0, 3.0)

    def function(x):
        noise = tf.random.uniform([3]) * weight
        with tf.control_dependencies([x]):
            late = tf.square(weight)
        return x + noise + late

    frozen = frozen_function.FrozenFunction(function, [ROWS])
    assert not frozen.kept
    run = tf.function(frozen, autograph=False)
    first, second = run(tf.constant(X)), run(tf.constant(X))
    assert np.all(first != second)
    noise = first - X - [1.0, 4.0, 9.0]
    assert np.all(noise >= -1e-6) and np.all(noise <= [1.0, 2.0, 3.0])


def test_nothing_waits_for_what_is_kept():
    weight = variable(1.0, 2.0, 3.0)

    def function(x):
        square = tf.square(weight)
        with tf.control_dependencies([square]):
            return tf.identity(x) * square

    frozen = frozen_function.FrozenFunction(function, [ROWS])
    np.testing.assert_array_equal(call(frozen), X * [1.0, 4.0, 9.0])
    graph = tf.function(frozen).get_concrete_function(ROWS).graph
    assert "Square" not in {op.type for op in graph.get_operations()}


def test_output_that_is_given():
    weight = variable(1.0, 2.0, 3.0)
    for function, expected in [
        (lambda x: x, X),
        (lambda x: weight.value(), [1.0, 2.0, 3.0]),
    ]:
        frozen = frozen_function.FrozenFunction(function, [ROWS])
        np.testing.assert_array_equal(call(frozen), expected)


def test_gradients_of_their_own_keep_nothing(tmp_path):
    weight = variable(1.0, 2.0, 3.0)

    def function(x):
        @tf.custom_gradient
        def multiply(x, weight):
            return x * tf.square(weight), lambda up: (up, up * x * weight)

        return multiply(x, weight)

    frozen = frozen_function.FrozenFunction(function, [ROWS])
    assert [v.numpy().tolist() for v in frozen.kept] == [[1.0, 4.0, 9.0]]
    module = tf.Module()
    module.kept = frozen.kept  # and the weight itself is read no more
    module.predict = tf.function(frozen, input_signature=[ROWS])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(
        loaded.predict(tf.constant(X)), X * [1.0, 4.0, 9.0]
    )


def test_one_of_several_results():
    weight, other = variable(1.0, 2.0, 3.0), variable(4.0, 5.0, 6.0)

    def function(x):
        y = x * tf.square(weight)
        return [y + tf.cumsum(other), y]

    frozen = frozen_function.FrozenFunction(function, [ROWS])
    squares = np.array([1.0, 4.0, 9.0])
    np.testing.assert_array_equal(call(frozen), X * squares + [4, 9, 15])
    second = tf.function(lambda x: frozen(x, output=1), autograph=False)
    np.testing.assert_array_equal(second(tf.constant(X)), X * squares)
    # Nothing that the other result alone is made of.
    graph = second.get_concrete_function(ROWS).graph
    assert not {"Add", "AddV2"} & {op.type for op in graph.get_operations()}

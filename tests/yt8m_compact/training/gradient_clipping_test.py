"""Tests of clipping: as TensorFlow's, and nothing computed where it fits."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.training import gradient_clipping

HOWS = ("eager", "graph", "XLA")


def call(how, clip, gradients, max_norm):
    def run(*gradients):
        return clip(gradients, max_norm)

    if how != "eager":
        run = tf.function(run, jit_compile=how == "XLA")
    return run(*gradients)


def tensors(*values):
    return [tf.constant(value, tf.float32) for value in values]


@pytest.mark.parametrize("how", HOWS)
def test_each_by_its_own_norm(how):
    # Norms 5, 3 and 13: that of 3 stays in every bit, where x * 3 / 3 would
    # round, and the others are scaled to 3.
    small = np.float32([[1.1, -0.7], [0.3, 0.9]])
    found = call(
        how,
        gradient_clipping.clip_each,
        tensors([3.0, -4.0], small, [[5.0], [12.0]]),
        3.0,
    )
    np.testing.assert_allclose(found[0], [1.8, -2.4], rtol=1e-6)
    np.testing.assert_array_equal(found[1], small)
    np.testing.assert_allclose(found[2], [[15 / 13], [36 / 13]], rtol=1e-6)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # g * bound / norm, with a norm of NaN or infinity.
        ([np.nan, 0.5], [np.nan, np.nan]),
        ([np.inf, 0.5], [np.nan, 0.0]),
        ([0.5, -np.inf], [0.0, np.nan]),
        # Squares that a float32 can't hold.
        ([1e20, -2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_what_is_no_number_stays_visible(how, values, expected):
    gradients = tensors(values)
    found = call(how, gradient_clipping.clip_each, gradients, 1.0)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(tf.clip_by_norm(gradients[0], 1.0), expected)


@pytest.mark.parametrize("how", HOWS)
def test_together_by_the_norm_of_all(how):
    gradients = tensors([3.0, -4.0], [[12.0]])  # norm 13
    clip = gradient_clipping.clip_together
    found = call(how, clip, gradients, 6.5)
    np.testing.assert_allclose(found[0], [1.5, -2.0], rtol=1e-6)
    np.testing.assert_allclose(found[1], [[6.0]], rtol=1e-6)
    found = call(how, clip, tensors([1.1, -0.7], [[0.3]]), 3.0)
    np.testing.assert_array_equal(found[0], np.float32([1.1, -0.7]))
    np.testing.assert_array_equal(found[1], np.float32([[0.3]]))


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_together_all_become_nan(how, value):
    gradients = tensors([value, 1.0], [2.0])
    found = call(how, gradient_clipping.clip_together, gradients, 1.0)
    expected, _ = tf.clip_by_global_norm(gradients, 1.0)
    for one, other in zip(found, expected, strict=True):
        assert np.isnan(one).all()
        assert np.isnan(other).all()


def test_float64_keeps_its_precision():
    one = tf.constant([3.0, 4.0], tf.float64)
    two = tf.constant([12.0], tf.float32)
    found = gradient_clipping.clip_together([one, two], 1.0)
    np.testing.assert_allclose(found[0], [3 / 13, 4 / 13], rtol=1e-15)
    assert found[1].dtype == tf.float32


@pytest.mark.parametrize(
    "clip", [gradient_clipping.clip_each, gradient_clipping.clip_together]
)
def test_sparse_and_missing_gradients(clip):
    sparse = tf.IndexedSlices(
        tf.constant([[3.0], [-4.0]]), tf.constant([4, 2]), tf.constant([6, 1])
    )
    found, nothing = clip([sparse, None], 2.5)
    assert nothing is None
    np.testing.assert_allclose(found.values, [[1.5], [-2.0]], rtol=1e-6)
    np.testing.assert_array_equal(found.indices, [4, 2])
    np.testing.assert_array_equal(found.dense_shape, [6, 1])


@pytest.mark.parametrize(
    "clip", [gradient_clipping.clip_each, gradient_clipping.clip_together]
)
def test_what_fits_is_not_computed(clip):
    gradient = tf.constant([0.25, 0.5])
    assert clip([gradient], 1.0)[0] is gradient


@pytest.mark.parametrize("jit_compile", [False, True])
def test_xla_has_no_branches(jit_compile):
    function = tf.function(
        lambda x: gradient_clipping.clip_each([x], 1.0), jit_compile=jit_compile
    )
    graph = function.get_concrete_function(tf.TensorSpec([2])).graph
    types = {operation.type for operation in graph.get_operations()}
    assert bool(types & {"If", "StatelessIf"}) != jit_compile

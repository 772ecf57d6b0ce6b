"""Tests of normalised frames against NumPy and finite differences.

Those of `layers.FrameNormalization` compare with the layers of Keras.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.ops import frame_normalization

EPSILON = 0.01
POOLINGS = ("max", "average", None)
GAMMA = np.array([1.5, -0.7, 0.4])
BETA = np.array([0.5, -0.3, 1.0])


def make_batch():
    """Makes frames of four videos, one of them empty, another with a hole."""
    values = np.random.default_rng(0).standard_normal((4, 5, 3)) + [-3, 0, 1]
    mask = np.arange(5) < np.array([[3], [0], [5], [1]])
    mask[2, 1] = False
    return values, mask


def normalize_slowly(values, mask, moments, pooling):
    mean, variance = moments
    outputs = GAMMA * (values - mean) / np.sqrt(variance + EPSILON) + BETA
    outputs = np.tanh(outputs)
    if pooling is None:
        return outputs
    pool = {"max": np.max, "average": np.mean}[pooling]
    return np.stack(
        [
            pool(frames[there], axis=0) if there.any() else np.zeros(3)
            for frames, there in zip(outputs, mask, strict=True)
        ]
    )


def arguments(pooling):
    return {"epsilon": EPSILON, "activation": tf.tanh, "pooling": pooling}


def normalize(values, mask, pooling, gamma=GAMMA, beta=BETA):
    return ops.normalize_frames(
        *(tf.convert_to_tensor(t) for t in (values, mask, gamma, beta)),
        **arguments(pooling),
    )


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("least_compiled", [1, 256])
def test_equals_numpy(pooling, least_compiled, monkeypatch):
    monkeypatch.setattr(frame_normalization, "_LEAST_COMPILED", least_compiled)
    values, mask = make_batch()
    found = normalize(values, mask, pooling)
    frames = values[mask]
    moments = (frames.mean(axis=0), frames.var(axis=0))
    np.testing.assert_allclose(found.mean, moments[0], rtol=1e-12)
    np.testing.assert_allclose(found.variance, moments[1], rtol=1e-12)
    np.testing.assert_allclose(
        found.outputs,
        normalize_slowly(values, mask, moments, pooling),
        rtol=1e-11,
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_by_given_moments_equals_numpy(pooling):
    values, mask = make_batch()
    moments = (np.array([-2.0, 0.5, 0.0]), np.array([2.0, 0.25, 1.0]))
    found = ops.normalize_frames_by(
        *map(tf.constant, (values, mask, GAMMA, BETA, *moments)),
        **arguments(pooling),
    )
    np.testing.assert_allclose(
        found, normalize_slowly(values, mask, moments, pooling), rtol=1e-11
    )


@pytest.mark.parametrize("padding", [0.0, np.nan])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_products_by_given_moments_equal_numpy(pooling, padding):
    x, mask = make_batch()
    kernel = np.random.default_rng(3).standard_normal((3, 3))
    moments = (np.array([-2.0, 0.5, 0.0]), np.array([2.0, 0.25, 1.0]))
    expected = normalize_slowly(x @ kernel, mask, moments, pooling)
    if pooling == "max":  # otherwise what is no number is seen
        x[~mask] = padding
    columns = tf.split(tf.constant(kernel), [2, 1], axis=1)
    blocks = ops.normalize_products_by(
        tf.constant(x),
        [{"kernel": some} for some in columns],
        [Columns(width, uses_transforms=False) for width in (2, 1)],
        tf.constant(mask),
        *(
            tf.split(tf.constant(values), [2, 1])
            for values in (GAMMA, BETA, *moments)
        ),
        **arguments(pooling),
    )
    assert [block.shape[-1] for block in blocks] == [2, 1]
    np.testing.assert_allclose(tf.concat(blocks, axis=-1), expected, rtol=1e-11)


def test_no_time_at_all_by_given_moments():
    # Of videos without any frame in the batch.
    found = ops.normalize_frames_by(
        tf.zeros([2, 0, 3], tf.float64),
        tf.zeros([2, 0], tf.bool),
        *map(tf.constant, (GAMMA, BETA, BETA, BETA**2)),
        **arguments("max"),
    )
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_are_finite_differences(pooling):
    values, mask = make_batch()
    upstream = np.random.default_rng(1).standard_normal((4, 5, 3))
    upstream = upstream if pooling is None else upstream[:, 0]

    def loss(values, gamma, beta):
        found = normalize(values, mask, pooling, gamma, beta)
        return tf.reduce_sum(found.outputs * upstream)

    given = [values, GAMMA, BETA]
    tensors = [tf.constant(array) for array in given]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = loss(*tensors)
    for place, gradient in enumerate(tape.gradient(total, tensors)):
        array = given[place]
        expected = np.zeros(array.size)
        for entry in range(array.size):
            sides = []
            for step in [1e-5, -1e-5]:
                moved = [other.copy() for other in given]
                moved[place].flat[entry] += step
                sides.append(loss(*moved).numpy())
            expected[entry] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(
            gradient.numpy().ravel(), expected, rtol=1e-6, atol=1e-8
        )


@dataclasses.dataclass(frozen=True)
class Columns:
    """The product with some columns."""

    width: int
    uses_transforms: bool

    def __call__(self, weights, x):
        return x @ weights["kernel"]


@pytest.mark.slow
@pytest.mark.parametrize("input_gradient", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_products_by_blocks_are_the_product(
    pooling, input_gradient, monkeypatch
):
    monkeypatch.setattr(frame_normalization, "_LEAST_COMPILED", 1)
    x, mask = make_batch()
    rng = np.random.default_rng(2)
    kernel = tf.constant(rng.standard_normal((3, 7)))
    gamma, beta = (tf.constant(rng.standard_normal(7)) for _ in range(2))
    x, mask = tf.constant(x), tf.constant(mask)
    results = []
    for widths in [[7], [4, 2, 1]]:
        # Some by XLA, some not.
        products = [
            Columns(width, uses_transforms=width < 3) for width in widths
        ]
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, gamma, beta])
            columns = tf.split(kernel, widths, axis=1)
            blocks = ops.normalize_products(
                x,
                [{"kernel": some} for some in columns],
                products,
                mask,
                tf.split(gamma, widths),
                tf.split(beta, widths),
                input_gradient=input_gradient,
                **arguments(pooling),
            )
            outputs = tf.concat([b.outputs for b in blocks], axis=-1)
            loss = tf.reduce_sum(outputs * np.arange(1.0, 8))
        gradients = tape.gradient(loss, [x, kernel, gamma, beta])
        assert (gradients[0] is not None) == input_gradient
        mean, variance = (
            tf.concat([getattr(b, name) for b in blocks], axis=0)
            for name in ("mean", "variance")
        )
        found = [outputs, mean, variance, *gradients]
        results.append([t for t in found if t is not None])
    # And those of the product that exists as one.
    with tf.GradientTape() as tape:
        tape.watch([x, kernel, gamma, beta])
        whole = normalize(x @ kernel, mask, pooling, gamma, beta)
        loss = tf.reduce_sum(whole.outputs * np.arange(1.0, 8))
    gradients = tape.gradient(loss, [x, kernel, gamma, beta])
    expected = [*whole, *(gradients if input_gradient else gradients[1:])]
    for found in results:
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)

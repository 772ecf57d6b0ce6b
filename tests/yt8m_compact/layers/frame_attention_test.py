"""Tests of attention over frames; the models' tests have its values."""

import re

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from yt8m_compact import layers

NUM_FRAMES = np.array([4, 1, 0, 5])


def make_batch(size):
    rng = np.random.default_rng(0)
    batch = [rng.normal(0, 1.5, (4, 5, size)) for _ in range(3)]
    mask = np.arange(5) < NUM_FRAMES[:, np.newaxis]
    return [x.astype("float32") for x in batch], mask


def spoil(batch, mask, garbage):
    return [
        tf.constant(np.where(mask[..., np.newaxis], x, garbage), "float32")
        for x in batch
    ]


@pytest.mark.parametrize("garbage", [0, 1e30, np.nan, -np.inf])
def test_decisions_of_the_frames_that_are_there(garbage):
    layer = layers.DecisionAttention(2)
    (v, u, _), mask = make_batch(6)
    expected = np.zeros((4, 3))
    for video, count in enumerate(NUM_FRAMES):
        for c in range(3) if count else ():
            for column in (2 * c, 2 * c + 1):  # the heads of a class
                attention = v[video, :count, column].astype("float64")
                weights = scipy.special.softmax(attention)
                decisions = scipy.special.expit(u[video, :count, column])
                expected[video, c] += weights @ decisions / 2
    spoiled = spoil([v, u], mask, garbage)
    with tf.GradientTape() as tape:
        tape.watch(spoiled)
        result = layer([*spoiled, mask])
        loss = tf.reduce_sum(result[:, ::2])
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
    assert not result[2].numpy().any()
    for gradient in tape.gradient(loss, spoiled):
        assert np.isfinite(gradient).all()
        assert not gradient.numpy()[~mask].any()


@pytest.mark.parametrize("garbage", [1e30, np.nan, -np.inf])
def test_frames_do_not_attend_to_padding(garbage):
    layer = layers.FrameAttention(2)
    batch, mask = make_batch(6)
    spoiled = spoil(batch, mask, garbage)
    with tf.GradientTape() as tape:
        tape.watch(spoiled)
        result = layer([*spoiled, mask])
        present = tf.boolean_mask(result, mask)
        loss = tf.reduce_sum(present[:, ::2])
    assert np.isfinite(result).all()
    assert not result[2].numpy().any()
    for gradient in tape.gradient(loss, spoiled):
        assert np.isfinite(gradient).all()
        assert not gradient.numpy()[~mask].any()
    for video, count in enumerate(NUM_FRAMES):
        if count:
            alone = [x[video : video + 1, :count] for x in batch]
            alone.append(np.ones((1, count), bool))
            np.testing.assert_allclose(
                layer(alone)[0], result[video, :count], rtol=0, atol=1e-6
            )


@pytest.mark.parametrize(
    "cls", [layers.DecisionAttention, layers.FrameAttention]
)
def test_config_round_trip_and_wrong_heads(cls):
    layer = cls(3, name="attention")
    again = cls.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.num_heads == 3
    with pytest.raises(ValueError, match="positive int. Received: num_heads=0"):
        cls(0)


def test_heads_that_do_not_divide_the_size_are_refused():
    shapes = [(None, None, 4)] * 3 + [(None, None)]
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected a size that the heads divide. Received: num_heads=3, "
            f"input_shape={shapes}"
        ),
    ):
        layers.FrameAttention(3).build(shapes)


def test_positions():
    result = layers.FramePositions()(np.full((2, 4, 3), 10.0, "float32"))
    # ceil(3 / 2) = 2 sines, of t and t / 100, and a cosine of t.
    t = np.arange(4.0)
    expected = 10 + np.stack([np.sin(t), np.sin(t / 100), np.cos(t)], axis=1)
    np.testing.assert_allclose(result, [expected] * 2, rtol=1e-6)

"""Tests of NeXtVLAD; tests/models/frame_models_test.py has its gradients."""

import re

import numpy as np
import pytest
import tensorflow as tf

import numpy_poolings
from yt8m_compact import layers

NUM_FRAMES = np.array([4, 1, 0, 5])


def make_batch():
    rng = np.random.default_rng(0)
    batch = [rng.normal(0, 1.5, (4, 5, size)) for size in (6, 6, 2)]
    mask = np.arange(5) < NUM_FRAMES[:, np.newaxis]
    return [x.astype("float32") for x in batch], mask


def make_layer():
    layer = layers.NextVlad(2)
    layer.build([(None, None, size) for size in (6, 6, 2)] + [(None, None)])
    centers = np.random.default_rng(1).uniform(0.5, 1.5, (3, 3))
    layer.centers.assign(centers)
    return layer


@pytest.mark.parametrize("garbage", [0, 1e30, np.nan, -np.inf])
def test_equals_the_equation_and_padding_does_not_count(garbage):
    layer = make_layer()
    batch, mask = make_batch()
    expected = [
        numpy_poolings.next_vlad(
            *(x[video, :count].astype("float64") for x in batch),
            layer.centers.numpy(),
        )
        for video, count in enumerate(NUM_FRAMES)
    ]
    spoiled = [
        tf.constant(np.where(mask[..., np.newaxis], x, garbage), "float32")
        for x in batch
    ]
    with tf.GradientTape() as tape:
        tape.watch(spoiled)
        result = layer([*spoiled, mask])
        loss = tf.reduce_sum(result[:, ::2])
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    assert not result[2].numpy().any()
    for gradient in tape.gradient(loss, spoiled):
        assert np.isfinite(gradient).all()
        assert not gradient.numpy()[~mask].any()


def test_config_round_trip_and_weights():
    layer = layers.NextVlad(4, name="vlad")
    again = layers.NextVlad.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    sizes = (800, 400, 4)
    again.build([(None, None, size) for size in sizes] + [(None, None)])
    assert [w.shape for w in again.weights] == [(200, 100)]
    # He: sqrt(2 / 200).
    np.testing.assert_allclose(np.std(again.centers), 0.1, rtol=0.03)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="positive int. Received: groups=0"):
        layers.NextVlad(0)
    for sizes in [(6, 5, 2), (5, 6, 2), (6, 6, 3)]:
        shapes = [(None, None, size) for size in sizes] + [(None, None)]
        with pytest.raises(
            ValueError,
            match=re.escape(
                "expected frames and activations whose sizes the groups "
                "divide, and an attention for each group. Received: groups=2, "
                f"input_shape={shapes}"
            ),
        ):
            layers.NextVlad(2).build(shapes)

"""Tests of pooling over frames."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.layers import frame_pooling

METHODS = frame_pooling.POOLING_METHODS
NUM_FRAMES = np.array([4, 1, 0, 6, 3])


def make_batch(max_frames=6, dtype="float32"):
    """Makes values, all below zero in one column, and masks with a hole."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((5, max_frames, 4)).astype(dtype)
    values[..., 0] -= 10
    mask = np.arange(max_frames) < NUM_FRAMES[:, np.newaxis]
    mask[3, 2] = False
    return values, mask


def pool_slowly(values, mask, method):
    rows = []
    for video, present in zip(values.astype(np.float64), mask, strict=True):
        frames = [v for v, here in zip(video, present, strict=True) if here]
        if not frames:
            rows.append(np.zeros(values.shape[-1]))
        elif method == "max":
            rows.append(np.max(frames, axis=0))
        else:
            rows.append(sum(frames) / len(frames))
    return np.array(rows)


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("method", METHODS)
def test_equals_a_loop_over_the_frames(method, dtype):
    values, mask = make_batch()
    layer = layers.FramePooling(method, dtype=dtype)
    result = layer([values, mask])
    assert result.dtype == layer.compute_dtype
    tolerance = 0.02 if dtype == "mixed_bfloat16" else 1e-6
    np.testing.assert_allclose(
        tf.cast(result, "float64"),
        pool_slowly(values, mask, method),
        rtol=tolerance,
        atol=tolerance,
    )
    np.testing.assert_array_equal(result[2], np.zeros(4))


@pytest.mark.parametrize("method", METHODS)
def test_padding_does_not_count(method):
    values, mask = make_batch()
    layer = layers.FramePooling(method)
    expected = layer([values, mask])
    for garbage in [1e30, -1e30, np.inf, np.nan]:
        padded = np.where(mask[..., np.newaxis], values, garbage)
        padded = padded.astype("float32")
        np.testing.assert_array_equal(layer([padded, mask]), expected)
        longer = np.pad(
            padded, [(0, 0), (0, 3), (0, 0)], constant_values=garbage
        )
        longer_mask = np.pad(mask, [(0, 0), (0, 3)])
        np.testing.assert_allclose(
            layer([longer, longer_mask]), expected, rtol=1e-6
        )
    for video in range(5):
        alone = values[video : video + 1, mask[video]]
        shorter = layer([alone, np.ones(alone.shape[:2], bool)])
        if mask[video].any():
            np.testing.assert_allclose(shorter[0], expected[video], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_order_of_frames_does_not_count(method):
    values, mask = make_batch()
    order = np.array([5, 2, 0, 3, 1, 4])
    layer = layers.FramePooling(method)
    np.testing.assert_allclose(
        layer([values[:, order], mask[:, order]]),
        layer([values, mask]),
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_the_frames_that_are_there(method):
    values, mask = make_batch()
    upstream = np.random.default_rng(1).standard_normal((5, 4))
    x = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = layers.FramePooling(method)([x, mask])
        loss = tf.reduce_sum(result * upstream.astype("float32"))
    expected = np.zeros(values.shape)
    for video in range(5):
        (present,) = np.nonzero(mask[video])
        for column in range(4 if present.size else 0):
            if method == "average":
                share = upstream[video, column] / present.size
                expected[video, present, column] = share
            else:
                best = present[np.argmax(values[video, present, column])]
                expected[video, best, column] = upstream[video, column]
    np.testing.assert_allclose(
        tape.gradient(loss, x), expected, rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("compute", ["float16", "bfloat16"])
def test_average_of_many_frames_in_16_bits(compute):
    # 299 is no bfloat16, and the sum of 300 values is no float16.
    rng = np.random.default_rng(0)
    values = tf.cast(rng.uniform(200, 400, (2, 300, 5)), compute)
    mask = np.arange(300) < np.array([[300], [299]])
    layer = layers.FramePooling("average", dtype=f"mixed_{compute}")
    result = layer([values, mask])
    wide = tf.cast(values, "float64").numpy()
    expected = tf.cast(pool_slowly(wide, mask, "average"), compute)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("method", METHODS)
def test_batch_and_frames_may_be_unknown_and_xla_agrees(method):
    layer = layers.FramePooling(method)
    signature = [
        tf.TensorSpec([None, None, 4]),
        tf.TensorSpec([None, None], tf.bool),
    ]
    values, mask = make_batch()
    expected = layer([values, mask])
    for jit_compile in [False, True]:
        pool = tf.function(
            lambda values, mask: layer([values, mask]),
            input_signature=signature,
            jit_compile=jit_compile,
        )
        np.testing.assert_allclose(pool(values, mask), expected, rtol=1e-6)
        np.testing.assert_allclose(
            pool(values[:2, :5], mask[:2, :5]), expected[:2], rtol=1e-6
        )


def test_videos_without_any_frame_slot():
    values, mask = np.zeros([2, 0, 4], "float32"), np.zeros([2, 0], bool)
    for method in METHODS:
        result = layers.FramePooling(method)([values, mask])
        np.testing.assert_array_equal(result, np.zeros([2, 4]))


@pytest.mark.parametrize("method", METHODS)
def test_config_round_trip_and_symbolic_shape(method):
    layer = layers.FramePooling(method, name="pooling")
    again = layers.FramePooling.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.method, again.name) == (method, "pooling")
    symbolic = again(
        [keras.Input((None, 4)), keras.Input((None,), dtype="bool")]
    )
    assert symbolic.shape == (None, 4)


def test_keras_mask_of_the_frames_ends_here():
    values, mask = make_batch()
    masked = keras.layers.Masking()(tf.constant(values))
    assert masked._keras_mask is not None
    result = layers.FramePooling()([masked, tf.constant(mask)])
    assert getattr(result, "_keras_mask", None) is None


def test_default_is_max():
    assert layers.FramePooling().method == "max"


def test_unknown_method_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected one of max, average\. Received: method='mean'",
    ):
        layers.FramePooling("mean")

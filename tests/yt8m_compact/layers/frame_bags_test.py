"""Tests of bags of frames and of their average."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import numpy_poolings
from yt8m_compact import layers
from yt8m_compact import readers

NUM_FRAMES = np.array([4, 1, 0, 14, 6], "int32")


def make_frames(max_frames=14):
    rng = np.random.default_rng(0)
    shape = (len(NUM_FRAMES), max_frames, 3)
    return rng.integers(0, 256, shape).astype("uint8")


@pytest.mark.parametrize(("bags", "size"), [(3, 2), (1, 5), (4, 1), (2, 10)])
def test_equals_the_equation(bags, size):
    frames = make_frames()
    dealt, mask = layers.FrameBags(bags, size)([frames, NUM_FRAMES])
    assert (dealt.dtype, mask.dtype) == ("uint8", "bool")
    dealt = dealt.numpy().reshape(5, bags, size, 3)
    mask = mask.numpy().reshape(5, bags, size)
    for video, count in enumerate(NUM_FRAMES):
        assert (mask[video] == (count > 0)).all()
        if count:
            expected = numpy_poolings.bags(frames[video, :count], bags, size)
            np.testing.assert_array_equal(dealt[video], expected)


def test_bags_of_six_frames_by_hand():
    frames = np.arange(6, dtype="uint8").reshape(1, 6, 1)

    def deal(bags, size, count):
        result, _ = layers.FrameBags(bags, size)([frames, np.array([count])])
        return result.numpy()[:, :, 0].tolist()

    assert deal(2, 3, 6) == [[0, 2, 4], [1, 3, 5]]
    # Twelve places for six frames: 0 0 1 1 2 2 3 3 4 4 5 5.
    assert deal(3, 4, 6) == [[0, 1, 3, 4], [0, 2, 3, 5], [1, 2, 4, 5]]
    # Two frames of six, at 1/4 and 3/4.
    assert deal(1, 2, 6) == [[1, 4]]
    # Each bag spans the whole of a short video: 0 0 0 1 1 1.
    assert deal(2, 3, 2) == [[0, 0, 1], [0, 1, 1]]


def test_same_frames_whether_the_reader_or_the_layer_samples():
    # yt8m-eval samples while it reads; from tensors the layer sees all frames.
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (7, 40, 3)).astype("uint8")
    counts = tf.constant([40, 13, 12, 11, 1, 0, 25])
    reader = readers.FrameLevelReader(
        feature_names=("rgb",),
        feature_sizes=(3,),
        frame_sampling=readers.FrameSampling.EVEN,
        num_sampled_frames=12,
    )
    layer = layers.FrameBags(4, 3)
    direct, mask = layer([frames, counts])
    sampled, sampled_mask = layer([*reader.sample(frames, counts)])
    np.testing.assert_array_equal(mask, sampled_mask)
    present = mask.numpy()
    np.testing.assert_array_equal(direct[present], sampled[present])


def test_padding_and_batch_do_not_count():
    frames = make_frames()
    layer = layers.FrameBags(3, 2)
    expected, _ = layer([frames, NUM_FRAMES])
    other = frames.copy()
    for video, count in enumerate(NUM_FRAMES):
        other[video, count:] = 255 - other[video, count:]
        alone = frames[video : video + 1, :count]
        bags, mask = layer([alone, NUM_FRAMES[video : video + 1]])
        assert mask.numpy().all() == (count > 0)
        if count:
            rows = slice(3 * video, 3 * video + 3)
            np.testing.assert_array_equal(bags, expected[rows])
    bags, mask = layer([other, NUM_FRAMES])
    np.testing.assert_array_equal(bags[mask], expected[mask])


def test_more_frames_claimed_than_there_are():
    frames = make_frames(6)
    layer = layers.FrameBags(3, 2)
    np.testing.assert_array_equal(
        layer([frames, np.full(5, 9)])[0], layer([frames, np.full(5, 6)])[0]
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batch_and_frames_may_be_unknown_and_xla_agrees(jit_compile):
    layer = layers.FrameBags(3, 2)
    deal = tf.function(
        lambda frames, num_frames: layer([frames, num_frames]),
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8),
            tf.TensorSpec([None], tf.int32),
        ],
        jit_compile=jit_compile,
    )
    for batch in [
        (make_frames(), NUM_FRAMES),
        (make_frames(20)[:2], NUM_FRAMES[:2]),
        (make_frames(0), NUM_FRAMES),
    ]:
        for one, other in zip(deal(*batch), layer([*batch]), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_average(dtype):
    rng = np.random.default_rng(0)
    values = tf.constant(rng.standard_normal((6, 4)), "float32")
    layer = layers.BagAverage(3, dtype=dtype)
    result = layer(values)
    assert result.dtype == layer.compute_dtype
    values = values.numpy().astype("float64")
    expected = [sum(values[:3]) / 3, sum(values[3:]) / 3]
    tolerance = 0.02 if dtype == "mixed_bfloat16" else 1e-6
    np.testing.assert_allclose(
        tf.cast(result, "float64"), expected, rtol=tolerance, atol=tolerance
    )


def test_average_of_many_bags_in_16_bits():
    # 301 is no bfloat16, and the sum of 300 values of 300 is no float16.
    values = np.tile([[302.0], [300.0], [298.0]], [100, 2])
    for compute in ["float16", "bfloat16"]:
        layer = layers.BagAverage(300, dtype=f"mixed_{compute}")
        np.testing.assert_array_equal(layer(values), [[300.0, 300.0]])


def test_config_round_trip_and_symbolic_shapes():
    layer = layers.FrameBags(3, 2, name="bags")
    again = layers.FrameBags.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.num_bags, again.frames_per_bag) == (3, 2)
    bags, mask = again(
        [
            keras.Input((None, 4), dtype="uint8"),
            keras.Input((), dtype="int32"),
        ]
    )
    assert (bags.shape, bags.dtype) == ((None, 2, 4), "uint8")
    assert (mask.shape, mask.dtype) == ((None, 2), "bool")
    layer = layers.BagAverage(3)
    again = layers.BagAverage.from_config(layer.get_config())
    assert again.num_bags == 3
    assert again(keras.Input((4,))).shape == (None, 4)


@pytest.mark.parametrize(("bags", "size"), [(0, 2), (3, 0), (-1, 2)])
def test_wrong_numbers_are_refused(bags, size):
    with pytest.raises(
        ValueError,
        match=f"expected positive ints. Received: num_bags={bags}, "
        f"frames_per_bag={size}",
    ):
        layers.FrameBags(bags, size)
    with pytest.raises(
        ValueError, match="expected a positive int. Received: num_bags=0"
    ):
        layers.BagAverage(0)

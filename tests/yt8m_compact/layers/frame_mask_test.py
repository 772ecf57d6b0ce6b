"""Tests of the mask of the frames that are there."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers

# More frames than there is room for: the reader cut them off.
NUM_FRAMES = [3, 0, 4, 1, 7]
EXPECTED = np.array(
    [
        [1, 1, 1, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [1, 1, 1, 1],
    ],
    bool,
)


@pytest.mark.parametrize("frames_dtype", ["uint8", "float32"])
@pytest.mark.parametrize("count_dtype", ["int32", "int64"])
def test_marks_the_first_frames(frames_dtype, count_dtype):
    frames = np.zeros([5, 4, 2], frames_dtype)
    mask = layers.FrameMask()([frames, np.array(NUM_FRAMES, count_dtype)])
    assert mask.dtype == tf.bool
    np.testing.assert_array_equal(mask, EXPECTED)


def test_batch_and_frames_may_be_unknown():
    layer = layers.FrameMask()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 2], tf.uint8),
            tf.TensorSpec([None], tf.int32),
        ]
    )
    def mask(frames, num_frames):
        return layer([frames, num_frames])

    frames = np.zeros([5, 4, 2], "uint8")
    np.testing.assert_array_equal(mask(frames, NUM_FRAMES), EXPECTED)
    np.testing.assert_array_equal(
        mask(frames[:3, :2], NUM_FRAMES[:3]), EXPECTED[:3, :2]
    )


def test_symbolic_shape_and_config():
    layer = layers.FrameMask(name="frame_mask")
    again = layers.FrameMask.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for frames in [None, 6]:
        symbolic = again(
            [
                keras.Input((frames, 2), dtype="uint8"),
                keras.Input((), dtype="int32"),
            ]
        )
        assert symbolic.shape == (None, frames)
        assert symbolic.dtype == "bool"

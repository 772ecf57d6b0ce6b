"""Bags of frames, which robust pooling pools one by one and averages."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameBags(keras.layers.Layer):
    """Deals the frames of each video to bags of the same size.

    With `m` frames, `n` bags and `k` frames a bag, the `j`-th frame of bag `b`
    is frame `floor((b + j n + 1/2) m / (n k))`: bags take turns along the
    video, so that each of them spans all of it. A video of `n k` frames gives
    each frame to one bag, a longer one gives frames at equal distances, and a
    shorter one gives frames several times. Where the reader samples `n k`
    frames at random, as in training, these are the paper's `n` random samples
    `S_1, ..., S_n` of `k` frames.

    The bags take the place of the videos: what follows sees `batch * n` videos
    of `k` frames, and `BagAverage` ends it.

    Example:
        >>> frames = np.arange(6, dtype=np.uint8).reshape([1, 6, 1])
        >>> layer = yt8m.layers.FrameBags(num_bags=2, frames_per_bag=3)
        >>> bags, mask = layer([frames, np.array([6])])
        >>> bags[:, :, 0].numpy()
        array([[0, 2, 4],
               [1, 3, 5]], dtype=uint8)

    Args:
        num_bags: int, `n`.
        frames_per_bag: int, `k`.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of `frames`, any dtype `[batch, max_frames, feature_dim]`, and
        `num_frames`, int `[batch]`. Frames after a video's last are not read.

    Output shape:
        A pair: `[batch * n, k, feature_dim]` of the dtype of the frames, the
        bags of a video one after another, and the mask, bool `[batch * n, k]`,
        which is false for all frames of a video without any.

    Raises:
        ValueError: if a number is not positive.

    Reference:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    def __init__(
        self, num_bags: int, frames_per_bag: int, **kwargs: Any
    ) -> None:
        if num_bags < 1 or frames_per_bag < 1:
            raise ValueError(
                f"expected positive ints. Received: num_bags={num_bags}, "
                f"frames_per_bag={frames_per_bag}"
            )
        # Frames travel as uint8; Keras would cast them by itself.
        super().__init__(autocast=False, **kwargs)
        self.num_bags = num_bags
        self.frames_per_bag = frames_per_bag

    def call(self, inputs):
        frames, num_frames = inputs
        time = tf.shape(frames)[1]
        number = tf.minimum(tf.cast(num_frames, tf.int32), time)[:, tf.newaxis]
        slots = self.num_bags * self.frames_per_bag
        places = tf.range(slots)
        places = (
            places // self.frames_per_bag
            + places % self.frames_per_bag * self.num_bags
        )
        # floor((place + 1/2) * m / (n k)), in integers.
        indices = (2 * places + 1)[tf.newaxis, :] * number // (2 * slots)
        if not frames.shape[1]:
            # A place to gather from, where no video of the batch has a frame.
            # LiteRT pads no bytes.
            padding = [0, tf.maximum(1 - time, 0)]
            frames = tf.pad(frames, [[0, 0], padding, [0, 0]])
        chosen = tf.gather(frames, indices, batch_dims=1)
        mask = tf.broadcast_to(number > 0, tf.shape(indices))
        size = self.frames_per_bag
        return (
            tf.reshape(chosen, [-1, size, frames.shape[-1]]),
            tf.reshape(mask, [-1, size]),
        )

    def compute_output_spec(self, inputs):
        frames = inputs[0]
        return (
            keras.KerasTensor(
                (None, self.frames_per_bag, frames.shape[-1]),
                dtype=frames.dtype,
            ),
            keras.KerasTensor((None, self.frames_per_bag), dtype="bool"),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bags": self.num_bags,
            "frames_per_bag": self.frames_per_bag,
        }


@keras.saving.register_keras_serializable(package="yt8m_compact")
class BagAverage(keras.layers.Layer):
    """Averages what was pooled from the bags of each video.

    `(1 / n) sum_b v_b`, the end of robust pooling.

    Example:
        >>> pooled = np.array([[1.0, 2.0], [3.0, 6.0]])  # two bags of a video
        >>> yt8m.layers.BagAverage(num_bags=2)(pooled).numpy()
        array([[2., 4.]], dtype=float32)

    Args:
        num_bags: int, `n`, as of the `FrameBags` before.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        Float `[batch * n, size]`, the bags of a video one after another.

    Output shape:
        `[batch, size]`.

    Raises:
        ValueError: if the number is not positive.

    Reference:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    def __init__(self, num_bags: int, **kwargs: Any) -> None:
        if num_bags < 1:
            raise ValueError(
                f"expected a positive int. Received: num_bags={num_bags}"
            )
        super().__init__(**kwargs)
        self.num_bags = num_bags

    def call(self, inputs):
        bags = tf.reshape(inputs, [-1, self.num_bags, inputs.shape[-1]])
        wide = tf.float64 if bags.dtype == tf.float64 else tf.float32
        average = ops.sum_rows(tf.cast(bags, wide)) / self.num_bags
        return tf.cast(average, inputs.dtype)

    def compute_output_spec(self, inputs):
        shape = (None, inputs.shape[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_bags": self.num_bags}

"""What every model of frames is held to, whatever it computes."""

import keras
import numpy as np
import tensorflow as tf

import numpy_models
from yt8m_compact import models


def check_predictions(
    model: keras.Model,
    batch: dict[str, np.ndarray],
    expected: np.ndarray,
    atol: float = 5e-6,
) -> None:
    """Checks the predictions of a batch, and of each video by itself.

    They are the same whatever the padding, and whatever videos stand beside a
    video.

    Args:
        model: the model.
        batch: its inputs.
        expected: `[batch, num_classes]`.
        atol: the largest absolute difference.
    """

    def check(inputs, expected):
        result = model(inputs, training=False)
        assert result.dtype == "float32"
        np.testing.assert_allclose(result, expected, rtol=0, atol=atol)

    check(batch, expected)
    for video, count in enumerate(batch["num_frames"]):
        frames = batch["frames"][video : video + 1, :count]
        padded = np.pad(
            frames, [(0, 0), (0, 2), (0, 0)], constant_values=video * 80
        )
        for alone in [frames, padded]:
            alone = {"frames": alone, "num_frames": np.array([count])}
            check(alone, expected[[video]])


def check_training(
    model: keras.Model,
    batch: dict[str, np.ndarray],
    expected: np.ndarray,
    statistics: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    """Checks the predictions in training, and the statistics that move.

    Args:
        model: the model, which was not trained yet.
        batch: its inputs.
        expected: `[batch, num_classes]`.
        statistics: mean and variance of what each batch normalisation sees.
    """
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {layer.name for layer in norms} == set(statistics)

    def moving(layer):
        return layer.moving_mean.numpy(), layer.moving_variance.numpy()

    before = [moving(layer) for layer in norms]
    np.testing.assert_allclose(
        model(batch, training=True), expected, rtol=0, atol=1e-4
    )
    for layer, olds in zip(norms, before, strict=True):
        for old, new, seen in zip(
            olds, moving(layer), statistics[layer.name], strict=True
        ):
            # Those of the first step. Far enough for the tolerance to tell
            # them from those before.
            assert np.abs(seen - old).max() > 1e-2
            np.testing.assert_allclose(new, seen, rtol=1e-4, atol=1e-5)


def check_gradients_do_not_see_the_padding(model: keras.Model) -> None:
    """Checks that gradients stay as they are when the padding changes."""
    batch = numpy_models.make_frames()

    def gradients(frames):
        with tf.GradientTape() as tape:
            predictions = model({**batch, "frames": frames}, training=True)
            loss = tf.reduce_sum(predictions[:, ::2])
        variables = [v.value for v in model.trainable_variables]
        return tape.gradient(loss, variables)

    other = batch["frames"].copy()
    for video, count in enumerate(batch["num_frames"]):
        other[video, count:] = 255 - other[video, count:]
    of_batch, of_other = gradients(batch["frames"]), gradients(other)
    assert max(np.abs(gradient).max() for gradient in of_batch) > 0.01
    for one, another in zip(of_batch, of_other, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-6)


def check_videos_of_no_frame_or_one(model: keras.Model) -> None:
    """Checks predictions and gradients where there is little to pool."""
    batch = numpy_models.make_frames((0, 1, 2))
    for training in [False, True]:
        with tf.GradientTape() as tape:
            predictions = model(batch, training=training)
            loss = tf.reduce_sum(predictions)
        assert np.isfinite(predictions).all()
        variables = [v.value for v in model.trainable_variables]
        for gradient in tape.gradient(loss, variables):
            assert np.isfinite(gradient).all()
    none = numpy_models.make_frames((0, 0))
    other = {**none, "frames": 255 - none["frames"]}
    np.testing.assert_array_equal(
        model(none, training=False), model(other, training=False)
    )


def check_16_bits(
    config: models.ModelConfig,
    atol: float,
    layer: str | None = None,
) -> None:
    """Checks predictions under the policy mixed_bfloat16.

    Args:
        config: the model's config.
        atol: the largest absolute difference from 32 bits.
        layer: a layer that must compute in 16 bits, none if None.
    """
    batch = numpy_models.make_frames()
    expected = numpy_models.build(config)(batch, training=False)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = numpy_models.build(config)
    finally:
        keras.config.set_dtype_policy(policy)
    dtypes = {v.dtype for v in model.variables}
    assert {dtype for dtype in dtypes if "float" in dtype} == {"float32"}
    if layer:
        assert model.get_layer(layer).compute_dtype == "bfloat16"
    for training in [False, True]:
        result = model(batch, training=training)
        assert result.dtype == "float32"
        assert np.isfinite(result).all()
        if not training:
            np.testing.assert_allclose(result, expected, rtol=0, atol=atol)

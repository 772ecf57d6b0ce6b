"""Tests of every model in 16 bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import small_models
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.run import config as config_lib

SIZES = (6, 3)
NUM_CLASSES = 5
# The largest difference of a probability, in units of the last bit.
TOLERANCE = 8
LAST_BIT = {"mixed_float16": 2.0**-11, "mixed_bfloat16": 2.0**-8}


def build(name: str, policy: str) -> keras.Model:
    cls = models.MODELS[name]
    names = tuple(f"feature_{number}" for number in range(len(SIZES)))
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=names,
            feature_sizes=SIZES,
            frame_features=cls.frame_features,
            num_classes=NUM_CLASSES,
        ),
        model=cls(**small_models.SMALL[name]).without_unused(),
        training=config_lib.TrainingConfig(dtype_policy=policy),
    ).build_model()


def make_inputs(model: keras.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if "features" in model.input:
        return {"features": rng.normal(size=[4, 9]).astype(np.float32)}
    frames = rng.integers(0, 256, [4, 7, 9]).astype(np.uint8)
    return {"frames": frames, "num_frames": np.array([7, 3, 1, 5], np.int32)}


@pytest.mark.slow
@pytest.mark.parametrize("name", models.MODELS)
def test_predictions_and_gradients(name):
    reference = build(name, "float32")
    inputs = make_inputs(reference)
    expected = reference(inputs, training=False).numpy()
    assert expected.std(axis=0).min() > 0
    labels = np.eye(NUM_CLASSES, dtype=np.float32)[[0, 1, 2, 4]]
    for policy, last_bit in LAST_BIT.items():
        model = build(name, policy)
        model.set_weights(reference.get_weights())
        found = model(inputs, training=False)
        assert found.dtype == "float32"
        assert np.abs(found - expected).max() < TOLERANCE * last_bit
        with tf.GradientTape() as tape:
            predictions = model(inputs, training=True)
            loss = tf.reduce_mean(ops.cross_entropy_loss(labels, predictions))
            loss += sum(model.losses)
        assert loss.dtype == "float32"
        for weight, gradient in zip(
            model.trainable_variables,
            tape.gradient(loss, model.trainable_variables),
            strict=True,
        ):
            assert gradient.dtype == "float32", weight.path
            assert np.isfinite(gradient.numpy()).all(), weight.path

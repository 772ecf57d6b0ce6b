"""A video's predictions are the same bits at every place in a batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import small_models
from yt8m_compact import models
from yt8m_compact.run import config as config_lib

NUM_VIDEOS = 64  # as a predictor takes at a time
MAX_FRAMES = 30
# No multiple of what a processor adds at once, as are those of the layers.
SIZES = (18, 12)
NUM_CLASSES = 9


def make_inputs(model: keras.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if "features" in model.input:
        features = rng.normal(size=[NUM_VIDEOS, sum(SIZES)])
        return {"features": features.astype(np.float32)}
    shape = [NUM_VIDEOS, MAX_FRAMES, sum(SIZES)]
    return {
        "frames": rng.integers(0, 256, shape).astype(np.uint8),
        "num_frames": rng.integers(9, MAX_FRAMES, NUM_VIDEOS, np.int32),
    }


CASES = [(name, "max") for name in models.MODELS] + [
    (name, "average")
    for name, cls in models.MODELS.items()
    if hasattr(cls, "dbof_pooling_method")
]


@pytest.mark.slow
@pytest.mark.parametrize("name, pooling_method", CASES)
def test_predictions(name, pooling_method):
    cls = models.MODELS[name]
    values = dict(small_models.SMALL[name])
    if (name, "average") in CASES:
        values["dbof_pooling_method"] = pooling_method
    if "mix_number" in values:
        values["mix_number"] = 9  # as many are added in another order
    model = config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("rgb", "audio"),
            feature_sizes=SIZES,
            frame_features=cls.frame_features,
            num_classes=NUM_CLASSES,
        ),
        model=cls(**values).without_unused(),
        training=config_lib.TrainingConfig(),
    ).build_model()
    inputs = make_inputs(model)
    predict = tf.function(model)
    expected = predict(inputs, training=False)
    assert np.std(expected, axis=0).max() > 0
    for offset in 1, 17, 32:
        moved = predict(
            {key: np.roll(x, offset, axis=0) for key, x in inputs.items()},
            training=False,
        )
        np.testing.assert_array_equal(np.roll(moved, -offset, 0), expected)

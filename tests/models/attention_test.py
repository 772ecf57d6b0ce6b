"""Tests of AttentionModel; see frame_models_test.py too."""

import numpy as np

import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact.eval import weights


def make_config(**values):
    settings = small_models.FRAME_MODELS["AttentionModel"]
    return models.AttentionConfig(**{**settings, **values})


def test_weights_of_the_released_size():
    # Three layers of 1024, and 527 classes of AudioSet, twice.
    counted = weights.count_weights_of_config(
        models.AttentionConfig(), feature_sizes=(128,), num_classes=527
    )
    hidden = 128 * 1024 + 2 * 1024 * 1024 + 3 * 4 * 1024
    assert counted.total == hidden + 2 * (1024 * 527 + 527)


def test_decisions_start_at_the_log_odds():
    priors = np.array([0.5, 0.1, 0.01, 0.2, 0.3, 0.9, 0.05])
    model = make_config(attention_heads=3).build(
        feature_sizes=(6, 3), num_classes=7, class_priors=priors
    )
    bias = model.get_layer("classifier").bias
    np.testing.assert_allclose(
        bias, np.repeat(np.log(priors / (1 - priors)), 3), rtol=1e-5
    )
    # Whatever attention says, which sums to 1.
    predictions = model(numpy_models.make_frames(), training=False)
    assert np.all(np.abs(np.log(predictions / priors)) < 2)


def test_dropout_is_random_in_training_alone():
    model = numpy_models.build(make_config(drop_rate=0.5))
    batch = numpy_models.make_frames()
    same = [model(batch, training=False) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    other = [model(batch, training=True) for _ in range(2)]
    assert np.abs(other[0] - other[1]).max() > 0.01

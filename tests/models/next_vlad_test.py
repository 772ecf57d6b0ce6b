"""Tests of NeXtVladModel and MixNeXtVladModel; see frame_models_test.py too."""

import re

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

import numpy_frame_models
import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.eval import weights

CONFIGS = {
    "NeXtVladModel": models.NextVladConfig,
    "MixNeXtVladModel": models.MixNextVladConfig,
}


def make_mixture(**values):
    settings = small_models.FRAME_MODELS["MixNeXtVladModel"]
    return models.MixNextVladConfig(**{**settings, **values})


def test_weights_of_the_released_size():
    # https://arxiv.org/abs/1811.05014, section 4.2: 8 groups, 128 clusters,
    # an expansion of 2, 2048 hidden units, a reduction of 8.
    config = models.NextVladConfig(
        nextvlad_cluster_size=128, nextvlad_hidden_size=2048
    )
    found = weights.count_weights_of_config(
        config, feature_sizes=(1024, 128), num_classes=3862
    )
    pooled = 0
    expected = 0
    for size, groups, clusters in [(1024, 8, 128), (128, 4, 64)]:
        wide = 2 * size
        expected += size * wide + wide  # expansion
        expected += wide * groups + groups  # attention
        expected += wide * groups * clusters + 4 * groups * clusters
        expected += wide // groups * clusters  # centres
        pooled += wide // groups * clusters
    expected += 4 * pooled + pooled * 2048 + 4 * 2048
    expected += 2048 * 256 + 4 * 256 + 256 * 2048
    expected += 2048 * 3862 + 3862
    assert found.total == expected


@pytest.mark.slow
def test_loss_of_a_mixture():
    config = make_mixture(cl_temperature=2.0, cl_lambda=0.5, l2_penalty=0.0)
    model = numpy_models.build(config)
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=ops.LOSSES["CrossEntropyLoss"],
        jit_compile=False,
    )
    batch = numpy_models.make_frames()
    labels = np.random.default_rng(0).integers(0, 2, (4, 7)).astype("float32")
    mixed, parts = numpy_frame_models.mixture_of_next_vlad(
        config, model, batch, statistics={}
    )

    def cross_entropy(logits):
        p = scipy.special.expit(logits)
        likely = np.where(labels == 1, p, 1 - p)
        return -np.log(likely + 1e-5).sum(axis=1).mean()

    q = scipy.special.softmax(mixed / 2, axis=1)
    divergence = sum(
        scipy.stats.entropy(q, scipy.special.softmax(part / 2, axis=1), axis=1)
        for part in parts
    )
    expected = (
        cross_entropy(mixed)
        + sum(map(cross_entropy, parts))
        + 0.5 * divergence.mean()
    )
    loss = model.train_on_batch(batch, labels)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    # Where nothing is learnt, the mixture's own loss counts.
    mixed, _ = numpy_frame_models.mixture_of_next_vlad(config, model, batch)
    np.testing.assert_allclose(
        model.test_on_batch(batch, labels), cross_entropy(mixed), rtol=1e-4
    )


@pytest.mark.slow
def test_videos_of_no_weight_do_not_count():
    config = make_mixture(cl_lambda=0.0, l2_penalty=0.0)
    model = numpy_models.build(config)
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=ops.LOSSES["CrossEntropyLoss"],
        jit_compile=False,
    )
    batch = numpy_models.make_frames()
    labels = np.random.default_rng(0).integers(0, 2, (4, 7)).astype("float32")
    other = np.concatenate([labels[:2], 1 - labels[2:]])
    losses = [
        model.train_on_batch(batch, y, sample_weight=np.array([1.0, 2, 0, 0]))
        for y in (labels, other)
    ]
    assert losses[0] == losses[1]


def test_every_part_starts_at_the_log_odds():
    priors = np.array([0.5, 0.1, 0.01, 0.2, 0.3, 0.9, 0.05])
    model = make_mixture().build(
        feature_sizes=(6, 3), num_classes=7, class_priors=priors
    )
    for number in range(2):
        np.testing.assert_allclose(
            model.get_layer(f"branch_{number}_classifier").bias,
            np.log(priors / (1 - priors)),
            rtol=1e-5,
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_dropout_is_random_in_training_alone(name):
    settings = {**small_models.FRAME_MODELS[name], "drop_rate": 0.5}
    model = numpy_models.build(CONFIGS[name](**settings))
    batch = numpy_models.make_frames()
    same = [model(batch, training=False) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    other = [model(batch, training=True) for _ in range(2)]
    assert np.abs(other[0] - other[1]).max() > 0.01


@pytest.mark.parametrize("name", CONFIGS)
def test_groups_that_do_not_divide_a_feature_are_refused(name):
    config = CONFIGS[name](groups=8, expansion=2)
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{type(config).__name__}: expected groups that divide the size of "
            "each feature times the expansion (half of the groups after the "
            "first). Received: groups=8, expansion=2, feature_sizes=[8, 5]"
        ),
    ):
        config.build(feature_sizes=[8, 5], num_classes=3)

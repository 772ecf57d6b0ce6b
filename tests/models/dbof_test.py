"""Tests of DbofModel."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import frame_model_checks
import numpy_models
import small_models
from yt8m_compact import models

KINDS = small_models.KINDS
PLACES = ("embedding", "fc", "classifier")
SIZE = sum(numpy_models.FEATURE_SIZES)


def make_config(**values):
    """Makes a config with layers both wider and narrower than their input."""
    sizes = {"dbof_cluster_size": 14, "dbof_hidden_size": 5}
    return models.DbofConfig(**{**sizes, **values})


def at_every_place(kind):
    return make_config(**{f"{place}_projection": kind for place in PLACES})


CONFIGS = {
    **{kind: at_every_place(kind) for kind in KINDS},
    # One place that differs from the others, in turn.
    **{
        f"{kind}_{place}": make_config(**{f"{place}_projection": kind})
        for kind, place in zip(
            sorted(set(KINDS) - {"dense"}), itertools.cycle(PLACES)
        )
    },
    "average": make_config(dbof_pooling_method="average"),
    "sigmoid": make_config(dbof_activation="sigmoid"),
    "relu": make_config(dbof_activation="relu"),
    "no_batch_norm": make_config(dbof_add_batch_norm=False),
    "logistic": make_config(video_level_classifier_model="LogisticModel"),
    "not_normalized": make_config(l2_normalize=False),
    "mixtures": make_config(moe_num_mixtures=4),
}


def assert_close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-6)


def build_varied(config, batch):
    """Builds a model whose few hidden units are not all at a bound of relu6.

    By chance, weights of a structure may be such that each is, for all rows.
    """
    for seed in range(4):
        model = numpy_models.build(config, seed)
        expected = numpy_models.predict_dbof(config, model, batch)
        if expected.std(axis=0).max() > 1e-4:
            return model, expected
    pytest.fail("predictions are the same for all rows, whatever the seed")


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_numpy(name):
    batch = numpy_models.make_frames()
    model, expected = build_varied(CONFIGS[name], batch)
    frame_model_checks.check_predictions(model, batch, expected, atol=3e-6)


@pytest.mark.parametrize("name", ["dense", "average"])
def test_order_of_frames_does_not_count(name):
    model = numpy_models.build(CONFIGS[name])
    batch = numpy_models.make_frames((6, 6))
    shuffled = batch["frames"][:, [3, 5, 0, 2, 1, 4]]
    assert_close(
        model({**batch, "frames": shuffled}, training=False),
        model(batch, training=False),
    )


@pytest.mark.parametrize("name", ["dense", "average", "not_normalized"])
def test_training_normalizes_over_the_real_frames_alone(name):
    config = CONFIGS[name]
    model = numpy_models.build(config)
    batch = numpy_models.make_frames()
    statistics = {}
    expected = numpy_models.predict_dbof(config, model, batch, statistics)
    assert set(statistics) == {"input_bn", "embedding_bn", "fc_bn"}
    frame_model_checks.check_training(model, batch, expected, statistics)


def test_gradients_do_not_see_the_padding():
    model = numpy_models.build(at_every_place("diagonal_circulant"))
    frame_model_checks.check_gradients_do_not_see_the_padding(model)


def test_videos_of_no_frame_or_one():
    model = numpy_models.build(make_config())
    frame_model_checks.check_videos_of_no_frame_or_one(model)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_weights(kind, place):
    config = make_config(**{f"{place}_projection": kind})
    model = numpy_models.build(config)
    count = {
        other: functools.partial(
            numpy_models.count_kernel_weights,
            kind if other == place else "dense",
        )
        for other in PLACES
    }
    # Four weights of batch norm a unit instead of biases; two mixtures.
    expected = (
        4 * SIZE
        + count["embedding"](SIZE, 14)
        + 4 * 14
        + count["fc"](14, 5)
        + 4 * 5
        + count["classifier"](5, 3 * 7)
        + count["classifier"](5, 2 * 7)
        + 2 * 7
    )
    assert model.count_params() == expected
    config = make_config(
        dbof_add_batch_norm=False,
        video_level_classifier_model="LogisticModel",
        **{f"{place}_projection": kind},
    )
    expected = (
        count["embedding"](SIZE, 14)
        + 14
        + count["fc"](14, 5)
        + 5
        + count["classifier"](5, 7)
        + 7
    )
    assert numpy_models.build(config).count_params() == expected


def test_weights_at_the_papers_size():
    # The paper's table T2: 1024 -> 8192 -> 512 and 4 mixtures of 3862 classes.
    config = models.DbofConfig(
        dbof_hidden_size=512,
        moe_num_mixtures=4,
        embedding_projection="diagonal_circulant",
        fc_projection="diagonal_circulant",
        classifier_projection="circulant",
    )
    model = config.build(feature_sizes=(1024,), num_classes=3862)
    # Embedding and hidden layer 16,384 each and 4 a unit for batch norm; the
    # experts of the compact mixture 38 + 31 vectors of 512 and 15,448 biases.
    assert model.count_params() == (
        4 * 1024
        + (16_384 + 4 * 8192)
        + (16_384 + 4 * 512)
        + (38 + 31) * 512
        + 15_448
    )


def test_keras_file_round_trip(tmp_path):
    config = make_config(
        embedding_projection="diagonal_circulant",
        fc_projection="circulant",
        dbof_pooling_method="average",
    )
    model = numpy_models.build(config)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = numpy_models.make_frames()
    np.testing.assert_array_equal(
        loaded(batch, training=False), model(batch, training=False)
    )
    assert [type(layer) for layer in loaded.layers] == [
        type(layer) for layer in model.layers
    ]


@pytest.mark.slow
def test_saved_model_round_trip(tmp_path):
    # The moving statistics must travel too.
    model = numpy_models.build(at_every_place("diagonal_circulant"))
    module = tf.Module()
    module.model = model
    module.serve = tf.function(
        lambda frames, num_frames: model(
            {"frames": frames, "num_frames": num_frames}, training=False
        ),
        input_signature=[
            tf.TensorSpec([None, None, SIZE], tf.uint8),
            tf.TensorSpec([None], tf.int32),
        ],
    )
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for batch in [
        numpy_models.make_frames(),
        numpy_models.make_frames((2, 9), max_frames=9),
    ]:
        assert_close(
            loaded.serve(batch["frames"], batch["num_frames"]),
            model(batch, training=False),
        )


@pytest.mark.slow
def test_xla_agrees():
    model = numpy_models.build(at_every_place("diagonal_circulant"))
    batch = numpy_models.make_frames()
    compiled = tf.function(
        lambda batch: model(batch, training=False),
        jit_compile=True,
        autograph=False,
    )
    assert_close(compiled(batch), model(batch, training=False))


@pytest.mark.parametrize("kind", KINDS)
def test_16_bits(kind):
    frame_model_checks.check_16_bits(
        at_every_place(kind), atol=0.1, layer="embedding"
    )


def test_frames_the_model_looks_at():
    assert make_config().num_sampled_frames == 30
    assert make_config(iterations=5).num_sampled_frames == 5
    assert make_config(iterations=0).num_sampled_frames is None
    assert make_config().samples_random_frames
    assert not make_config(sample_random_frames=False).samples_random_frames

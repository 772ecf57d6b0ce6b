"""Tests of PooledEmbeddingModel, the network of the paper."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import frame_model_checks
import numpy_models
import small_models
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact.eval import weights
from yt8m_compact.models import pooled_embedding

KINDS = small_models.KINDS
PLACES = ("embedding", "fc", "classifier", "gating")
ALL = pooled_embedding.EMBEDDINGS
SIZE = sum(numpy_models.FEATURE_SIZES)


def make_config(**values):
    """Makes a config with layers both wider and narrower than their input."""
    settings = {
        "dbof_clusters": 14,
        "netvlad_clusters": 4,
        "netfv_clusters": 3,
        "fc_size": 5,
        "num_bags": 3,
        "frames_per_bag": 2,
        "moe_num_mixtures": 2,
    }
    values = {**settings, **values}
    return models.PooledEmbeddingConfig(**values).without_unused()


def at_every_place(kind, **values):
    kinds = {f"{place}_projection": kind for place in PLACES}
    return make_config(**kinds, **values)


CONFIGS = {
    **{kind: at_every_place(kind, embeddings=ALL) for kind in KINDS},
    **{
        f"compact_{place}": make_config(
            **{f"{place}_projection": "diagonal_circulant"}
        )
        for place in PLACES
    },
    **{name: make_config(embeddings=(name,)) for name in ALL},
    "average": make_config(dbof_pooling_method="average"),
    "one_bag": make_config(num_bags=1, frames_per_bag=4, embeddings=ALL),
    "one_average": make_config(
        num_bags=1, frames_per_bag=4, dbof_pooling_method="average"
    ),
    "all_frames": make_config(num_bags=1, frames_per_bag=0, embeddings=ALL),
    "logistic": make_config(classifier="logistic"),
    "no_gating": make_config(context_gating=False),
    "paper_compact_moe": make_config(
        context_gating=False, classifier_projection="circulant"
    ),
    "logistic_no_gating": make_config(
        classifier="logistic", context_gating=False
    ),
    "not_normalized": make_config(l2_normalize=False),
}


def assert_close(result, expected, atol=5e-6):
    np.testing.assert_allclose(result, expected, rtol=0, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_numpy(name):
    config = CONFIGS[name]
    model = numpy_models.build(config)
    batch = numpy_models.make_frames((4, 1, 9, 3), max_frames=9)
    expected = numpy_models.predict_pooled_embedding(config, model, batch)
    assert expected.std(axis=0).max() > 0.005
    frame_model_checks.check_predictions(model, batch, expected)


@pytest.mark.parametrize("name", ["dense", "one_bag", "all_frames", "logistic"])
def test_training_normalizes_over_the_real_frames_alone(name):
    config = CONFIGS[name]
    model = numpy_models.build(config)
    batch = numpy_models.make_frames()
    statistics = {}
    expected = numpy_models.predict_pooled_embedding(
        config, model, batch, statistics
    )
    # For two features: clusters of all embeddings but moments, and fc.
    num_clusters = len(set(config.embeddings) - {"moments"})
    assert len(statistics) == 2 * (num_clusters + len(config.embeddings)) + 1
    frame_model_checks.check_training(model, batch, expected, statistics)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diagonal_circulant", "all_frames"])
def test_gradients_do_not_see_the_padding(name):
    model = numpy_models.build(CONFIGS[name])
    frame_model_checks.check_gradients_do_not_see_the_padding(model)


def test_order_of_all_frames_does_not_count():
    model = numpy_models.build(CONFIGS["all_frames"])
    batch = numpy_models.make_frames((6, 6))
    shuffled = batch["frames"][:, [3, 5, 0, 2, 1, 4]]
    assert_close(
        model({**batch, "frames": shuffled}, training=False),
        model(batch, training=False),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "all_frames"])
def test_videos_of_no_frame_or_one(name):
    model = numpy_models.build(CONFIGS[name])
    frame_model_checks.check_videos_of_no_frame_or_one(model)
    none = numpy_models.make_frames((0, 0), max_frames=0)
    assert np.isfinite(model(none, training=False)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_weights(kind, place):
    config = make_config(
        embeddings=("dbof", "netvlad", "netfv", "moments"),
        **{f"{place}_projection": kind},
    )
    count = {
        other: functools.partial(
            numpy_models.count_kernel_weights,
            kind if other == place else "dense",
        )
        for other in PLACES
    }

    def fc(size):
        return count["fc"](size, 5) + 4 * 5

    expected = 0
    # Features of 6 and 3 values; half of the clusters for the second.
    for f, dbof, netvlad, netfv in [(6, 14, 4, 3), (3, 7, 2, 1)]:
        expected += count["embedding"](f, dbof) + 4 * dbof + fc(dbof)
        expected += count["embedding"](f, netvlad) + f * netvlad + 4 * netvlad
        expected += fc(f * netvlad)
        expected += count["embedding"](f, netfv) + 2 * f * netfv + 4 * netfv
        expected += fc(2 * f * netfv)
        expected += fc(2 * f)
    expected += count["classifier"](8 * 5, 3 * 7)
    expected += count["classifier"](8 * 5, 2 * 7) + 2 * 7
    expected += count["gating"](7, 7) + 4 * 7
    counted = weights.count_weights_of_config(
        config,
        feature_sizes=numpy_models.FEATURE_SIZES,
        num_classes=numpy_models.NUM_CLASSES,
    )
    assert counted.total == expected


def test_a_second_feature_has_one_cluster_at_least():
    config = make_config(
        embeddings=ALL, dbof_clusters=1, netvlad_clusters=1, netfv_clusters=1
    )
    model = numpy_models.build(config)
    for name in ["dbof", "netvlad", "netfv"]:
        assert model.get_layer(f"{name}_1_clusters").units == 1


def test_features_of_one_or_three():
    config = make_config(embeddings=("netvlad", "dbof"))
    rng = np.random.default_rng(0)
    for sizes, clusters in [((9,), [14]), ((4, 3, 2), [14, 7, 7])]:
        model = config.build(feature_sizes=sizes, num_classes=7)
        names = [f"dbof_{number}_clusters" for number in range(len(sizes))]
        assert [model.get_layer(name).units for name in names] == clusters
        assert [model.get_layer(name).input_dim for name in names] == [*sizes]
        # In the order of --embeddings, and of the features before.
        x = model.get_layer("gates")
        assert x.input_dim == 2 * len(sizes) * 5
        frames = rng.integers(0, 256, (2, 4, 9)).astype("uint8")
        batch = {"frames": frames, "num_frames": np.array([4, 2])}
        assert model(batch).shape == (2, 7)


@pytest.mark.slow
def test_keras_file_round_trip(tmp_path):
    model = numpy_models.build(
        at_every_place("diagonal_circulant", embeddings=ALL)
    )
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
@pytest.mark.parametrize("name", ["diagonal_circulant", "all_frames"])
def test_xla_agrees(name):
    model = numpy_models.build(CONFIGS[name])
    batch = numpy_models.make_frames()
    compiled = tf.function(
        lambda batch: model(batch, training=False),
        jit_compile=True,
        autograph=False,
    )
    assert_close(compiled(batch), model(batch, training=False))


@pytest.mark.parametrize(
    ("kind", "embeddings"),
    [("dense", ALL), *((kind, ("netvlad",)) for kind in KINDS)],
)
def test_16_bits(kind, embeddings):
    frame_model_checks.check_16_bits(
        at_every_place(kind, embeddings=embeddings),
        atol=0.1,
        layer="netvlad_0_clusters",
    )


def test_frames_the_model_looks_at():
    assert models.PooledEmbeddingConfig().num_sampled_frames == 150
    assert make_config().num_sampled_frames == 6
    assert CONFIGS["all_frames"].num_sampled_frames is None
    assert make_config().samples_random_frames


def test_frames_are_random_in_training_only():
    config = tiny_runs.frame_config("", make_config())
    sampling = readers.FrameSampling
    for training, expected in [(True, sampling.RANDOM), (False, sampling.EVEN)]:
        reader = config.reader(training=training)
        assert reader.frame_sampling == expected
        assert reader.num_sampled_frames == 3 * 2
    config = tiny_runs.frame_config("", CONFIGS["all_frames"])
    for training in [True, False]:
        reader = config.reader(training=training)
        assert reader.frame_sampling == sampling.ALL


def test_defaults_are_the_papers():
    config = models.PooledEmbeddingConfig()
    assert (config.dbof_clusters, config.netvlad_clusters) == (8192, 64)
    assert (config.netfv_clusters, config.fc_size) == (64, 512)
    assert (config.num_bags, config.frames_per_bag) == (10, 15)
    assert (config.classifier, config.moe_num_mixtures) == ("moe", 4)
    assert config.embeddings == ("dbof",)
    assert config.context_gating


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"num_bags": 2, "frames_per_bag": 0},
            "expected frames_per_bag to be at least 1, or num_bags to be 1. "
            "Received: frames_per_bag=0, num_bags=2",
        ),
        (
            {"embeddings": ()},
            "expected embeddings to be one or several of dbof, netvlad, netfv,"
            " moments, each once. Received: embeddings=()",
        ),
        (
            {"embeddings": ("dbof", "lstm")},
            "each once. Received: embeddings=('dbof', 'lstm')",
        ),
        (
            {"embeddings": ("dbof", "dbof")},
            "each once. Received: embeddings=('dbof', 'dbof')",
        ),
        (
            {"embeddings": "dbof"},
            "expected embeddings to be a list of str. Received: embeddings="
            "'dbof'",
        ),
        ({"classifier": "MoeModel"}, "to be one of moe, logistic. Received"),
        ({"fc_size": 0}, "expected fc_size to be at least 1"),
        ({"dbof_clusters": 0}, "expected dbof_clusters to be at least 1"),
        ({"netvlad_clusters": 0}, "expected netvlad_clusters to be at least 1"),
        ({"netfv_clusters": 0}, "expected netfv_clusters to be at least 1"),
        ({"context_gating": 1}, "expected context_gating to be true or false"),
    ],
)
def test_wrong_values_are_refused(values, message):
    with pytest.raises(
        ValueError, match=f"^PooledEmbeddingConfig: .*{re.escape(message)}"
    ):
        make_config(**values)

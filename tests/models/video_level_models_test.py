"""Tests of LogisticModel and MoeModel."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact import models

KINDS = small_models.KINDS
SIZE = sum(numpy_models.FEATURE_SIZES)
CONFIGS = [
    *(models.LogisticConfig(classifier_projection=kind) for kind in KINDS),
    *(models.MoeConfig(classifier_projection=kind) for kind in KINDS),
    models.LogisticConfig(l2_normalize=False),
    models.MoeConfig(l2_normalize=False, moe_num_mixtures=1),
    models.MoeConfig(moe_num_mixtures=4),
]


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_equals_numpy(config):
    model = numpy_models.build(config)
    batch = numpy_models.make_features()
    result = model(batch)
    assert result.dtype == "float32"
    assert result.shape == (5, numpy_models.NUM_CLASSES)
    expected = numpy_models.predict_video_level(config, model, batch)
    numpy_models.check_videos_differ(config, expected, 0.005)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        model({"features": batch["features"][3:4]}),
        expected[3:4],
        rtol=0,
        atol=2e-6,
    )


@pytest.mark.parametrize(
    "config",
    [
        *(
            models.MlpConfig(
                mlp_hidden_size=11,
                hidden_projection=kind,
                classifier_projection=kind,
            )
            for kind in KINDS
        ),
        models.MlpConfig(mlp_hidden_size=10, mlp_layers=3, l2_normalize=False),
        models.MlpConfig(mlp_hidden_size=8, input_drop_rate=0.5, drop_rate=0.0),
        models.MlpConfig(mlp_hidden_size=9, mlp_input_sizes=(3, 2)),
        models.MlpConfig(mlp_hidden_size=9, mlp_layers=2, unit_penalty=0.1),
    ],
    ids=repr,
)
def test_mlp_equals_numpy(config):
    model = numpy_models.build(config)
    batch = numpy_models.make_features()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "_bn/" in weight.path:
            weight.assign(rng.uniform(0.5, 2, weight.shape))
    x = batch["features"].astype(np.float64)
    x = numpy_models.normalize(x) if config.l2_normalize else x
    if config.mlp_input_sizes:
        x = np.concatenate(
            [x[:, :3], x[:, numpy_models.FEATURE_SIZES[0] :][:, :2]], 1
        )
    count = 0
    for index in range(config.mlp_layers):
        name = f"hidden_{index}"
        count += model.get_layer(name).count_params()
        x = numpy_models.project(model, name, x)
        x = np.maximum(numpy_models.batch_norm(model, f"{name}_bn", x, None), 0)
        count += 4 * config.mlp_hidden_size
        if config.unit_penalty:
            # mu of .5 to 1.5, and some of a larger sigma: 0.
            gates = rng.uniform(0.5, 1.5, config.mlp_hidden_size)
            logs = rng.choice([-3.0, 1.0], gates.shape)
            model.get_layer(f"{name}_gates").set_weights(
                [gates / 10, logs / 10]
            )
            x = x * gates * (logs < 0)
            count += 2 * config.mlp_hidden_size
    expected = numpy_models.classify(model, x, None)
    result = model(batch)
    assert expected.std(axis=0).max() > 0.005
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)
    count += model.get_layer("classifier").count_params()
    assert model.count_params() == count


def test_the_penalty_of_gates_is_one_of_all_penalties():
    config = models.MlpConfig(
        mlp_hidden_size=3, unit_penalty=0.5, regularization_penalty=0.25
    )
    gates = numpy_models.build(config).get_layer("hidden_0_gates")
    assert gates.penalty == 0.125


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_the_logistic_model(kind):
    config = models.LogisticConfig(classifier_projection=kind)
    model = numpy_models.build(config)
    expected = numpy_models.count_kernel_weights(kind, SIZE, 7) + 7
    assert model.count_params() == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixtures", [1, 4])
def test_weights_of_the_mixture(kind, mixtures):
    config = models.MoeConfig(
        classifier_projection=kind, moe_num_mixtures=mixtures
    )
    model = numpy_models.build(config)
    gates = numpy_models.count_kernel_weights(kind, SIZE, 7 * (mixtures + 1))
    experts = numpy_models.count_kernel_weights(kind, SIZE, 7 * mixtures)
    assert model.count_params() == gates + experts + 7 * mixtures


def test_weights_at_the_size_of_youtube_8m():
    # 1152 features, 3862 classes: 4 blocks of 1152 and 3862 biases.
    config = models.LogisticConfig(classifier_projection="circulant")
    model = config.build(feature_sizes=(1024, 128), num_classes=3862)
    assert model.count_params() == 4 * 1152 + 3862
    # Gates 3 * 3862 = 11586 in 11 blocks, experts 7724 in 7, 7724 biases.
    config = models.MoeConfig(classifier_projection="diagonal_circulant")
    model = config.build(feature_sizes=(1024, 128), num_classes=3862)
    assert model.count_params() == 2 * 1152 * (11 + 7) + 7724


@pytest.mark.parametrize(
    "config",
    [
        models.LogisticConfig(classifier_projection="circulant"),
        models.MoeConfig(classifier_projection="diagonal_circulant"),
    ],
    ids=repr,
)
def test_keras_file_round_trip(config, tmp_path):
    model = numpy_models.build(config)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = numpy_models.make_features()
    np.testing.assert_array_equal(loaded(batch), model(batch))
    assert loaded.count_params() == model.count_params()


@pytest.mark.parametrize(
    "config_class", [models.LogisticConfig, models.MoeConfig]
)
def test_penalty_is_over_the_classifiers_kernels(config_class):
    config = config_class(l2_penalty=0.25, regularization_penalty=0.5)
    model = numpy_models.build(config)
    # tf.nn.l2_loss, the starter code's, is half of the sum of squares.
    expected = sum(
        0.25 * 0.5 * np.sum(layer.kernel.numpy() ** 2) / 2
        for layer in model.layers
        if isinstance(layer, layers.Projection)
    )
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_features_of_zeros_have_predictions(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = numpy_models.build(models.MoeConfig())
    finally:
        keras.config.set_dtype_policy(before)
    result = model({"features": np.zeros([2, SIZE], "float32")})
    assert np.isfinite(result).all()


def test_batch_may_be_unknown():
    model = numpy_models.build(
        models.MoeConfig(classifier_projection="circulant")
    )
    predict = tf.function(
        lambda features: model({"features": features}),
        input_signature=[tf.TensorSpec([None, SIZE])],
    )
    features = numpy_models.make_features()["features"]
    expected = model({"features": features})
    for size in [5, 2]:
        np.testing.assert_allclose(
            predict(features[:size]), expected[:size], atol=1e-6
        )

"""Tests of the start at the classes' log-odds."""

import dataclasses

import keras
import numpy as np
import pytest

import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.models import classifiers

KINDS = small_models.KINDS
PRIORS = np.array([0.3, 0.2, 0.1, 0.05, 0.01, 1e-3, 1e-5])
ZEROS = {"features": np.zeros([2, 9], "float32")}


def build(config):
    return config.build(
        feature_sizes=(6, 3), num_classes=7, class_priors=PRIORS
    )


@pytest.mark.parametrize("kind", KINDS)
def test_logistic_model_starts_at_the_priors(kind):
    model = build(models.LogisticConfig(classifier_projection=kind))
    np.testing.assert_allclose(model(ZEROS), [PRIORS] * 2, rtol=1e-5)
    # From features it starts near them: |x @ W| of unit features is small.
    odds = model(numpy_models.make_features(50)) / (1 - PRIORS)
    ratios = odds / (PRIORS / (1 - PRIORS))
    np.testing.assert_allclose(np.median(ratios, axis=0), 1, atol=0.4)


@pytest.mark.parametrize("mixtures", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_mixture_starts_at_the_priors(kind, mixtures):
    model = build(
        models.MoeConfig(classifier_projection=kind, moe_num_mixtures=mixtures)
    )
    # Gates of 0 are even: M / (M + 1) of the weight is on experts that start
    # at p (M + 1) / M.
    np.testing.assert_allclose(model(ZEROS), [PRIORS] * 2, rtol=1e-5)
    ratios = model(numpy_models.make_features(50)) / PRIORS
    np.testing.assert_allclose(np.median(ratios, axis=0), 1, atol=0.4)


def test_mixture_starts_as_near_as_it_can():
    priors = np.array([0.9, 0.7, 0.66, 0.5, 0.3, 0.2, 0.1])
    model = models.MoeConfig().build(
        feature_sizes=(6, 3), num_classes=7, class_priors=priors
    )
    # With two experts of three the most there is, is 2 / 3 * 0.99.
    expected = np.minimum(priors, 0.66)
    np.testing.assert_allclose(model(ZEROS)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("classifier", ["LogisticModel", "MoeModel"])
def test_dbof_model_starts_near_the_priors(classifier):
    model = build(
        models.DbofConfig(
            dbof_cluster_size=32,
            dbof_hidden_size=16,
            video_level_classifier_model=classifier,
        )
    )
    name = "classifier" if classifier == "LogisticModel" else "experts"
    share = PRIORS
    if name == "experts":
        share = np.repeat(PRIORS * 3 / 2, 2)
    np.testing.assert_allclose(
        model.get_layer(name).bias, np.log(share / (1 - share)), rtol=1e-5
    )
    predictions = model(numpy_models.make_frames(), training=False)
    assert np.all(np.abs(np.log(predictions / PRIORS)) < 3)


@pytest.mark.parametrize("classifier", ["logistic", "moe"])
def test_gated_model_starts_near_the_priors(classifier):
    model = build(
        models.PooledEmbeddingConfig(
            classifier=classifier, dbof_clusters=32, fc_size=16
        )
    )
    name, share = "classifier", 2 * PRIORS
    if classifier == "moe":
        name, share = "experts", np.repeat(2 * PRIORS * 5 / 4, 4)
    np.testing.assert_allclose(
        model.get_layer(name).bias, np.log(share / (1 - share)), rtol=1e-5
    )
    # Gates of 1/2 halve what the classifier says.
    predictions = model(numpy_models.make_frames(), training=False)
    assert np.all(np.abs(np.log(predictions / PRIORS)) < 1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_context_gating_equals_numpy(kind):
    probabilities = keras.Input((7,), name="p")
    gated = classifiers.gate_context(
        probabilities, structure=kind, batch_norm_momentum=0.75
    )
    model = keras.Model({"p": probabilities}, gated)
    projection = model.get_layer("gating")
    norm = model.get_layer("gating_bn")
    assert (projection.units, projection.bias) == (7, None)
    assert projection.structure == structures.get(kind)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 2, weight.shape))
    p = rng.uniform(0, 1, (5, 7)).astype("float32")
    rows = p @ projection.as_dense_kernel().numpy()
    weights = {weight.name: weight.numpy() for weight in norm.weights}

    def gate(mean, variance):
        normal = (rows - mean) / np.sqrt(variance + 1e-3)
        normal = normal * weights["gamma"] + weights["beta"]
        return p / (1 + np.exp(-normal))

    np.testing.assert_allclose(
        model({"p": p}, training=False),
        gate(weights["moving_mean"], weights["moving_variance"]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        model({"p": p}, training=True),
        gate(rows.mean(0), rows.var(0)),
        rtol=1e-4,
    )
    # After the first step, statistics are what it has seen.
    np.testing.assert_allclose(norm.moving_mean, rows.mean(0), rtol=1e-5)
    assert norm.momentum == 0.75


@pytest.mark.parametrize(
    ("priors", "received"),
    [
        (PRIORS[:6], r"shape=\(6,\), min=0\.001, max=0\.3"),
        (PRIORS[np.newaxis], r"shape=\(1, 7\), min=1e-05, max=0\.3"),
        (np.append(PRIORS[1:], 0.0), r"shape=\(7,\), min=0\.0, max=0\.2"),
        (np.append(PRIORS[1:], 1.0), r"shape=\(7,\), min=1e-05, max=1\.0"),
        (np.append(PRIORS[1:], np.nan), r"shape=\(7,\), min=nan, max=nan"),
    ],
)
@pytest.mark.parametrize(
    "config",
    [
        models.LogisticConfig(),
        models.MoeConfig(),
        models.AttentionConfig(),
        # Whose priors before the gates are at most 0.99.
        models.PooledEmbeddingConfig(dbof_clusters=4),
    ],
)
def test_wrong_priors_are_refused(config, priors, received):
    with pytest.raises(
        ValueError,
        match=rf"expected 7 priors in \(0, 1\)\. Received: {received}",
    ):
        config.build(feature_sizes=(6, 3), num_classes=7, class_priors=priors)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_starts_its_classifiers_at_the_priors(name, gated):
    cls = models.MODELS[name]
    fields = {field.name for field in dataclasses.fields(cls)}
    values = small_models.FRAME_MODELS.get(name, {})
    if "context_gating" in fields:
        values = {**values, "context_gating": gated}
    elif gated:
        return
    model = build(cls(**values))
    found = {
        layer.name: layer.bias.numpy()
        for layer in small_models.projections_of(model)
        if layer.bias is not None and layer.bias.numpy().any()
    }
    expected = {
        "classifier": ("classifier",),
        "experts": ("experts",),
        "branches": ("branch_0_classifier", "branch_1_classifier"),
        "chain": tuple(f"chain_{number}_experts" for number in range(4)),
    }
    kind = next(kind for kind, names in expected.items() if names[0] in found)
    assert set(found) == set(expected[kind])
    for bias in found.values():
        copies = len(bias) // 7
        share = PRIORS * (2 if gated else 1)
        if kind in ("experts", "chain"):
            share = share * (copies + 1) / copies
        odds = np.log(share / (1 - share))
        np.testing.assert_allclose(bias, np.repeat(odds, copies), rtol=1e-5)
    # Without priors they start at zeros.
    model = cls(**values).build(feature_sizes=(6, 3), num_classes=7)
    for layer in small_models.projections_of(model):
        assert layer.bias is None or not layer.bias.numpy().any()

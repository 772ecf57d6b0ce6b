"""Tests of all that models of frames have in common, against NumPy."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import frame_model_checks
import numpy_frame_models
import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact import structures

KINDS = small_models.KINDS

SMALL = small_models.FRAME_MODELS
# Models for which the order of the frames counts.
SEQUENTIAL = {"LstmModel", "GruModel", "TransformerModel"}
LOGISTIC = "LogisticModel"
# Other settings, each of which changes what is computed.
VARIANTS = {
    "FrameLevelLogisticModel": [{"l2_normalize": False}],
    "LstmModel": [
        {"lstm_layers": 1},
        {"recurrent_projection": "diagonal_circulant"},
        {"video_level_classifier_model": LOGISTIC},
    ],
    "GruModel": [
        {"gru_layers": 3},
        {"embedding_projection": "diagonal_circulant"},
    ],
    "NetVladModel": [
        {"lightvlad": True, "context_gating": True},
        {"netvlad_relu": False, "gating": True, "context_gating": True},
        {"l2_normalize": False, "video_level_classifier_model": LOGISTIC},
        {"vlagd": True, "gating": True, "context_gating": True}
        | {"gating_remove_diag": True},
    ],
    "NetFvModel": [
        {"gating": True},
        {"fv_relu": False, "context_gating": True},
        {"fv_couple_weights": True, "fv_coupling_factor": 0.7},
        {"fv_couple_weights": True, "fv_coupling_factor": -0.5}
        | {"embedding_projection": "diagonal_circulant"},
    ],
    "SoftDbofModel": [
        {"softdbof_maxpool": True},
        {"dbof_relu": False, "gating": True, "context_gating": True},
        {"fc_dimred": False, "dbof_hidden_size": 2048},
    ],
    "GatedDbofModel": [
        {"softdbof_maxpool": True, "gating": True}
        | {"gating_remove_diag": True},
        {"fc_dimred": False, "dbof_hidden_size": 2048},
    ],
    "NeXtVladModel": [
        {"groups": 2, "expansion": 1, "gating_reduction": 3},
        {"video_level_classifier_model": "MoeModel"},
    ],
    "MixNeXtVladModel": [{"mix_number": 1}],
    "AttentionModel": [
        {"attention_heads": 1, "l2_normalize": False},
        # Without layers, they have no size.
        {"attention_layers": 0, "attention_hidden_size": 1024}
        | {"drop_rate": 0.5},
    ],
    "TransformerModel": [
        {"transformer_layers": 2, "transformer_heads": 1}
        | {"transformer_head_size": 5},
        {"video_level_classifier_model": "MoeModel"},
    ],
}


def make_config(name, **values):
    return models.MODELS[name](**{**SMALL[name], **values})


def with_kind(name, kind):
    config = make_config(name)
    # WILLOW's gates, of hidden units and of predictions, are places, too.
    gates = [g for g in ("gating", "context_gating") if hasattr(config, g)]
    config = dataclasses.replace(config, **dict.fromkeys(gates, True))
    places = small_models.used_places(config)
    return dataclasses.replace(config, **dict.fromkeys(places, kind))


COMPACT = {
    f"{name}-compact": (name, with_kind(name, "diagonal_circulant"))
    for name in SMALL
}
DENSE = {f"{name}-dense": (name, make_config(name)) for name in SMALL}
CONFIGS = {
    **DENSE,
    **COMPACT,
    **{
        f"{name}-{number}": (name, make_config(name, **values))
        for name, variants in VARIANTS.items()
        for number, values in enumerate(variants)
    },
}
# Frames are masked and ordered outside of projections: their structure is left
# to the slow tests.
ONE_EACH = [
    *DENSE,
    *(pytest.param(case, marks=pytest.mark.slow) for case in COMPACT),
]

# Of what XLA compiles, a third: the others are slow tests.
SOME_COMPACT = [
    pytest.param(case, marks=[pytest.mark.slow] if number % 3 else [])
    for number, case in enumerate(COMPACT)
]


def assert_close(result, expected, atol=5e-6):
    np.testing.assert_allclose(result, expected, rtol=0, atol=atol)


def expected_of(name, config, model, batch, statistics=None):
    predict = numpy_frame_models.PREDICT[name]
    return predict(config, model, batch, statistics)


@pytest.mark.slow
@pytest.mark.parametrize("case", CONFIGS)
def test_equals_numpy(case):
    name, config = CONFIGS[case]
    model = numpy_models.build(config, seed=1)
    batch = numpy_models.make_frames((4, 1, 9, 3), max_frames=9)
    expected = expected_of(name, config, model, batch)
    assert expected.std(axis=0).max() > 1e-3
    frame_model_checks.check_predictions(model, batch, expected)


def every_kind() -> list:
    """Pairs models with kinds: each has some of the others, and slow, all."""
    return [
        pytest.param(
            name,
            kind,
            marks=[pytest.mark.slow] if (row + column) % 5 else [],
        )
        for row, name in enumerate(SMALL)
        for column, kind in enumerate(KINDS)
    ]


@pytest.mark.parametrize(("name", "kind"), every_kind())
def test_every_kind_at_every_place(name, kind):
    config = with_kind(name, kind)
    model = numpy_models.build(config)
    found = {
        projection.structure
        for projection in small_models.projections_of(model)
    }
    assert found <= {structures.get(kind)}
    batch = numpy_models.make_frames((4, 1))
    assert_close(
        model(batch, training=False), expected_of(name, config, model, batch)
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CONFIGS)
def test_gradients_equal_numeric_ones(case):
    name, config = CONFIGS[case]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = numpy_models.build(config)
    finally:
        keras.config.set_dtype_policy(policy)
    batch = numpy_models.make_frames((3, 1, 4), max_frames=5)
    rng = np.random.default_rng(5)
    upstream = rng.standard_normal((3, numpy_models.NUM_CLASSES))
    with tf.GradientTape() as tape:
        predictions = model(batch, training=False)
        loss = tf.reduce_sum(tf.cast(predictions, "float64") * upstream)
    weights = model.trainable_variables
    gradients = tape.gradient(loss, [weight.value for weight in weights])

    def slow_loss():
        return (expected_of(name, config, model, batch) * upstream).sum()

    slopes = []
    for weight, gradient in zip(weights, gradients, strict=True):
        kept, step = weight.numpy(), rng.standard_normal(weight.shape)
        losses = []
        for size in (1e-5, -1e-5):
            weight.assign(kept + size * step)
            losses.append(slow_loss())
        weight.assign(kept)
        slopes.append((losses[0] - losses[1]) / 2e-5)
        # Predictions are float32.
        np.testing.assert_allclose(
            np.sum(gradient * step), slopes[-1], rtol=1e-4, atol=1e-6
        )
    assert np.abs(slopes).max() > 0.01


# Models with batch normalisation.
NORMALIZED = [name for name in DENSE if "iterations" in vars(DENSE[name][1])]


@pytest.mark.parametrize("case", NORMALIZED)
def test_training_normalizes_over_the_real_frames_alone(case):
    name, config = CONFIGS[case]
    model = numpy_models.build(config)
    batch = numpy_models.make_frames()
    statistics = {}
    expected = expected_of(name, config, model, batch, statistics)
    frame_model_checks.check_training(model, batch, expected, statistics)


@pytest.mark.parametrize("case", ONE_EACH)
def test_order_of_frames(case):
    name, config = CONFIGS[case]
    model = numpy_models.build(config)
    batch = numpy_models.make_frames((6, 6))
    shuffled = batch["frames"][:, [3, 5, 0, 2, 1, 4]]
    difference = model({**batch, "frames": shuffled}, training=False) - model(
        batch, training=False
    )
    if name in SEQUENTIAL:
        assert np.abs(difference).max(axis=1).min() > 1e-3
    else:
        assert_close(difference, 0)


@pytest.mark.parametrize("case", ONE_EACH)
def test_gradients_do_not_see_the_padding(case):
    name, config = CONFIGS[case]
    model = numpy_models.build(config)
    frame_model_checks.check_gradients_do_not_see_the_padding(model)


@pytest.mark.parametrize("case", ONE_EACH)
def test_videos_of_no_frame_or_one(case):
    model = numpy_models.build(CONFIGS[case][1])
    frame_model_checks.check_videos_of_no_frame_or_one(model)


@pytest.mark.parametrize("case", COMPACT)
def test_keras_file_round_trip(case, tmp_path):
    model = numpy_models.build(CONFIGS[case][1])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    batch = numpy_models.make_frames()
    np.testing.assert_array_equal(
        loaded(batch, training=False), model(batch, training=False)
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", SOME_COMPACT)
def test_xla_agrees(case):
    model = numpy_models.build(CONFIGS[case][1])
    batch = numpy_models.make_frames()
    compiled = tf.function(
        lambda batch: model(batch, training=False),
        jit_compile=True,
        autograph=False,
    )
    assert_close(compiled(batch), model(batch, training=False), atol=1e-5)


@pytest.mark.parametrize("case", ONE_EACH)
def test_16_bits(case):
    _, config = CONFIGS[case]
    frame_model_checks.check_16_bits(config, atol=0.15)


@pytest.mark.parametrize("case", DENSE)
def test_float16_of_what_is_all_but_zero(case):
    batch = numpy_models.make_frames((0, 1, 6))
    # Codes that stand for -3e-5, whose square is 0 in float16.
    batch["frames"][1, 0] = 127
    config = CONFIGS[case][1]
    policy = keras.config.dtype_policy()
    expected = numpy_models.build(config)(batch, training=False)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = numpy_models.build(config)
    finally:
        keras.config.set_dtype_policy(policy)
    assert_close(model(batch, training=False), expected, atol=0.02)

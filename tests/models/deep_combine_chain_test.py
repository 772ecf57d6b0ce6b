"""Tests of DeepCombineChainModel."""

import keras
import numpy as np
import pytest

import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.eval import weights

SIZE = sum(numpy_models.FEATURE_SIZES)
NAME = "DeepCombineChainModel"


def make_config(**values) -> models.DeepCombineChainConfig:
    return models.DeepCombineChainConfig(
        **{**small_models.SMALL[NAME], **values}
    )


CONFIGS = [
    *(
        make_config(classifier_projection=kind, chain_projection=other)
        for kind, other in zip(
            small_models.KINDS,
            small_models.KINDS[1:] + small_models.KINDS[:1],
            strict=True,
        )
    ),
    make_config(l2_normalize=False, moe_num_mixtures=3),
    make_config(deep_chain_layers=1, deep_chain_relu_type="elu"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_equals_numpy(config):
    model = numpy_models.build(config)
    batch = numpy_models.make_features()
    *supports, expected = numpy_models.predict_chain(config, model, batch)
    numpy_models.check_videos_differ(config, expected, 0.002)
    for training in (False, True):
        result = model(batch, training=training)
        assert result.dtype == "float32"
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        model.get_layer("predictions").branch_predictions,
        np.stack(supports, axis=1),
        rtol=0,
        atol=2e-6,
    )


@pytest.mark.parametrize("kind", ["dense", "diagonal_circulant", "low_rank"])
def test_weights(kind):
    config = make_config(
        classifier_projection=kind, chain_projection=kind, moe_num_mixtures=3
    )
    model = numpy_models.build(config)

    def count(input_dim, units):
        return numpy_models.count_kernel_weights(kind, input_dim, units)

    # Three classifiers of 7 classes; the second sees 12 more values, the
    # third 24 more.
    expected = sum(
        count(SIZE + 12 * number, 7 * 4) + count(SIZE + 12 * number, 7 * 3)
        for number in range(3)
    )
    expected += 3 * 7 * 3  # The experts' biases.
    expected += 2 * (count(7, 12) + 12)
    assert model.count_params() == expected


def test_weights_of_the_published_sizes():
    # The commands of the released code: 4 classifiers before the last one, 256
    # units, 4 mixtures; 4,716 classes of 2017.
    config = models.DeepCombineChainConfig(
        deep_chain_layers=4, deep_chain_relu_cells=256, moe_num_mixtures=4
    )
    found = weights.count_weights_of_config(
        config, feature_sizes=(1024, 128), num_classes=4716
    )
    expected = sum(
        (1152 + 256 * number) * 4716 * (5 + 4) + 4716 * 4 for number in range(5)
    )
    expected += 4 * (4716 * 256 + 256)
    assert found.total == expected


def compile_model(config) -> keras.Model:
    model = numpy_models.build(config)
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=ops.LOSSES["CrossEntropyLoss"],
        jit_compile=False,
    )
    return model


def make_labels() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 7)).astype("float32")


def cross_entropy(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Computes `[batch]` losses; 1e-5 is the starter code's."""
    return -np.log(np.where(labels == 1, p, 1 - p) + 1e-5).sum(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_classifier_learns_the_labels(share):
    config = make_config(support_loss_percent=share, l2_penalty=0.0)
    model, labels = compile_model(config), make_labels()
    batch = numpy_models.make_features()
    *supports, last = (
        cross_entropy(labels, p).mean()
        for p in numpy_models.predict_chain(config, model, batch)
    )
    assert len({round(loss, 3) for loss in (*supports, last)}) == 3
    expected = (1 - share) * last + share * sum(supports)
    np.testing.assert_allclose(
        model.train_on_batch(batch, labels), expected, rtol=1e-5
    )
    # Where nothing is learnt, the last one's loss counts.
    np.testing.assert_allclose(
        model.test_on_batch(batch, labels), last, rtol=1e-5
    )


@pytest.mark.slow
def test_weights_of_videos_count_for_every_classifier():
    config = make_config(support_loss_percent=0.25, l2_penalty=0.0)
    model, labels = compile_model(config), make_labels()
    batch = numpy_models.make_features()
    shares = np.array([1.0, 2.0, 0.0, 0.5, 0.0])
    *supports, last = (
        (shares * cross_entropy(labels, p)).mean()
        for p in numpy_models.predict_chain(config, model, batch)
    )
    loss = model.train_on_batch(batch, labels, sample_weight=shares)
    np.testing.assert_allclose(
        loss, 0.75 * last + 0.25 * sum(supports), rtol=1e-5
    )


def test_penalty_is_over_all_kernels():
    model = numpy_models.build(make_config(l2_penalty=0.5))
    kernels = [w.numpy() for w in model.weights if w.name == "kernel"]
    assert len(kernels) == 3 * 2 + 2
    np.testing.assert_allclose(
        sum(model.losses),
        0.5 * sum(np.sum(kernel**2) for kernel in kernels) / 2,
        rtol=1e-5,
    )


@pytest.mark.slow
def test_hidden_units_that_are_all_zero_keep_gradients_finite():
    config = make_config(support_loss_percent=0.0)
    model = numpy_models.build(config)
    model.get_layer("chain_0_hidden").bias.assign([-100.0] * 12)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=ops.LOSSES["CrossEntropyLoss"],
        jit_compile=False,
    )
    before = [w.numpy() for w in model.get_layer("chain_0_hidden").weights]
    for _ in range(2):
        loss = model.train_on_batch(numpy_models.make_features(), make_labels())
        assert np.isfinite(loss)
    for weight in model.weights:
        assert np.isfinite(weight).all(), weight.path
    # What no unit let through learns nothing.
    for weight, value in zip(
        model.get_layer("chain_0_hidden").weights, before, strict=True
    ):
        np.testing.assert_allclose(weight, value, rtol=1e-6)


def test_keras_file_round_trip(tmp_path):
    model = numpy_models.build(make_config(chain_projection="circulant"))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is models.DistilledModel
    assert loaded.get_layer("predictions").branch_share == 0.1
    batch = numpy_models.make_features()
    np.testing.assert_array_equal(loaded(batch), model(batch))


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_float16", 3e-3), ("mixed_bfloat16", 2e-2)]
)
def test_16_bits(policy, tolerance):
    config = make_config(chain_projection="circulant")
    batch = numpy_models.make_features()
    batch["features"][0] = 0.0  # Of no direction.
    expected = numpy_models.build(config)(batch)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = numpy_models.build(config)
    finally:
        keras.config.set_dtype_policy(before)
    for training in (False, True):
        result = model(batch, training=training)
        assert result.dtype == "float32"
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)
    assert model.get_layer("chain_0_gates").compute_dtype == policy[6:]

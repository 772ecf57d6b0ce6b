"""Tests of the mixture of experts."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.layers import mixture_of_experts


def make_inputs(batch, num_classes, num_mixtures, scale=2.0):
    rng = np.random.default_rng(0)
    gates = rng.standard_normal((batch, num_classes * (num_mixtures + 1)))
    experts = rng.standard_normal((batch, num_classes * num_mixtures))
    return gates * scale, experts * scale


def mix_slowly(gates, experts, num_classes, num_mixtures):
    """Mixes class by class; the last gate is the expert that says no."""
    mixed = np.zeros([len(gates), num_classes])
    for video in range(len(gates)):
        for c in range(num_classes):
            start = c * (num_mixtures + 1)
            powers = [
                math.exp(gates[video, start + m])
                for m in range(num_mixtures + 1)
            ]
            for m in range(num_mixtures):
                expert = experts[video, c * num_mixtures + m]
                weight = powers[m] / sum(powers)
                mixed[video, c] += weight / (1 + math.exp(-expert))
    return mixed


@pytest.mark.parametrize(
    ("batch", "num_classes", "num_mixtures"),
    [(4, 5, 2), (3, 2, 4), (1, 3, 1), (2, 1, 3)],
)
def test_equals_a_loop_over_the_classes(batch, num_classes, num_mixtures):
    gates, experts = make_inputs(batch, num_classes, num_mixtures)
    expected = mix_slowly(gates, experts, num_classes, num_mixtures)
    for dtype, tolerance in [("float64", 1e-12), ("float32", 1e-6)]:
        layer = layers.MixtureOfExperts(num_classes, num_mixtures, dtype=dtype)
        result = layer([gates.astype(dtype), experts.astype(dtype)])
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)


def test_dummy_expert_rejects():
    # One class, two experts that say yes: what the dummy's gate takes is lost.
    layer = layers.MixtureOfExperts(1, 2)
    experts = np.full([3, 2], 50.0)
    gates = np.log([[1.0, 2, 1], [1, 2, 97], [3, 2, 5]])
    np.testing.assert_allclose(
        layer([gates, experts]), [[0.75], [0.03], [0.5]], rtol=1e-5
    )


def test_large_activations_give_probabilities():
    gates, experts = make_inputs(6, 4, 2, scale=1e4)
    gates, experts = tf.constant(gates), tf.constant(experts)
    with tf.GradientTape() as tape:
        tape.watch([gates, experts])
        result = layers.MixtureOfExperts(4, 2, dtype="float64")(
            [gates, experts]
        )
    assert np.all((result >= 0) & (result <= 1))
    for gradient in tape.gradient(result, [gates, experts]):
        assert np.isfinite(gradient).all()


def test_float32_layer_in_a_16_bit_model():
    gates, experts = make_inputs(4, 5, 2)
    layer = layers.MixtureOfExperts(5, 2, dtype="float32")
    gates, experts = tf.cast(gates, "bfloat16"), tf.cast(experts, "bfloat16")
    result = layer([gates, experts])
    assert result.dtype == "float32"
    expected = mix_slowly(
        tf.cast(gates, "float64").numpy(),
        tf.cast(experts, "float64").numpy(),
        5,
        2,
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_config_and_symbolic_shape():
    layer = layers.MixtureOfExperts(5, 2, name="predictions")
    again = layers.MixtureOfExperts.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    symbolic = again([keras.Input((15,)), keras.Input((10,))])
    assert symbolic.shape == (None, 5)
    assert again.weights == []


@pytest.mark.parametrize(
    ("gates", "experts"), [(15, 5), (10, 10), (30, 10), (15, 20)]
)
def test_wrong_sizes_are_refused(gates, experts):
    layer = layers.MixtureOfExperts(5, 2)
    with pytest.raises(
        ValueError,
        match=rf"expected 15 gates and 10 experts\. Received: input_shape=.*"
        rf"\(1, {gates}\).*\(1, {experts}\).*num_classes=5, num_mixtures=2",
    ):
        layer([np.zeros([1, gates]), np.zeros([1, experts])])


@pytest.mark.parametrize(("num_classes", "num_mixtures"), [(0, 2), (5, 0)])
def test_wrong_numbers_are_refused(num_classes, num_mixtures):
    with pytest.raises(
        ValueError,
        match=rf"expected positive ints\. Received: num_classes={num_classes}, "
        rf"num_mixtures={num_mixtures}",
    ):
        layers.MixtureOfExperts(num_classes, num_mixtures)


@pytest.mark.slow
def test_training_compiles_the_same_mixture(monkeypatch):
    monkeypatch.setattr(mixture_of_experts, "_LEAST_COMPILED", 1)
    gates, experts = make_inputs(4, 5, 2)
    upstream = np.random.default_rng(1).standard_normal((4, 5))
    layer = layers.MixtureOfExperts(5, 2, dtype="float64")

    def mix(gates, experts, training):
        with tf.GradientTape() as tape:
            tape.watch([gates, experts])
            mixed = layer([gates, experts], training=training)
            loss = tf.reduce_sum(mixed * upstream)
        return mixed, *tape.gradient(loss, [gates, experts])

    inputs = (tf.constant(gates), tf.constant(experts))
    expected = mix(*inputs, training=False)
    np.testing.assert_allclose(
        expected[0], mix_slowly(gates, experts, 5, 2), rtol=0, atol=1e-12
    )
    for ours, theirs in zip(mix(*inputs, training=True), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    signature = [tf.TensorSpec([None, size], "float64") for size in (15, 10)]
    step = tf.function(
        lambda *inputs: mix(*inputs, training=True), input_signature=signature
    )
    for ours, theirs in zip(step(*inputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_only_large_mixtures_are_compiled_in_training(monkeypatch):
    layer = layers.MixtureOfExperts(5, 2)

    def is_compiled(training):
        function = tf.function(
            lambda *inputs: layer(list(inputs), training=training)
        ).get_concrete_function(
            tf.TensorSpec([None, 15]), tf.TensorSpec([None, 10])
        )
        library = function.graph.as_graph_def().library
        return any(f.attr["_XlaMustCompile"].b for f in library.function)

    assert not is_compiled(training=True)
    monkeypatch.setattr(mixture_of_experts, "_LEAST_COMPILED", 5 * 2)
    assert is_compiled(training=True)
    # A SavedModel runs where there is no XLA.
    assert not is_compiled(training=False)


@pytest.mark.slow
def test_large_mixtures_of_several_sizes_train():
    for classes, mixtures in ((1024, 2), (2048, 3), (1500, 4)):
        layer = layers.MixtureOfExperts(classes, mixtures)
        inputs = [
            tf.ones([2, classes * (mixtures + 1)]),
            tf.zeros([2, classes * mixtures]),
        ]
        # Equal gates, and the last expert says no.
        expected = 0.5 * mixtures / (mixtures + 1)
        np.testing.assert_allclose(
            layer(inputs, training=True), np.full([2, classes], expected), 1e-6
        )

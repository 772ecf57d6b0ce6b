"""Tests of batch normalisation, activation and pooling as one layer."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.layers import frame_normalization
from yt8m_compact.ops import frame_normalization as op
from yt8m_compact.ops import transforms
from yt8m_compact.structures import circulant

unpack = transforms.PairTransform.unpack
ACTIVATIONS = frame_normalization.RISING_ACTIVATIONS
POOLINGS = ("max", "average", None)
SIZE = 6
NUM_FRAMES = np.array([4, 1, 0, 6, 3])
MODES = ("eager", "graph", "xla")
# Relative to the largest value.
TOLERANCES = {
    "float64": 1e-12,
    "float32": 5e-6,
    "mixed_float16": 5e-3,
    "mixed_bfloat16": 3e-2,
}
STRUCTURES = (
    "dense",
    "diagonal_circulant",
    "diagonal_circulant(shared_diagonal=True)",
    "diagonal_circulant(num_factors=2)",
    "low_rank(rank=2)",
    "low_rank(rank=2) + diagonal_circulant",
    "fastfood",
    "sparse",
)


@pytest.fixture(autouse=True)
def _exact_keras():
    """Keras adds 1e-7 to the number of frames."""
    before = keras.config.epsilon()
    keras.config.set_epsilon(1e-30)
    yield
    keras.config.set_epsilon(before)


@pytest.fixture
def compile_all(monkeypatch):
    """From when it is called, tiny frames are compiled as large ones are."""

    def start():
        monkeypatch.setattr(op, "_LEAST_COMPILED", 1)
        # It may hold functions of equal blocks that were not compiled.
        op._functions_of.cache_clear()

    yield start
    op._functions_of.cache_clear()


@pytest.fixture
def compiled(compile_all):
    compile_all()


def make_values(size=SIZE):
    """Makes frames far from zero in one column."""
    rng = np.random.default_rng(0)
    values = 2 * rng.standard_normal((5, 6, size))
    values[..., 0] -= 10
    return values


def make_mask(full=False):
    """Makes masks: one video without a frame, and a hole in another."""
    mask = np.arange(6) < NUM_FRAMES[:, np.newaxis]
    mask[3, 2] = False
    return np.ones_like(mask) if full else mask


def make_upstream():
    """Makes the gradients of outputs, of more columns than any layer has."""
    return np.random.default_rng(1).standard_normal((5, 6, 1100))


class Chain:
    """The layers that are fused, one after another."""

    def __init__(self, activation, pooling, dtype="float32", **kwargs):
        self.norm = layers.BatchNormalization(dtype=dtype, **kwargs)
        self.activation = keras.layers.Activation(activation, dtype=dtype)
        self.pooling = pooling and layers.FramePooling(pooling, dtype=dtype)

    def __call__(self, x, training, mask):
        x = self.activation(self.norm(x, training=training, mask=mask))
        if self.pooling is None:
            return x
        frames = tf.ones(tf.shape(x)[:2], tf.bool) if mask is None else mask
        return self.pooling([x, frames])


def set_weights(norm, gamma=(1.5, -0.7, 0.3, -2.0, 1.0, 4.0)):
    """Sets scales of both signs, shifts of both, and moments."""
    norm.build((None, None, SIZE))
    values = {
        "gamma": gamma,
        "beta": (0.5, -0.3, 2.0, 1.0, -1.0, 3.0),
        "moving_mean": (-9.0, 0.4, 0.0, -0.5, 1.0, 0.2),
        "moving_variance": (4.0, 2.0, 0.5, 1.0, 3.0, 0.1),
    }
    norm.set_weights([np.array(values[w.name]) for w in norm.weights])


def make_pair(activation, pooling, dtype="float32", **kwargs):
    """Makes the fused layer and the chain, of the same weights."""
    gamma = kwargs.pop("gamma", None)
    fused = layers.FrameNormalization(
        activation, pooling, dtype=dtype, **kwargs
    )
    chain = Chain(activation, pooling, dtype, **kwargs)
    for norm in (fused, chain.norm):
        set_weights(norm, *[] if gamma is None else [gamma])
    return fused, chain


def run(layer, weights, values, mask, training=True, mode="eager"):
    """Runs a training step but for the update.

    Returns:
        By name: outputs, the gradient of frames, those of weights, and all
        weights after it.
    """
    dtype = getattr(layer, "norm", layer).dtype_policy.compute_dtype
    wide = tf.float64 if dtype == "float64" else tf.float32
    trained = [w for w in weights if w.trainable]

    def step(x, mask=None):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training, mask=mask)
            # Padding has gradients, too, where frames are kept.
            shape = outputs.shape[1:]
            upstream = make_upstream()[: len(values)]
            upstream = upstream[:, 0] if shape.rank == 1 else upstream
            upstream = upstream[..., : shape[-1]]
            loss = tf.reduce_sum(tf.cast(outputs, wide) * upstream)
        variables = [w.value for w in trained]
        return outputs, tape.gradient(loss, [x, *variables])

    if mode != "eager":
        specs = [tf.TensorSpec([None, None, values.shape[-1]], dtype)]
        if mask is not None:
            specs.append(tf.TensorSpec([None, None], tf.bool))
        step = tf.function(
            step,
            input_signature=specs,
            jit_compile=mode == "xla",
            autograph=False,
        )
    arguments = [tf.cast(values, dtype)]
    if mask is not None:
        arguments.append(tf.constant(mask))
    outputs, (of_x, *of_weights) = step(*arguments)
    found = {"outputs": outputs, "of x": of_x}
    for weight, gradient in zip(trained, of_weights, strict=True):
        found[f"of {weight.name}"] = gradient
    return found | {w.name: tf.identity(w.value) for w in weights}


def assert_same(found, expected, policy="float32", without=()):
    assert set(found) == set(expected)
    for name in set(expected) - set(without):
        theirs = expected[name]
        if theirs is None:
            assert found[name] is None, name
            continue
        theirs = tf.cast(theirs, "float64").numpy()
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(
            tf.cast(found[name], "float64"),
            theirs,
            rtol=0,
            atol=TOLERANCES[policy] * max(scale, 1e-3),
            err_msg=name,
        )


def assert_pair_agrees(pair, values, mask, without=(), **kwargs):
    fused, chain = pair
    policy = fused.dtype_policy.name
    found = run(fused, fused.weights, values, mask, **kwargs)
    kwargs["mode"] = "eager"
    expected = run(chain, chain.norm.weights, values, mask, **kwargs)
    assert found["outputs"].dtype == fused.compute_dtype
    assert_same(found, expected, policy, without)
    return found


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_equals_the_layers_one_after_another(activation, pooling, dtype):
    found = assert_pair_agrees(
        make_pair(activation, pooling, dtype), make_values(), make_mask()
    )
    assert set(found) == {
        *("outputs", "of x", "of gamma", "of beta"),
        *("gamma", "beta", "moving_mean", "moving_variance"),
    }
    assert np.abs(found["of x"]).max() > 1e-3
    if pooling is not None:
        np.testing.assert_array_equal(found["outputs"][2], np.zeros(SIZE))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("frozen", [True, False])
def test_inference_and_a_layer_that_is_not_trained(pooling, frozen):
    pair = make_pair("sigmoid", pooling, "float64", trainable=not frozen)
    before = pair[0].moving_mean.numpy()
    found = assert_pair_agrees(
        pair, make_values(), make_mask(), training=frozen
    )
    np.testing.assert_array_equal(found["moving_mean"], before)
    assert ("of gamma" in found) != frozen


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("mask", ["some", "full", "none"])
@pytest.mark.parametrize("mode", MODES)
def test_equals_them_compiled_and_in_graphs(compiled, mode, mask, pooling):
    # With a mask that may be full, and with batch and frames unknown.
    masks = {"some": make_mask(), "full": make_mask(full=True), "none": None}
    assert_pair_agrees(
        make_pair("relu6", pooling), make_values(), masks[mask], mode=mode
    )


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_equals_them_in_graphs_of_few_values(mode, pooling):
    assert_pair_agrees(
        make_pair("tanh", pooling), make_values(), make_mask(), mode=mode
    )


def needs_xla(layer, training):
    function = tf.function(
        lambda x, mask: layer(x, training=training, mask=mask)
    ).get_concrete_function(
        tf.TensorSpec([None, None, SIZE]), tf.TensorSpec([None, None], tf.bool)
    )
    definition = function.graph.as_graph_def()
    return any(f.attr["_XlaMustCompile"].b for f in definition.library.function)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_compiles_large_frames_in_training_alone(monkeypatch, pooling):
    layer, _ = make_pair("relu", pooling)
    assert not needs_xla(layer, training=True)
    monkeypatch.setattr(op, "_LEAST_COMPILED", SIZE)
    assert needs_xla(layer, training=True)
    # A SavedModel runs where there is no XLA.
    assert not needs_xla(layer, training=False)
    monkeypatch.setattr(op, "_LEAST_COMPILED", SIZE + 1)
    assert not needs_xla(layer, training=True)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_frame_at_all(pooling):
    mask = np.zeros([5, 6], bool)
    found = assert_pair_agrees(
        make_pair("tanh", pooling, "float64"), make_values(), mask
    )
    if pooling is not None:
        np.testing.assert_array_equal(found["outputs"], np.zeros([5, SIZE]))
        np.testing.assert_array_equal(found["of x"], np.zeros([5, 6, SIZE]))


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu6"])
def test_frames_that_are_equal_share_the_gradient(
    activation, large, compile_all
):
    if large:
        compile_all()
    values = np.round(make_values())
    values[:, 3] = values[:, 0]
    best = values[3] == values[3].max(axis=0)
    assert (best.sum(axis=0) > 1).any()
    assert_pair_agrees(make_pair(activation, "max"), values, make_mask())
    fused, _ = make_pair(activation, "max")
    assert_pair_agrees((fused, make_pair(activation, "max")[1]), values, None)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_frames_that_are_equal_by_saturation(pooling):
    # Both ends of relu6, most frames beyond one of them.
    gamma = (20.0, -20.0, 20.0, -20.0, 20.0, -20.0)
    found = assert_pair_agrees(
        make_pair("relu6", pooling, "float64", gamma=gamma),
        make_values(),
        make_mask(),
    )
    outputs = found["outputs"].numpy()
    for end in [0, 6]:  # an average of all at an end is one, too
        assert (outputs == end).any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gamma_of_zero(pooling):
    gamma = (0.0, 1.0, 0.0, -1.0, 0.0, 2.0)
    values, mask = make_values(), make_mask()
    found = assert_pair_agrees(
        make_pair("tanh", pooling, "float64", gamma=gamma),
        values,
        mask,
        # All frames are equal then: the largest counts for gamma here, and
        # the average there.
        without=["of gamma"] if pooling == "max" else [],
    )
    assert np.isfinite(found["of gamma"]).all()
    if pooling != "max":
        return
    frames = values[mask]
    deviation = np.sqrt(frames.var(axis=0) + 1e-3)
    upstream = make_upstream()[:, 0, :SIZE]
    expected = np.zeros(SIZE)
    for video in [0, 1, 3, 4]:
        largest = values[video, mask[video]].max(axis=0)
        z = (largest - frames.mean(axis=0)) / deviation
        beta = found["beta"].numpy()
        expected += upstream[video] * (1 - np.tanh(beta) ** 2) * z
    np.testing.assert_allclose(
        found["of gamma"].numpy()[::2], expected[::2], rtol=1e-10
    )


@pytest.mark.parametrize("without", ["center", "scale"])
def test_without_a_shift_or_a_scale(without):
    pair = make_pair("relu6", "max", "float64", **{without: False})
    found = assert_pair_agrees(pair, make_values(), make_mask())
    assert ("of beta" in found) != ("of gamma" in found)


def test_momentum_and_epsilon():
    pair = make_pair("relu", "average", "float64", momentum=0.5, epsilon=0.25)
    assert_pair_agrees(pair, make_values(), make_mask())


def test_moments_far_from_zero():
    # A difference of mean squares would lose 1e-3 in float32.
    values = make_values() + 256
    layer, _ = make_pair("linear", "average", momentum=0.0)
    run(layer, layer.weights, values, make_mask())
    frames = values.astype(np.float32).astype(np.float64)[make_mask()]
    np.testing.assert_allclose(
        layer.moving_variance, frames.var(axis=0), rtol=5e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_mixed_precision(compiled, policy, pooling):
    compute = policy.removeprefix("mixed_")
    values = tf.cast(make_values(), compute)
    fused, _ = make_pair("relu6", pooling, policy)
    _, chain = make_pair("relu6", pooling)
    found = run(fused, fused.weights, values, make_mask())
    wide = tf.cast(values, "float32")
    expected = run(chain, chain.norm.weights, wide, make_mask())
    assert found["outputs"].dtype == found["of x"].dtype == compute
    assert found["of gamma"].dtype == fused.gamma.dtype == "float32"
    for name, value in found.items():
        assert np.isfinite(tf.cast(value, "float32")).all(), name
    assert_same(found, expected, policy)
    # Moments are those of the rounded frames, in float32.
    assert_same(
        {"mean": found["moving_mean"]}, {"mean": expected["moving_mean"]}
    )


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_not_a_number_stays_one(pooling, large, training, compile_all):
    if large:
        compile_all()
    values = make_values()
    values[3, 4, 1] = np.nan
    layer, _ = make_pair("relu6", pooling)
    found = run(layer, layer.weights, values, make_mask(), training=training)
    outputs = found["outputs"].numpy()
    broken = outputs[3, ..., 1] if pooling else outputs[3, 4, 1]
    assert np.isnan(broken)
    others = np.delete(outputs, 1, axis=-1)
    assert np.isfinite(others).all()
    if training:
        assert np.isnan(found["moving_mean"][1])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
def test_padding_does_not_count(pooling, large, garbage, compile_all):
    if large:
        compile_all()
    values, mask = make_values(), make_mask()
    padded = np.where(mask[..., np.newaxis], values, garbage)
    for training in [True, False]:
        results = []
        for frames in [values, padded]:
            layer, _ = make_pair("sigmoid", pooling)
            results.append(
                run(layer, layer.weights, frames, mask, training=training)
            )
        names = set(results[0])
        if pooling is None:  # What stands in padding is a frame's there.
            names = {"moving_mean", "moving_variance"}
        elif not training:  # Gradients there: 0 times what is no number.
            names = {"outputs"}
        found, expected = ({n: r[n] for n in names} for r in results)
        assert_same(found, expected)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_second_derivatives_are_refused(pooling):
    layer, _ = make_pair("tanh", pooling)
    x = tf.constant(make_values(), tf.float32)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            outputs = layer(x, training=True)
        gradient = inner.gradient(outputs, x)
    with pytest.raises(
        LookupError,
        match="FrameNormalization has no second derivatives in training",
    ):
        outer.gradient(gradient, x)


def test_keras_masks_reach_it_and_go_on_with_the_frames():
    values = make_values().astype("float32")
    values[0, 2:] = 0
    masked = keras.layers.Masking()(tf.constant(values))
    expected_mask = (values != 0).any(axis=-1)
    for pooling in POOLINGS:
        layer, _ = make_pair("relu6", pooling)
        found = layer(masked, training=True)
        other, _ = make_pair("relu6", pooling)
        expected = other(values, training=True, mask=tf.constant(expected_mask))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        kept = getattr(found, "_keras_mask", None)
        if pooling is None:
            np.testing.assert_array_equal(kept, expected_mask)
        else:
            assert kept is None


@pytest.mark.parametrize("pooling", POOLINGS)
def test_symbolic_shape_is_the_eager_one(pooling):
    layer = layers.FrameNormalization("relu", pooling, dtype="mixed_bfloat16")
    mask = keras.Input((None,), dtype="bool")
    symbolic = layer(keras.Input((None, SIZE)), mask=mask)
    assert symbolic.dtype == "bfloat16"
    assert symbolic.shape == (
        (None, None, SIZE) if pooling is None else (None, SIZE)
    )
    eager = layer(make_values(), mask=make_mask())
    assert eager.dtype == "bfloat16"
    assert eager.shape.rank == len(symbolic.shape)


def test_weights_are_those_of_batch_normalization():
    fused, chain = make_pair("relu6", "max")
    for ours, theirs in zip(fused.weights, chain.norm.weights, strict=True):
        assert (ours.name, ours.shape, ours.trainable, ours.dtype) == (
            theirs.name,
            theirs.shape,
            theirs.trainable,
            theirs.dtype,
        )


def test_config_round_trip():
    arguments = {
        "activation": "relu6",
        "pooling": "average",
        "units": 7,
        "structure": "low_rank(rank=2)",
        "input_gradient": False,
        "momentum": 0.5,
        "epsilon": 0.25,
        "center": False,
        "name": "bn",
        "trainable": False,
    }
    layer = layers.FrameNormalization(
        **arguments, gamma_regularizer=keras.regularizers.L2(0.5)
    )
    config = layer.get_config()
    assert {name: config[name] for name in arguments} == arguments
    again = layers.FrameNormalization.from_config(config)
    assert again.get_config() == config
    assert again.structure == layer.structure
    assert again.gamma_regularizer.l2 == 0.5
    plain = layers.FrameNormalization()
    assert plain.pooling is None
    assert plain.activation == "linear"


def test_unknown_activation_and_pooling_are_refused():
    with pytest.raises(
        ValueError,
        match="expected one of linear, relu, relu6, sigmoid, tanh. Received: "
        "activation='gelu'",
    ):
        layers.FrameNormalization("gelu")
    with pytest.raises(
        ValueError,
        match="expected one of max, average, or None. Received: pooling='mean'",
    ):
        layers.FrameNormalization(pooling="mean")


@pytest.mark.parametrize(
    ("name", "value"), [("axis", 1), ("renorm", True), ("synchronized", True)]
)
def test_what_it_does_not_do_is_refused(name, value):
    expected = {"axis": -1}.get(name, False)
    with pytest.raises(
        ValueError,
        match=f"expected {name}={expected}. Received: {name}={value}",
    ):
        layers.FrameNormalization(**{name: value})


class Projected:
    """A projection and the layer after it."""

    def __init__(self, structure, deferred, pooling="max", units=14, **kwargs):
        dtype = kwargs.pop("dtype", "float32")
        self.projection = layers.Projection(
            units, structure, use_bias=False, deferred=deferred, dtype=dtype
        )
        columns = {"units": units, "structure": structure} if deferred else {}
        self.norm = layers.FrameNormalization(
            "relu6", pooling, dtype=dtype, **columns, **kwargs
        )

    def __call__(self, x, training, mask):
        x = self.projection(x, training=training)
        return self.norm(x, training=training, mask=mask)

    def build(self, input_dim=SIZE):
        self(tf.zeros([1, 1, input_dim]), False, None)
        rng = np.random.default_rng(2)
        self.weights = [*self.projection.weights, *self.norm.weights]
        for weight in self.weights:
            if weight.name == "permutation":
                blocks, size = weight.shape
                weight.assign([rng.permutation(size) for _ in range(blocks)])
            elif weight.name == "positions":
                size = self.projection.input_dim * self.projection.units
                weight.assign(rng.choice(size, weight.shape, replace=False))
            elif weight.name == "moving_variance":
                weight.assign(rng.uniform(0.5, 2, weight.shape))
            else:
                weight.assign(rng.standard_normal(weight.shape))
        return self


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("structure", "least_width", "widths"),
    [
        *((structure, 1024, [14]) for structure in STRUCTURES),
        # Blocks of 6 columns, one or two at a time.
        ("diagonal_circulant", 6, [6, 6, 2]),
        ("diagonal_circulant", 7, [12, 2]),
        ("diagonal_circulant(num_factors=2)", 7, [12, 2]),
        ("diagonal_circulant(shared_diagonal=True)", 6, [6, 6, 2]),
        ("diagonal_circulant(shared_diagonal=True, num_factors=2)", 6, [14]),
        ("circulant", 7, [12, 2]),
        ("circulant(pad_input=True)", 6, [14]),
    ],
)
def test_deferred_projection_is_the_projection(
    structure, least_width, widths, training, monkeypatch
):
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", least_width)
    plain = Projected(structure, False, dtype="float64").build()
    deferred = Projected(structure, True, dtype="float64").build()
    assert [*deferred.norm.structure.block_widths(SIZE, 14)] == widths
    found, expected = (
        run(layer, layer.weights, make_values(), make_mask(), training=training)
        for layer in (deferred, plain)
    )
    assert_same(found, expected, "float64")
    assert np.abs(expected["of x"]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "pooling"), [("eager", "max"), ("graph", "average"), ("xla", None)]
)
def test_deferred_projection_in_graphs(mode, pooling, compile_all, monkeypatch):
    plain = Projected("diagonal_circulant", False, pooling).build()
    expected = run(plain, plain.weights, make_values(), make_mask())
    # Two blocks, of 12 and 2 columns.
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", SIZE + 1)
    compile_all()
    deferred = Projected("diagonal_circulant", True, pooling).build()
    arguments = (deferred.weights, make_values(), make_mask())
    assert_same(run(deferred, *arguments, mode=mode), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "size"),
    [
        ("diagonal_circulant", 250),
        ("diagonal_circulant(shared_diagonal=True)", 250),
        ("diagonal_circulant(shared_diagonal=True)", 251),
        ("circulant", 250),
    ],
)
def test_deferred_projection_by_transforms(
    structure, size, compile_all, monkeypatch
):
    # From about 200 values a circulant is multiplied by transforms.
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", size)
    values = make_values(size)
    plain = Projected(structure, False, units=300).build(size)
    deferred = Projected(structure, True, units=300).build(size)
    widths = deferred.norm.structure.block_widths(size, 300)
    assert widths == (size, 300 - size)
    compile_all()
    monkeypatch.setattr(op, "_LEAST_COMPILED", 256)  # the product alone
    found = run(deferred, deferred.weights, values, make_mask())
    assert_same(found, run(plain, plain.weights, values, make_mask()))


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("videos", [1, 3, 4, 5])  # of fewer, parts are empty
def test_videos_in_parts_and_frames_in_pairs(videos, pooling, monkeypatch):
    size = 512
    settings = {"pooling": pooling, "units": 1024, "dtype": "float64"}
    traced = []
    monkeypatch.setattr(
        transforms.PairTransform,
        "unpack",
        lambda *arguments: traced.append(1) or unpack(*arguments),
    )
    plain = Projected("diagonal_circulant", False, **settings).build(size)
    deferred = Projected("diagonal_circulant", True, **settings).build(size)
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", size)  # two blocks
    op._functions_of.cache_clear()
    mask = make_mask()[-videos:]
    values = make_values(size)[-videos:]
    expected = run(plain, plain.weights, values, mask)
    assert not traced
    if pooling is not None:
        # What is in the padding counts nowhere, and is no number.
        values = np.where(mask[..., np.newaxis], values, np.nan)
    found = run(deferred, deferred.weights, values, mask, mode="graph")
    assert bool(traced) == (pooling is not None)
    assert_same(found, expected)


def test_videos_are_one_part_on_accelerators(monkeypatch):
    block = frame_normalization._Block(
        structures.get("diagonal_circulant"), 300, tf.float32
    )
    assert op._num_parts([block], 300) == op._NUM_PARTS
    assert op._num_parts([block], 128) == 1  # the matrix is written out
    dense = dataclasses.replace(block, structure=structures.get("dense"))
    assert op._num_parts([dense], 300) == 1
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [1] * (kind == "GPU")
    )
    assert op._num_parts([block], 300) == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("shared", ["", "(shared_diagonal=True)"])
def test_deferred_projection_in_mixed_precision(policy, shared, monkeypatch):
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", SIZE)  # several blocks
    structure = f"diagonal_circulant{shared}"
    deferred = Projected(structure, True, dtype=policy).build()
    found = run(deferred, deferred.weights, make_values(), make_mask())
    compute = policy.removeprefix("mixed_")
    assert found["outputs"].dtype == compute
    assert found["of kernel"].dtype == "float32"
    wide = Projected(structure, False).build()
    values = tf.cast(tf.cast(make_values(), compute), "float32")
    expected = run(wide, wide.weights, values, make_mask())
    # Another frame may be the largest once products are rounded.
    for name in ("outputs", "of kernel", "of beta", "moving_mean"):
        assert np.isfinite(tf.cast(found[name], "float32")).all()
    for name in ("outputs", "moving_mean", "moving_variance"):
        assert_same({name: found[name]}, {name: expected[name]}, policy)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_deferred_projection_of_few_and_of_many_videos(pooling, monkeypatch):
    # All columns at once where the batch is known to be small, or 6, 6 and 2.
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", SIZE)
    deferred = Projected("diagonal_circulant", True, pooling).build()
    plain = Projected("diagonal_circulant", False, pooling).build()
    inputs = [tf.constant(make_values(), tf.float32), tf.constant(make_mask())]
    expected = plain(inputs[0], False, inputs[1])
    for size, count in [(len(inputs[0]), 1), (None, 3)]:
        function = tf.function(
            lambda x, mask: deferred(x, False, mask), autograph=False
        ).get_concrete_function(
            *(tf.TensorSpec([size, *x.shape[1:]], x.dtype) for x in inputs)
        )
        np.testing.assert_allclose(
            function(*inputs), expected, rtol=1e-5, atol=1e-5
        )
        types = [op.type for op in function.graph.get_operations()]
        assert types.count("MatMul") == count


def test_input_without_a_gradient():
    structure = "low_rank(rank=2) + diagonal_circulant"
    expected, found = (
        run(layer, layer.weights, make_values(), make_mask())
        for layer in (
            Projected(structure, True, dtype="float64").build(),
            Projected(
                structure, True, dtype="float64", input_gradient=False
            ).build(),
        )
    )
    assert expected["of x"] is not None
    assert found["of x"] is None
    del expected["of x"], found["of x"]
    assert_same(found, expected, "float64")


@pytest.mark.slow
def test_eager_steps_are_traced_once(compiled, monkeypatch):
    layer = Projected("circulant", True).build()
    traces = []
    multiply = layer.norm.structure.multiply
    monkeypatch.setattr(
        type(layer.norm.structure),
        "multiply",
        lambda _, *arguments: traces.append(1) or multiply(*arguments),
    )
    for _ in range(3):
        run(layer, layer.weights, make_values(), make_mask())
    # For the product, and for its gradients, of parts of one video and of two.
    assert len(traces) == 4


def test_only_frames_are_normalised():
    for shape in [(None, SIZE), (None, 2, 3, SIZE)]:
        with pytest.raises(
            ValueError,
            match=r"expected frames, \[batch, max_frames, size\]. Received: "
            rf"input_shape={re.escape(str(shape))}",
        ):
            layers.FrameNormalization().build(shape)


def test_deferred_projection_takes_no_bias_and_no_activation():
    with pytest.raises(
        ValueError,
        match="expected use_bias=False and no activation in a deferred "
        "product. Received: use_bias=True, activation=None",
    ):
        layers.Projection(5, deferred=True)
    with pytest.raises(
        ValueError, match="Received: use_bias=False, activation='relu'"
    ):
        layers.Projection(5, activation="relu", use_bias=False, deferred=True)


def test_deferred_projection_shapes_masks_and_config():
    layer = layers.Projection(
        14, "diagonal_circulant", use_bias=False, deferred=True
    )
    x, *weights = layer(keras.Input((None, SIZE)))
    assert x.shape == (None, None, SIZE)
    assert [weight.shape for weight in weights] == [(1, 3, SIZE)] * 2
    again = layers.Projection.from_config(layer.get_config())
    assert again.deferred
    assert not layers.Projection(5).deferred
    values = make_values().astype("float32")
    values[:, 4:] = 0
    tensors = layer(keras.layers.Masking()(tf.constant(values)))
    np.testing.assert_array_equal(
        tensors[0]._keras_mask, (values != 0).any(axis=-1)
    )


@pytest.mark.parametrize(
    "structure", ["diagonal_circulant", "fastfood", "sparse"]
)
def test_saved_model_is_the_same(structure, tmp_path):
    frames = keras.Input((None, SIZE), name="frames")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = layers.FrameNormalization(name="input_bn")(frames, mask=mask)
    x = layers.Projection(
        14, structure, use_bias=False, deferred=True, name="clusters"
    )(x)
    x = layers.FrameNormalization(
        "relu6", "max", 14, structure, name="clusters_bn"
    )(x, mask=mask)
    model = keras.Model([frames, mask], x)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name not in ("permutation", "positions"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    batch = [make_values().astype("float32"), make_mask()]
    for training in [False, True]:
        np.testing.assert_allclose(
            again(batch, training=training),
            model(batch, training=training),
            rtol=1e-6,
        )
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)

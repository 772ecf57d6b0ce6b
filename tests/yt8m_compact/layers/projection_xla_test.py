"""Every case of projection under XLA, which large ones are in training."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact.layers import projection

ORACLES = layer_conformance.ORACLES
# Small ones of each structure, and large ones of those with transforms.
SIZES = {
    type(ORACLES[case].structure): (case, 7, 17) for case in ORACLES
}.values()
LARGE_SIZES = [
    pytest.param(case, 300, 700, marks=pytest.mark.slow)
    for case in ORACLES
    if ORACLES[case].transforms
]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "input_dim", "units"), [*SIZES, *LARGE_SIZES])
def test_equals_the_product_without_xla(case, input_dim, units):
    layer = layer_conformance.make_layer(
        case, input_dim, units, activation="tanh"
    )
    signature = [
        tf.TensorSpec([None, None, input_dim]),
        tf.TensorSpec([None, None, units]),
    ]

    def outputs_and_gradients(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            loss = tf.reduce_sum(outputs * upstream)
        weights = [w.value for w in layer.trainable_variables]
        return outputs, *tape.gradient(loss, [x, *weights])

    compiled = tf.function(
        outputs_and_gradients,
        input_signature=signature,
        jit_compile=True,
        autograph=False,
    )
    x = tf.constant(layer_conformance.random_rows(2, 3, input_dim), "float32")
    upstream = layer_conformance.random_rows(2, 3, units, seed=2)
    upstream = tf.constant(upstream, "float32")
    expected = outputs_and_gradients(x, upstream)
    assert len(expected) == 2 + len(layer.trainable_weights)
    for ours, theirs in zip(compiled(x, upstream), expected, strict=True):
        scale = np.abs(theirs).max()
        assert scale > 1e-5
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)


def is_compiled(layer, training):
    function = tf.function(
        lambda x: layer(x, training=training)
    ).get_concrete_function(tf.TensorSpec([None, layer.input_dim]))
    definition = function.graph.as_graph_def()
    return any(f.attr["_XlaMustCompile"].b for f in definition.library.function)


def test_only_large_and_wide_products_are_compiled(monkeypatch):
    wide = layer_conformance.make_layer("circulant", 7, 16 * 7)
    assert not is_compiled(wide, training=True)
    monkeypatch.setattr(projection, "_LEAST_COMPILED", 7 * 16 * 7)
    assert is_compiled(wide, training=True)
    # A SavedModel runs where there is no XLA.
    assert not is_compiled(wide, training=False)
    narrow = layer_conformance.make_layer("circulant", 8, 16 * 8 - 1)
    assert not is_compiled(narrow, training=True)


@pytest.mark.parametrize(
    ("structure", "compiled"),
    [
        ("circulant", True),
        ("block_circulant(block_size=4)@int8", True),
        ("diagonal_circulant", False),
        ("diagonal_circulant(shared_diagonal=True)", True),
        ("fastfood", False),
        ("dense", False),
        ("low_rank(rank=2) + circulant", True),
        ("circulant + diagonal_circulant", False),
        ("low_rank(rank=2) + dense", False),
    ],
)
def test_structures_that_gain_are_compiled(structure, compiled, monkeypatch):
    monkeypatch.setattr(projection, "_LEAST_COMPILED", 1)
    layer = projection.Projection(16 * 8, structure=structure)
    layer.build((None, 8))
    assert layer.is_compiled == compiled


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [c for c in layer_conformance.FIRST_CASES if ORACLES[c].transforms],
)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_training_of_large_products_equals_inference(case, dtype, monkeypatch):
    monkeypatch.setattr(projection.Projection, "is_compiled", True)
    layer = layer_conformance.make_layer(
        case, 7, 17, activation="tanh", dtype=dtype
    )
    x = tf.constant(layer_conformance.random_rows(2, 3, 7), "float32")
    upstream = layer_conformance.random_rows(2, 3, 17, seed=2)
    results = []
    for training in [True, False]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training)
            assert outputs.dtype == layer.compute_dtype
            loss = tf.reduce_sum(tf.cast(outputs, "float32") * upstream)
        weights = [w.value for w in layer.trainable_variables]
        results.append([outputs, *tape.gradient(loss, [x, *weights])])
    tolerance = 1e-5 if dtype == "float32" else 0.03
    for ours, theirs in zip(*results, strict=True):
        theirs = tf.cast(theirs, "float32").numpy()
        scale = np.abs(theirs).max()
        assert scale > 1e-5
        np.testing.assert_allclose(
            tf.cast(ours, "float32"), theirs, rtol=0, atol=tolerance * scale
        )

"""Every structure with every precision."""

import re

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

CASES = layer_conformance.CASES
PRECISIONS = [name for name in structures.PRECISIONS if name != "float32"] + [
    "int4(block_size=4)"
]
INPUT_DIM, UNITS = 7, 17


def structure_of(case):
    return layer_conformance.ORACLES[case].structure


def draw(structure, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {}
    for spec in structure.weights(INPUT_DIM, UNITS):
        array = spec.draw(rng)
        if spec.trained:
            array = array * rng.uniform(0.5, 2, array.shape)
        is_float = spec.dtype is None
        arrays[spec.name] = array.astype(np.float32 if is_float else spec.dtype)
    return arrays


def tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}


@pytest.mark.parametrize("case", CASES)
def test_product_and_gradients_are_those_of_rounded_weights(case):
    base = structure_of(case)
    specs = base.weights(INPUT_DIM, UNITS)
    x = tf.constant(np.random.default_rng(1).standard_normal((3, INPUT_DIM)))
    x = tf.cast(x, tf.float32)
    for name in PRECISIONS:
        structure = structures.get(f"({base})@{name}")
        arrays = draw(base)
        precision = structures.get(f"dense@{name}").precision
        rounded = {
            spec.name: precision.round(tf.constant(arrays[spec.name]), spec)
            if spec.trained
            else tf.constant(arrays[spec.name])
            for spec in specs
        }
        latent = tensors(arrays)
        trained = [spec.name for spec in specs if spec.trained]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([latent[name] for name in trained])
            tape.watch([rounded[name] for name in trained])
            product = structure.multiply(latent, x, UNITS)
            expected = base.multiply(rounded, x, UNITS)
        np.testing.assert_array_equal(product, expected)
        np.testing.assert_array_equal(
            structure.as_dense(latent, INPUT_DIM, UNITS),
            base.as_dense(rounded, INPUT_DIM, UNITS),
        )
        for name in trained:
            np.testing.assert_array_equal(
                tape.gradient(product, latent[name]),
                tape.gradient(expected, rounded[name]),
            )


@pytest.mark.parametrize("case", CASES)
def test_packed_is_the_same_to_the_bit(case):
    base = structure_of(case)
    x = tf.constant(np.eye(INPUT_DIM, dtype=np.float32))
    for name in PRECISIONS:
        structure = structures.get(f"({base})@{name}")
        arrays = draw(base)
        bits = structure.pack(arrays, INPUT_DIM, UNITS)
        packed = structure.packed()
        assert packed.packed() == packed
        assert packed.base == structure.base == base
        assert {
            spec.name: (spec.shape, spec.dtype)
            for spec in packed.weights(INPUT_DIM, UNITS)
        } == {key: (bit.shape, bit.dtype) for key, bit in bits.items()}
        np.testing.assert_array_equal(
            packed.multiply(tensors(bits), x, UNITS),
            structure.multiply(tensors(arrays), x, UNITS),
        )
        num_bytes = sum(bit.nbytes for bit in bits.values())
        assert structure.num_bytes(INPUT_DIM, UNITS) == num_bytes
        assert packed.num_bytes(INPUT_DIM, UNITS) == num_bytes
        num_weights = base.num_weights(INPUT_DIM, UNITS)
        assert structure.num_weights(INPUT_DIM, UNITS) == num_weights
        assert packed.num_weights(INPUT_DIM, UNITS) == num_weights
        assert packed.pack(bits, INPUT_DIM, UNITS) == bits
        # And so are its codes times their scales.
        decoded = structure.decode(tensors(arrays), INPUT_DIM, UNITS)
        floats = {
            spec.name
            for spec in base.weights(INPUT_DIM, UNITS)
            if spec.dtype is None
        }
        for holder, weights in ((structure, arrays), (packed, bits)):
            coded = holder.coded(weights, INPUT_DIM, UNITS)
            assert coded.keys() == floats
            for key, value in coded.items():
                np.testing.assert_array_equal(value.decode(), decoded[key])
        assert not base.coded(arrays, INPUT_DIM, UNITS)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_layers_pack_save_and_load(case, tmp_path):
    base = structure_of(case)
    x = np.random.default_rng(2).standard_normal((3, INPUT_DIM))
    x = tf.constant(x, tf.float32)
    for name in ("int4", "ternary"):
        layer = layers.Projection(UNITS, f"({base})@{name}")
        before = layer(x)
        np.testing.assert_allclose(layer(x, training=True), before, rtol=1e-5)
        layer.pack()
        np.testing.assert_array_equal(layer(x), before)
        again = layers.Projection.from_config(layer.get_config())
        again.build((None, INPUT_DIM))
        assert [w.path for w in again.weights] == [
            w.path for w in layer.weights
        ]
        again.set_weights(layer.get_weights())
        np.testing.assert_array_equal(again(x), before)
        # The bias alone.
        assert len(layer.trainable_weights) == 1
        dense = np.random.default_rng(3).standard_normal((INPUT_DIM, UNITS))
        layer.assign_dense(dense)
        latent = layers.Projection.from_dense(
            dense, structure=f"({base})@{name}"
        )
        if not layer_conformance.ORACLES[case].fixed:
            kernel = layer.as_dense_kernel().numpy()
            error = np.sum((kernel - dense) ** 2)
            kernel = latent.as_dense_kernel().numpy()
            assert error < 2 * np.sum((kernel - dense) ** 2) + 1e-6


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("dense@int8", "dense@int8"),
        ("dense@float32", "dense"),
        ("low_rank( rank = 3 )@int4( block_size=32 )", None),
        ("(low_rank + dense)@binary", "low_rank@binary + dense@binary"),
        ("low_rank@binary + dense", "low_rank@binary + dense"),
        (
            "sign_circulant@ternary",
            "diagonal_circulant(shared_diagonal=True, learned=False)@ternary",
        ),
        ("dense@int4(packed=True, block_size=None)", "dense@int4(packed=True)"),
    ],
)
def test_text(text, canonical):
    structure = structures.get(text)
    assert structures.get(str(structure)) == structure
    assert str(structure) == (canonical or text.replace(" ", ""))


def test_operator_is_the_text():
    assert structures.LowRank(3) @ structures.Int4(
        block_size=32
    ) == structures.get("low_rank(rank=3)@int4(block_size=32)")
    assert (
        structures.LowRank() + structures.Dense()
    ) @ structures.Binary() == (
        structures.get("low_rank@binary + dense@binary")
    )
    for left in (structures.Dense(), structures.LowRank() + structures.Dense()):
        with pytest.raises(TypeError):
            left @ "int4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dense@int5",
            "expected a precision, one of float32, bfloat16, float16"
            ", int8, int4, int2, ternary, binary. Received: precision='int5'; ",
        ),
        (
            "dense@int4(size=3)",
            "expected arguments of int4: packed, bloc",
        ),
        (
            "dense@ternary(block_size=0)",
            "expected a positive int. Received: ",
        ),
        ("dense@int4@int8", "(two precisions of one structure)"),
        ("(dense@int4)@int8", "(two precisions of one structure)"),
        (
            "(dense@int4 + dense)@int8",
            "expected one structure without a pr",
        ),
        ("dense@3", "(not a sum of names and arguments)"),
        ("@int4", "(not an expression)"),
    ],
)
def test_wrong_text_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        structures.get(text)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="expected one structure without a pr"):
        structures.Quantized(
            structures.LowRank() + structures.Dense(), structures.Int4()
        )
    with pytest.raises(ValueError, match="expected a precision of fewer bits"):
        structures.Quantized(structures.Dense(), structures.Float32())

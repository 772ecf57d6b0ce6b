"""Tests of what every structure has, without a layer."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import structures
from yt8m_compact.structures import circulant

CASES = layer_conformance.CASES
ORACLES = layer_conformance.ORACLES


def test_names_in_text_are_those_of_the_classes():
    for name, cls in structures.STRUCTURES.items():
        assert cls.kind() == name
    assert structures.STRUCTURES["low_rank"] is structures.LowRank
    assert structures.STRUCTURES["acdc"] is structures.Acdc


def test_every_structure_is_a_name_of_the_package():
    for cls in [*structures.STRUCTURES.values(), structures.Sum]:
        assert getattr(structures, cls.__name__) is cls


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_the_formula(case):
    oracle = ORACLES[case]
    for input_dim, units in layer_conformance.SIZES:
        specs = oracle.structure.weights(input_dim, units)
        shapes = oracle.weight_shapes(input_dim, units)
        assert {spec.name: spec.shape for spec in specs} == shapes
        assert len(specs) == len(shapes)
        fixed = {spec.name for spec in specs if not spec.trained}
        assert fixed == set(oracle.fixed)
        kernels = structures.Start.KERNEL
        initialized = {s.name for s in specs if s.start is kernels}
        assert initialized == set(oracle.initialized)
        assert {spec.num_factors for spec in specs} == {oracle.num_factors}
        count = oracle.structure.num_weights(input_dim, units)
        assert count == oracle.weight_count(input_dim, units)
    if not isinstance(oracle.structure, structures.Sum):
        assert oracle.structure.uses_transforms == oracle.transforms


def draw(structure, input_dim, units):
    rng = np.random.default_rng(0)
    return {
        spec.name: spec.draw(rng)
        for spec in structure.weights(input_dim, units)
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("input_dim", "units"), [(7, 17), (300, 100)])
def test_product_is_that_with_the_dense_matrix(case, input_dim, units):
    structure = ORACLES[case].structure
    weights = draw(structure, input_dim, units)
    kernel = ORACLES[case].dense_kernel(weights, input_dim, units)
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    x = layer_conformance.random_rows(2, 3, input_dim)
    product = structure.multiply(tensors, tf.constant(x), units)
    scale = np.abs(x @ kernel).max()
    np.testing.assert_allclose(product, x @ kernel, atol=1e-12 * scale)
    dense = structure.as_dense(tensors, input_dim, units)
    np.testing.assert_allclose(dense, kernel, atol=1e-12 * np.abs(kernel).max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("least_width", [1, 8, 1024])
def test_product_of_blocks_is_the_product(case, least_width, monkeypatch):
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", least_width)
    structure = ORACLES[case].structure
    for input_dim, units in [(1, 3), (7, 3), (7, 7), (7, 17), (7, 21)]:
        weights = draw(structure, input_dim, units)
        kernel = ORACLES[case].dense_kernel(weights, input_dim, units)
        tensors = {name: tf.constant(value) for name, value in weights.items()}
        x = layer_conformance.random_rows(2, 3, input_dim)
        widths = structure.block_widths(input_dim, units)
        assert sum(widths) == units
        assert min(widths) > 0
        rows, parts = structure.split(tensors, tf.constant(x), units)
        blocks = [
            structure.multiply_block(part, rows, width)
            for part, width in zip(parts, widths, strict=True)
        ]
        for block, width in zip(blocks, widths, strict=True):
            assert block.shape == (2, 3, width)
        scale = np.abs(x @ kernel).max()
        np.testing.assert_allclose(
            tf.concat(blocks, axis=-1), x @ kernel, rtol=0, atol=1e-12 * scale
        )


def test_blocks_are_those_of_diagonals():
    # Eight circulants of 1024; those of 100 are done 11 at a time.
    papers = structures.DiagonalCirculant()
    assert papers.block_widths(1024, 8192) == (1024,) * 8
    assert papers.block_widths(1024, 8000) == (1024,) * 7 + (832,)
    assert papers.block_widths(100, 2500) == (1100, 1100, 300)
    assert papers.block_widths(2048, 512) == (512,)
    shared = structures.DiagonalCirculant(shared_diagonal=True)
    for structure in [shared, structures.Circulant()]:
        assert structure.block_widths(1024, 8000) == (1024,) * 7 + (832,)
    twice = structures.DiagonalCirculant(shared_diagonal=True, num_factors=2)
    for structure in [twice, structures.Dense(), papers + shared]:
        assert structure.block_widths(1024, 8192) == (8192,)


@pytest.mark.parametrize(
    "text",
    [
        "circulant",
        "diagonal_circulant",
        "diagonal_circulant(shared_diagonal=True)",
    ],
)
@pytest.mark.parametrize("size", [256, 255])
def test_gradients_of_blocks_are_those_of_the_product(text, size, monkeypatch):
    # By transforms, of an even and of an odd length.
    monkeypatch.setattr(circulant, "_LEAST_WIDTH", size)
    structure, units = structures.get(text), 2 * size + 7
    weights = draw(structure, size, units)
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    x = tf.constant(layer_conformance.random_rows(2, 3, size))
    upstream = tf.constant(layer_conformance.random_rows(2, 3, units))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, *tensors.values()])
        whole = structure.multiply(tensors, x, units)
        rows, parts = structure.split(tensors, x, units)
        widths = structure.block_widths(size, units)
        assert len(widths) == 3
        blocks = tf.concat(
            [
                structure.multiply_block(part, rows, width)
                for part, width in zip(parts, widths, strict=True)
            ],
            axis=-1,
        )
    np.testing.assert_allclose(blocks, whole, rtol=0, atol=1e-10)
    sources = [x, *tensors.values()]
    for found, expected in zip(
        tape.gradient(blocks, sources, upstream),
        tape.gradient(whole, sources, upstream),
        strict=True,
    ):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dense_matrix_of_16_bits(case, dtype):
    structure = ORACLES[case].structure
    weights = draw(structure, 7, 17)
    rounded = {
        name: tf.cast(value, dtype) if value.dtype.kind == "f" else value
        for name, value in weights.items()
    }
    dense = structure.as_dense(
        {name: tf.convert_to_tensor(v) for name, v in rounded.items()}, 7, 17
    )
    assert dense.dtype == dtype
    kernel = ORACLES[case].dense_kernel(
        {
            name: v.numpy().astype("float64")
            if weights[name].dtype.kind == "f"
            else v
            for name, v in rounded.items()
        },
        7,
        17,
    )
    tolerance = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    np.testing.assert_allclose(
        tf.cast(dense, "float64"),
        kernel,
        rtol=0,
        atol=8 * tolerance * np.abs(kernel).max(),
    )


# Several factors take seconds, in the tests of layers.
@pytest.mark.parametrize(
    "case", [case for case in CASES if ORACLES[case].num_factors == 1]
)
def test_nearest_without_weights_draws_those_that_are_fixed(case):
    structure = ORACLES[case].structure
    kernel = layer_conformance.random_rows(6, 12)
    nearest = structure.nearest(kernel)
    assert {n: v.shape for n, v in nearest.items()} == (
        ORACLES[case].weight_shapes(6, 12)
    )
    error = ORACLES[case].dense_kernel(nearest, 6, 12) - kernel
    assert np.sum(error**2) < 0.999 * np.sum(kernel**2)


@pytest.mark.parametrize("case", [case for case in CASES if ORACLES[case].kept])
def test_nearest_keeps_fixed_weights(case):
    structure = ORACLES[case].structure
    current = draw(structure, 6, 12)
    nearest = structure.nearest(layer_conformance.random_rows(6, 12), current)
    for name in ORACLES[case].kept:
        np.testing.assert_array_equal(nearest[name], current[name])


COUNTS = [
    (cls, field.name, field.default)
    for cls in structures.STRUCTURES.values()
    for field in dataclasses.fields(cls)
    if not isinstance(field.default, bool | float)
]
SHARES = [
    (cls, field.name)
    for cls in structures.STRUCTURES.values()
    for field in dataclasses.fields(cls)
    if isinstance(field.default, float)
]
SWITCHES = [
    (cls, field.name)
    for cls in structures.STRUCTURES.values()
    for field in dataclasses.fields(cls)
    if isinstance(field.default, bool)
]


def test_there_are_arguments_of_all_sorts():
    assert (structures.LowRank, "rank", 32) in COUNTS
    assert (structures.Hashed, "num_buckets", None) in COUNTS
    assert (structures.Dense, "zero_diagonal") in SWITCHES
    assert (structures.Sparse, "density") in SHARES


@pytest.mark.parametrize(("cls", "name", "default"), COUNTS)
def test_bad_counts_are_refused(cls, name, default):
    for value in [0, -1, 2.5, True, "3", *([None] if default else [])]:
        with pytest.raises(
            ValueError,
            match=rf"expected a positive int\. Received: {name}={value!r}",
        ):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), SWITCHES)
def test_bad_switches_are_refused(cls, name):
    for value in [0, 1, None, "True"]:
        with pytest.raises(
            ValueError,
            match=f"expected True or False. Received: {name}={value!r}",
        ):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), SHARES)
def test_bad_shares_are_refused(cls, name):
    for value in [0, -0.1, 1.5, 2, math.nan, math.inf, True, None, "0.5"]:
        with pytest.raises(
            ValueError,
            match="expected a number above 0 and at most 1. Received: "
            f"{name}={value!r}",
        ):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), SHARES)
def test_shares_of_any_type_are_one_value(cls, name):
    values = [1, 1.0, np.float32(1), np.float64(1)]
    made = [cls(**{name: value}) for value in values[:2] + values[3:]]
    assert {str(one) for one in made} == {f"{cls.kind()}({name}=1.0)"}
    assert len(set(made)) == 1


def test_structures_are_values():
    one = structures.LowRank(3)
    assert one == structures.LowRank(rank=3) != structures.LowRank(4)
    assert len({one, structures.LowRank(3), structures.Dense()}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.rank = 4

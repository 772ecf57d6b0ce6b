"""Tests of making trained Keras models compact."""

import keras
import numpy as np
import pytest

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

ORACLES = layer_conformance.ORACLES
# One of each structure, and arguments that make `nearest` another search.
CASES = [*layer_conformance.FIRST_CASES, "sign_circulant", "acdc, 2 factors"]
# Structures whose nearest to one of their own matrices is that matrix. Fixed
# weights are drawn anew.
OWN = [
    case
    for case in CASES
    if ORACLES[case].finds_its_own(12, 12) and not ORACLES[case].kept
]
ROWS = np.random.default_rng(1).standard_normal([5, 12]).astype("float32")


def make_functional():
    """A model with a shared layer, a branch, and a model within it."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(20, activation="tanh", name="inner_dense"),
            keras.layers.BatchNormalization(name="inner_bn"),
        ],
        name="inner",
    )
    x = inputs = keras.Input((12,), name="features")
    wide = keras.layers.Dense(
        16,
        activation="tanh",
        kernel_regularizer=keras.regularizers.L2(0.5),
        bias_initializer="ones",
        name="wide",
    )
    x = wide(x)
    shared = keras.layers.Dense(16, use_bias=False, name="shared")
    x = keras.layers.Add()([shared(shared(x)), x])
    x = inner(x)
    outputs = layers.Projection(3, name="head")(x)
    model = keras.Model(inputs, outputs)
    for weight in model.weights:
        noise = np.random.default_rng(2).uniform(0.01, 0.1, weight.shape)
        weight.assign(weight.numpy() + noise)
    return model


def find(model, name):
    inner = model.get_layer("inner")
    return (inner if name.startswith("inner_") else model).get_layer(name)


def test_chosen_layers_are_closest_and_the_others_equal():
    model = make_functional()
    before = model.get_weights()
    compact = layers.compactify(
        model, "circulant", layer_names=["wide", "inner_dense"]
    )
    for name in ["wide", "inner_dense"]:
        old, new = find(model, name), find(compact, name)
        assert new.structure == structures.Circulant()
        expected = layers.Projection.from_dense(
            old.kernel.numpy(), structure="circulant"
        )
        np.testing.assert_allclose(new.kernel, expected.kernel, rtol=1e-6)
        np.testing.assert_array_equal(new.bias, old.bias)
        assert new.activation is old.activation
    assert find(compact, "wide").kernel_regularizer.l2 == 0.5
    for name in ["shared", "head", "inner_bn"]:
        old, new = find(model, name), find(compact, name)
        assert type(new) is type(old) and new is not old
        for ours, theirs in zip(
            new.get_weights(), old.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def make_dense(kernel):
    """A model of one dense layer, whose bias is not 0."""
    model = keras.Sequential(
        [keras.Input((12,)), keras.layers.Dense(12, "tanh", name="fc")]
    )
    model.get_layer("fc").set_weights([kernel, np.arange(12) / 12])
    return model


@pytest.mark.parametrize("case", OWN)
def test_a_kernel_of_the_family_computes_the_same(case):
    keras.utils.set_random_seed(3)
    structure = ORACLES[case].structure
    projection = layers.Projection(12, structure)
    projection.build((None, 12))
    model = make_dense(projection.as_dense_kernel())
    compact = layers.compactify(model, structure, layer_names=["fc"])
    assert compact.get_layer("fc").structure == structure
    np.testing.assert_allclose(compact(ROWS), model(ROWS), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in OWN])
def test_others_are_near_and_no_worse_than_a_simpler_one(case):
    kernel = np.random.default_rng(4).standard_normal([12, 12])
    model = make_dense(kernel)

    def error_of(structure):
        compact = layers.compactify(model, structure, layer_names="fc")
        layer = compact.get_layer("fc")
        assert layer.structure == structures.get(structure)
        np.testing.assert_array_equal(layer.bias, model.get_layer("fc").bias)
        return np.sum((layer.as_dense_kernel() - kernel) ** 2)

    error = error_of(ORACLES[case].structure)
    # Below what the zero kernel, which all of them contain, leaves.
    assert error < 0.99 * np.sum(kernel**2)
    for simpler in ORACLES[case].simpler:
        assert error <= 1.0001 * error_of(simpler)


def test_each_layer_its_structure():
    model = make_functional()
    compact = layers.compactify(
        model,
        {
            "wide": "low_rank(rank=2)",
            "*d*": structures.Circulant(),
            "inner_*": "toeplitz",
        },
    )
    found = {
        name: getattr(find(compact, name), "structure", None)
        for name in ["wide", "shared", "inner_dense", "head"]
    }
    # The first that matches counts, though inner_* would be nearer.
    assert found == {
        "wide": structures.LowRank(2),
        "shared": structures.Circulant(),
        "inner_dense": structures.Circulant(),
        "head": structures.Circulant(),
    }
    compact = layers.compactify(model, {"inner_dense": "toeplitz"})
    assert find(compact, "inner_dense").structure == structures.Toeplitz()
    assert type(find(compact, "wide")) is keras.layers.Dense
    kernel = find(model, "inner_dense").kernel.numpy()
    # The mean of the diagonal from the corner.
    np.testing.assert_allclose(
        find(compact, "inner_dense").kernel[19], kernel.trace() / 16, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("structure", "received"),
    [
        ({}, r"\[\]"),
        ({"wide": "toeplitz", "narrow": "dense"}, r"\['narrow'\]"),
        ({"inner_bn*": "toeplitz"}, r"\['inner_bn\*'\]"),
    ],
)
def test_patterns_that_match_no_dense_layer_are_refused(structure, received):
    with pytest.raises(
        ValueError,
        match="expected names of dense layers, or patterns that match one, "
        rf"some of \['wide', .*\]\. Received: {received}",
    ):
        layers.compactify(make_functional(), structure)


def test_a_dict_and_names_are_refused():
    with pytest.raises(
        ValueError,
        match="expected no layer_names with a dict, whose keys choose the "
        r"layers\. Received: layer_names='wide'",
    ):
        layers.compactify(
            make_functional(), {"wide": "toeplitz"}, layer_names="wide"
        )


@pytest.mark.slow
def test_every_dense_layer_that_becomes_smaller():
    # As circulants of 12, 16 and 20 values; as blocks of 1 nothing shrinks.
    compact = layers.compactify(make_functional(), "circulant")
    found = {
        name: find(compact, name).structure
        for name in ["wide", "shared", "inner_dense", "head"]
    }
    assert set(found.values()) == {structures.Circulant()}
    # A rank of 3 shrinks 16 x 20 and 16 x 16 but not 20 x 3.
    compact = layers.compactify(make_functional(), "low_rank(rank=3)")
    assert find(compact, "shared").structure == structures.LowRank(3)
    assert find(compact, "head").structure == structures.Dense()
    with pytest.raises(
        ValueError,
        match="expected a dense layer that becomes smaller as "
        r"block_circulant\(block_size=1\)\. Received: model=.*, dense layers="
        r"\['wide', 'shared', 'inner_dense', 'head'\]",
    ):
        layers.compactify(
            make_functional(), structures.BlockCirculant(block_size=1)
        )


@pytest.mark.slow
def test_compact_model_saves_loads_and_trains(tmp_path):
    compact = layers.compactify(make_functional(), "diagonal_circulant")
    compact.save(tmp_path / "compact.keras")
    loaded = keras.saving.load_model(tmp_path / "compact.keras")
    np.testing.assert_array_equal(loaded(ROWS), compact(ROWS))
    compact.compile("adam", "mse")
    before = compact.get_weights()
    compact.fit(ROWS, np.ones([5, 3]), epochs=1, verbose=0)
    moved = [
        not np.array_equal(now, then)
        for now, then in zip(compact.get_weights(), before, strict=True)
    ]
    assert all(moved)


def test_what_layers_learned_without_weights_is_kept():
    normalize = keras.layers.Normalization()
    normalize.adapt(5 * ROWS + 3)
    lookup = keras.layers.StringLookup(output_mode="multi_hot")
    lookup.adapt(["a", "b", "c"])
    numbers = keras.Input((12,))
    words = keras.Input((1,), dtype="string")
    x = keras.layers.Concatenate()([normalize(numbers), lookup(words)])
    outputs = keras.layers.Dense(12, name="fc")(x)
    model = keras.Model([numbers, words], outputs)
    model.get_layer("fc").set_weights([np.eye(16, 12), np.zeros(12)])
    compact = layers.compactify(model, "dense", layer_names="fc")
    inputs = [ROWS, np.array([["a"], ["b"], ["c"], ["d"], ["a"]])]
    np.testing.assert_allclose(compact(inputs), model(inputs), rtol=1e-6)


def test_quantized_layers_are_no_dense_layers():
    model = keras.Sequential(
        [keras.Input((12,)), keras.layers.Dense(12, name="fc")]
    )
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"expected names of dense layers"):
        layers.compactify(model, "dense", layer_names=["fc"])


def test_lambdas_are_copied_where_keras_allows_it():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Lambda(lambda x: 2 * x),
            keras.layers.Dense(12, name="fc"),
        ]
    )
    try:
        compact = layers.compactify(model, "dense", layer_names="fc")
    except ValueError as error:  # of newer releases
        assert "keras.config.enable_unsafe_deserialization()" in str(error)
    else:
        np.testing.assert_array_equal(compact(ROWS), model(ROWS))


def test_low_precision_layers_stay_so():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(12, dtype="mixed_bfloat16", name="fc"),
        ]
    )
    compact = layers.compactify(model, "circulant")
    assert compact.get_layer("fc").compute_dtype == "bfloat16"
    assert compact.get_layer("fc").kernel.dtype == "float32"


def test_bad_arguments_are_refused():
    model = make_functional()
    with pytest.raises(ValueError, match="expected a structure, one of"):
        layers.compactify(model, "round")
    with pytest.raises(
        ValueError,
        match=r"expected arguments of low_rank: rank\. Received: "
        "argument='block_size'",
    ):
        layers.compactify(model, "low_rank(block_size=3)")
    for names in [["shared", "inner_bn"], ["missing"], []]:
        with pytest.raises(
            ValueError,
            match=r"expected names of dense layers, some of \['wide', .*\]\. "
            "Received: layer_names=",
        ):
            layers.compactify(model, "circulant", layer_names=names)

    class Subclassed(keras.Model):
        pass

    with pytest.raises(
        ValueError,
        match="expected a Functional or Sequential model, .* Received: "
        "model=mine, of class Subclassed",
    ):
        layers.compactify(Subclassed(name="mine"), "circulant")
    with pytest.raises(ValueError, match="expected a built model: .*model=seq"):
        layers.compactify(
            keras.Sequential([keras.layers.Dense(3)], name="seq"), "circulant"
        )


def test_a_layer_without_its_diagonal_is_copied_without_it():
    inputs = keras.Input((12,))
    layer = layers.Projection(
        12, structures.Dense(zero_diagonal=True), name="gates"
    )
    model = keras.Model(inputs, layer(inputs))
    compact = layers.compactify(model, "circulant")
    # The closest circulant to a matrix has the mean of each of its diagonals.
    assert layer.kernel.numpy().trace() != 0
    np.testing.assert_allclose(
        compact.get_layer("gates").kernel[0, 0], 0, atol=1e-7
    )

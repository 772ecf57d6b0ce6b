"""Tests of the compression of Keras models."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import compression
from yt8m_compact import layers
from yt8m_compact.run import packed_weights

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(96, 12)).astype(np.float32)
FEW = {
    "structure_texts": ("low_rank(rank=1)", "low_rank(rank=3)"),
    "precisions": ("float32", "int8"),
}


def make_model(activation="sigmoid", hidden="dense") -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,))
    x = layers.Projection(10, hidden, activation="relu", name="hidden")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.5, name="norm")(x)
    x = keras.layers.Dense(6, activation, name="last")(x)
    model = keras.Model(inputs, x, name="mine")
    for _ in range(9):  # Its moving statistics become those of the data.
        model(DATA, training=True)
    return model


def cross_entropy(p: np.ndarray, q: np.ndarray) -> float:
    return -np.mean(p * np.log(q) + (1 - p) * np.log(1 - q))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["array", "dataset", "list"])
def test_a_smaller_copy(how):
    model = make_model()
    before = [weight.numpy() for weight in model.weights]
    labels = np.zeros(96)
    data = {
        "array": DATA,
        "dataset": tf.data.Dataset.from_tensor_slices((DATA, labels)).batch(32),
        "list": [(DATA[:50], labels[:50]), (DATA[50:], labels[50:])],
    }[how]
    result = compression.compress(
        model, data, budget="160_weights", epochs=8, learning_rate=0.01, **FEW
    )
    names = [layer.name for layer in result.model.layers]
    assert names[1:] == ["hidden", "norm", "last"]
    # 12 x 10, 10 x 6, 4 of each of 10 norms, 16 biases.
    assert model.count_params() == 236
    assert result.model.count_params() == result.cost <= 160
    for name, text in result.structures.items():
        layer = result.model.get_layer(name)
        if text != "dense":
            assert str(layer.structure) == text
    # The loss is that of what the model says, on all 96.
    wanted = model(DATA).numpy()
    assert result.losses["before"] == pytest.approx(
        cross_entropy(wanted, wanted), rel=1e-4
    )
    assert result.losses["tuned"] == pytest.approx(
        cross_entropy(wanted, result.model(DATA).numpy()), rel=1e-4
    )
    assert (
        result.losses["before"]
        < result.losses["tuned"]
        < result.losses["projected"]
    )
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.slow
def test_bytes_count_bits(tmp_path):
    model = make_model()
    result = compression.compress(
        model,
        DATA,
        budget="1350B",
        epochs=0,
        num_examples=40,
        structure_texts=["dense"],
        precisions=["int8"],
    )
    assert "dense@int8" in result.structures.values()
    size = packed_weights.write(result.model, str(tmp_path / "packed"))
    assert size <= result.cost <= 1350
    assert result.losses["tuned"] == result.losses["projected"]


@pytest.mark.slow
def test_to_text(tmp_path):
    model = make_model()
    result = compression.compress(
        model, DATA, budget="160_weights", epochs=1, **FEW
    )
    text = result.to_text()
    table, line, losses = text.split("\n\n")
    rows = {
        row.split("  ")[0]: row.split()[-5:]
        for row in table.splitlines()[2:]
        if not row.startswith(("the rest", "all"))
    }
    assert rows.keys() == {"hidden", "last"}
    for name, (before, _, after, _, kept) in rows.items():
        chosen = result.structures[name]
        assert (before, after) == ("dense", chosen)
        if chosen == "dense":
            assert kept == "1.0000"
        else:
            assert kept == f"{result.measured[name][chosen].kept:.4f}"
    # Headers are counted as what they take at most.
    totals = [
        int(number.replace(",", ""))
        for number in table.splitlines()[-1].split()[1:]
    ]
    files = [
        packed_weights.write(one, str(tmp_path / name))
        for one, name in ((model, "before"), (result.model, "after"))
    ]
    assert totals[0] > totals[1]
    for file, total in zip(files, totals, strict=True):
        assert file <= total < file + 256
    assert f"chosen: {result.cost:,.0f} parameters; loss on the" in line
    assert line.startswith("budget: 160 parameters; ")
    assert [row.split()[-1] for row in losses.splitlines()[2:]] == [
        f"{result.losses[stage]:.4f}"
        for stage in ("before", "projected", "tuned")
    ]
    assert "\n\n".join([table, losses]) == "\n\n".join(
        [result.to_text(79).split("\n\n")[part] for part in (0, 2)]
    )
    assert max(map(len, result.to_text(60).splitlines())) <= 60 < len(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("softmax", lambda p, q: -np.mean(np.sum(p * np.log(q), axis=1))),
        (None, lambda p, q: np.mean((p - q) ** 2)),
    ],
)
def test_losses_by_activation(activation, loss):
    model = make_model(activation)
    result = compression.compress(
        model, DATA, budget="160_weights", epochs=1, **FEW
    )
    wanted, found = model(DATA).numpy(), result.model(DATA).numpy()
    assert result.losses["tuned"] == pytest.approx(
        loss(wanted, found), rel=1e-4
    )


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (
            "2ms",
            "expected a budget of bytes or parameters for a Keras model; one",
        ),
        (
            "236_weights",
            "expected a budget below 236 parameters, which mine takes",
        ),
        # Rank 1: 22 and 16.
        (
            "93_weights",
            "expected a budget of at least 94 parameters, the smallest",
        ),
        ("1 mile", "expected budget to be a number and a unit"),
    ],
)
def test_budgets_that_do_not_fit(budget, message):
    with pytest.raises(ValueError, match=message):
        compression.compress(make_model(), DATA, budget=budget, **FEW)


def test_models_that_can_not_be_compressed():
    with pytest.raises(
        ValueError,
        match="expected a model with a dense layer, keras.layers.Dense or .* "
        "Received: model=none, without one",
    ):
        compression.compress(
            keras.Sequential(
                [keras.Input((3,)), keras.layers.Activation("relu")],
                name="none",
            ),
            DATA,
            budget="9_weights",
        )
    model = make_model()
    model.get_layer("last").bias.assign(np.full(6, np.inf))
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected finite weights, to find the nearest to. Received: NaN or "
            "infinity in last/bias"
        ),
    ):
        compression.compress(model, DATA, budget="160_weights", **FEW)
    inner = keras.Sequential(
        [keras.Input((12,)), keras.layers.Dense(12, name="same")]
    )
    model = keras.Sequential(
        [keras.Input((12,)), inner, keras.layers.Dense(3, name="same")]
    )
    with pytest.raises(
        ValueError,
        match=r"expected dense layers of different names.*Received: \['same'\]",
    ):
        compression.compress(model, DATA, budget="160_weights", **FEW)
    with pytest.raises(
        ValueError, match="expected data to measure on. Received: no batch"
    ):
        compression.compress(make_model(), [], budget="160_weights", **FEW)

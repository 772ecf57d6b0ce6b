"""Tests of what places lose."""

import keras
import numpy as np
import pytest

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.compression import candidates
from yt8m_compact.compression import places
from yt8m_compact.compression import sample
from yt8m_compact.compression import sensitivity

SIZES = {"a": (4, 3), "b": (3, 5), "c": (5, 2)}
PLACES = (
    places.Place(
        "first",
        structures.Dense(),
        (places.Layer("a", 4, 3), places.Layer("b", 3, 5)),
    ),
    places.Place("second", structures.Dense(), (places.Layer("c", 5, 2),)),
)


@pytest.fixture(name="targets")
def fixture_targets() -> dict[str, sensitivity.Target]:
    rng = np.random.default_rng(0)
    return {
        name: sensitivity.Target(
            keras.Variable(rng.normal(size=shape), dtype="float32")
        )
        for name, shape in SIZES.items()
    }


def low_rank(kernel: np.ndarray, rank: int) -> np.ndarray:
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def options(*texts: str):
    return candidates.make(texts, [candidates.FLOAT])


def copies(targets):
    return {name: target.kernel.numpy() for name, target in targets.items()}


def test_one_place_alone_is_replaced(targets):
    trained = copies(targets)
    seen = []

    def score() -> sample.Scores:
        seen.append(copies(targets))
        return sample.Scores(float(len(seen)), None)

    kept = []
    choices = {
        PLACES[0]: options("low_rank(rank=1)", "low_rank(rank=2)"),
        PLACES[1]: options("low_rank(rank=1)"),
    }
    measured = sensitivity.measure(
        targets, choices, score, on_measured=lambda m: kept.append(str(m))
    )
    for name, place, rank in (("a", 0, 1), ("b", 0, 1), ("a", 1, 2)):
        np.testing.assert_allclose(
            seen[place][name], low_rank(trained[name], rank), atol=1e-5
        )
    np.testing.assert_array_equal(seen[0]["c"], trained["c"])
    np.testing.assert_allclose(
        seen[2]["c"], low_rank(trained["c"], 1), atol=1e-5
    )
    np.testing.assert_array_equal(seen[2]["a"], trained["a"])
    for name, kernel in copies(targets).items():
        np.testing.assert_array_equal(kernel, trained[name])
    assert {
        place: [(text, m.loss) for text, m in found.items()]
        for place, found in measured.items()
    } == {
        "first": [("low_rank(rank=1)", 1.0), ("low_rank(rank=2)", 2.0)],
        "second": [("low_rank(rank=1)", 3.0)],
    }
    # The share of the squares of both kernels.
    lost = sum(
        np.sum((trained[n] - low_rank(trained[n], 1)) ** 2) for n in "ab"
    )
    total = sum(np.sum(trained[n] ** 2) for n in "ab")
    found = measured["first"]["low_rank(rank=1)"].kept
    assert found == pytest.approx(1 - lost / total, abs=1e-5)
    assert len(kept) == 3 and kept[-1] == str(measured)


def test_what_was_measured_is_not_measured_again(targets):
    known = {"first": {"low_rank(rank=1)": sensitivity.Measurement(7, 0.5, 1)}}
    calls = []

    def score() -> sample.Scores:
        calls.append(1)
        return sample.Scores(1.0, None)

    measured = sensitivity.measure(
        targets,
        {PLACES[0]: options("low_rank(rank=1)", "low_rank(rank=2)")},
        score,
        measured=known,
    )
    assert len(calls) == 1
    assert measured["first"]["low_rank(rank=1)"].loss == 7
    assert set(known["first"]) == {"low_rank(rank=1)"}


def test_kernels_are_as_before_where_scoring_fails(targets):
    trained = copies(targets)

    def score() -> sample.Scores:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity.measure(
            targets, {PLACES[0]: options("low_rank(rank=1)")}, score
        )
    for name, kernel in copies(targets).items():
        np.testing.assert_array_equal(kernel, trained[name])


def test_the_outputs_that_moments_give():
    rng = np.random.default_rng(1)
    x, kernel = (
        rng.normal(size=(50, 4)) * [1, 5, 0.1, 2],
        rng.normal(size=(4, 3)),
    )
    expected = np.mean(np.sum((x @ kernel) ** 2, axis=1))
    found = sensitivity.output_square(kernel, x.T @ x / 50)
    assert found == pytest.approx(expected)


def test_moments_weight_the_error_and_biases_make_up_for_its_mean():
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(500, 4)) * [3, 1, 0.3, 0.1] + 2) @ rng.normal(
        size=(4, 4)
    )
    kernel, bias = rng.normal(size=(4, 3)), rng.normal(size=3)
    target = sensitivity.Target(
        keras.Variable(kernel, dtype="float32"),
        keras.Variable(bias, dtype="float32"),
    )
    moments = layers.InputMoments(x.mean(0), x.T @ x / 500, 500)
    seen = []

    def score() -> sample.Scores:
        seen.append((target.kernel.numpy(), target.bias.numpy()))
        return sample.Scores(1.0, None)

    place = places.Place("a", structures.Dense(), (places.Layer("a", 4, 3),))
    measured = sensitivity.measure(
        {"a": target},
        {place: options("low_rank(rank=1)")},
        score,
        moments={"a": moments},
    )
    ((new, new_bias),) = seen
    # With a bias, outputs differ by no mean, and by less than of any other
    # rank 1; but for the shrinking of moments of 500 rows of 4.
    error = x @ (new - kernel) + new_bias - bias
    np.testing.assert_allclose(error.mean(0), 0, atol=1e-4)
    centred = x - x.mean(0)
    root = np.linalg.cholesky(centred.T @ centred / 500).T
    best = low_rank(root @ kernel, 1)
    least = np.sum((best - root @ kernel) ** 2)
    lost = np.mean(np.sum(error**2, axis=1))
    assert least - 1e-6 <= lost < 1.01 * least
    plain = centred @ (low_rank(kernel, 1) - kernel)
    assert lost < np.mean(np.sum(plain**2, axis=1))
    total = np.mean(np.sum((centred @ kernel) ** 2, axis=1))
    kept = measured["a"]["low_rank(rank=1)"].kept
    assert kept == pytest.approx(1 - lost / total, abs=1e-4)
    np.testing.assert_allclose(target.bias.numpy(), bias, rtol=1e-6)

"""Tests of what places lose."""

import keras
import numpy as np
import pytest

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


@pytest.fixture(name="kernels")
def fixture_kernels() -> dict[str, keras.Variable]:
    rng = np.random.default_rng(0)
    return {
        name: keras.Variable(rng.normal(size=shape), dtype="float32")
        for name, shape in SIZES.items()
    }


def low_rank(kernel: np.ndarray, rank: int) -> np.ndarray:
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def options(*texts: str):
    return candidates.make(texts, [candidates.FLOAT])


def copies(kernels):
    return {name: kernel.numpy() for name, kernel in kernels.items()}


def test_one_place_alone_is_replaced(kernels):
    trained = copies(kernels)
    seen = []

    def score() -> sample.Scores:
        seen.append(copies(kernels))
        return sample.Scores(float(len(seen)), None)

    kept = []
    choices = {
        PLACES[0]: options("low_rank(rank=1)", "low_rank(rank=2)"),
        PLACES[1]: options("low_rank(rank=1)"),
    }
    measured = sensitivity.measure(
        kernels, choices, score, on_measured=lambda m: kept.append(str(m))
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
    for name, kernel in copies(kernels).items():
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


def test_what_was_measured_is_not_measured_again(kernels):
    known = {"first": {"low_rank(rank=1)": sensitivity.Measurement(7, 0.5, 1)}}
    calls = []

    def score() -> sample.Scores:
        calls.append(1)
        return sample.Scores(1.0, None)

    measured = sensitivity.measure(
        kernels,
        {PLACES[0]: options("low_rank(rank=1)", "low_rank(rank=2)")},
        score,
        measured=known,
    )
    assert len(calls) == 1
    assert measured["first"]["low_rank(rank=1)"].loss == 7
    assert set(known["first"]) == {"low_rank(rank=1)"}


def test_kernels_are_as_before_where_scoring_fails(kernels):
    trained = copies(kernels)

    def score() -> sample.Scores:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity.measure(
            kernels, {PLACES[0]: options("low_rank(rank=1)")}, score
        )
    for name, kernel in copies(kernels).items():
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

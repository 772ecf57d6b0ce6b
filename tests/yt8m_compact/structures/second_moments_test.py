"""The nearest member by the error of the outputs, for every structure."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import readers
from yt8m_compact import structures
from yt8m_compact.structures import toeplitz

CASES = layer_conformance.CASES
ORACLES = layer_conformance.ORACLES
# Narrow, whole blocks, and blocks that are cut.
SIZES = [(7, 3), (6, 12), (5, 13)]
# One of each structure but those whose graphs take seconds to build.
QUICK_CASES = [
    case
    for case in layer_conformance.FIRST_CASES
    if case not in ("acdc", "fastfood", "toeplitz_like")
]
LOCAL_CASES = [case for case in CASES if not ORACLES[case].is_exact(5, 13)]


def make_moments(input_dim, num_rows=50, decay=0.6):
    """Moments of rows with a mean and a spectrum that decays: not white."""
    rows = layer_conformance.random_rows(num_rows, input_dim, seed=5)
    rows *= decay ** np.arange(input_dim)
    turn = np.linalg.qr(
        layer_conformance.random_rows(input_dim, input_dim, seed=6)
    )[0]
    rows = rows @ turn + layer_conformance.random_rows(input_dim, seed=7)
    return rows.T @ rows / num_rows


def draw(case, input_dim, units):
    rng = np.random.default_rng(0)
    return {
        spec.name: spec.draw(rng)
        for spec in ORACLES[case].structure.weights(input_dim, units)
    }


@functools.cache
def fitted(case, input_dim, units):
    """Fits once for all tests: some take seconds to build graphs."""
    kernel = layer_conformance.random_rows(input_dim, units)
    current = draw(case, input_dim, units)
    structure = ORACLES[case].structure
    return (
        structure.nearest(kernel, current),
        structure.nearest(kernel, current, make_moments(input_dim)),
    )


def root_of(moments):
    values, vectors = np.linalg.eigh(moments)
    roots = np.sqrt(np.maximum(values, 0))
    return vectors * roots @ vectors.T


def error_of(case, weights, kernel, moments):
    error = ORACLES[case].dense_kernel(weights, *kernel.shape) - kernel
    return np.trace(error.T @ moments @ error)


def smallest_error(case, weights, names, kernel, moments, rows=slice(None)):
    """Fits some weights, in which the kernel is linear, by NumPy."""
    design = layer_conformance.design(case, weights, names, kernel.shape, rows)
    others = {k: np.array(v) for k, v in weights.items()}
    for name in names:
        others[name][rows] = 0
    # Of a sum, the other parts.
    rest = ORACLES[case].dense_kernel(others, *kernel.shape).ravel()
    root = np.kron(root_of(moments), np.eye(kernel.shape[1]))
    design = root @ (design - rest[:, np.newaxis])
    target = root @ (kernel.ravel() - rest)
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    return np.sum((design @ solution - target) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_is_better_than_the_nearest_in_frobenius_norm(case):
    kernel = layer_conformance.random_rows(5, 13)
    moments = make_moments(5)
    unweighted, weighted = fitted(case, 5, 13)
    assert {n: v.shape for n, v in weighted.items()} == (
        ORACLES[case].weight_shapes(5, 13)
    )
    for name in set(ORACLES[case].fixed) - set(ORACLES[case].chosen):
        np.testing.assert_array_equal(weighted[name], unweighted[name])
    before = error_of(case, unweighted, kernel, moments)
    after = error_of(case, weighted, kernel, moments)
    scale = np.trace(kernel.T @ moments @ kernel)
    # Those that have any kernel of these sizes have nothing to gain, nor have
    # those that have any column, or none.
    if case.startswith("leading_columns"):
        assert after == before > 0.1 * scale
    elif before < 1e-9 * scale:
        assert after < 1e-9 * scale
    else:
        assert after < 0.99 * before


@pytest.mark.parametrize(
    ("case", "input_dim", "units"),
    [
        (case, *size)
        for case in CASES
        for size in SIZES
        if ORACLES[case].is_exact(*size) and ORACLES[case].closest is None
    ],
)
def test_linear_ones_equal_the_solution_of_numpy(case, input_dim, units):
    kernel = layer_conformance.random_rows(input_dim, units)
    moments = make_moments(input_dim)
    _, weighted = fitted(case, input_dim, units)
    names = ORACLES[case].trained(input_dim, units)
    expected = smallest_error(case, weighted, names, kernel, moments)
    scale = np.trace(kernel.T @ moments @ kernel)
    error = error_of(case, weighted, kernel, moments)
    np.testing.assert_allclose(error / scale, expected / scale, atol=1e-8)


@pytest.mark.parametrize(("input_dim", "units"), SIZES)
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_low_rank_equals_the_solution_of_numpy(input_dim, units, rank):
    kernel = layer_conformance.random_rows(input_dim, units)
    moments = make_moments(input_dim)
    weights = structures.LowRank(rank).nearest(kernel, None, moments)
    root = root_of(moments)
    left, values, right = np.linalg.svd(root @ kernel, full_matrices=False)
    expected = np.linalg.inv(root) @ (
        left[:, :rank] * values[:rank] @ right[:rank]
    )
    np.testing.assert_allclose(
        weights["left"] @ weights["right"], expected, atol=1e-4
    )
    np.testing.assert_allclose(
        np.linalg.norm(weights["left"], axis=0),
        np.linalg.norm(weights["right"], axis=1),
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", LOCAL_CASES)
def test_no_factor_can_be_improved_much(case):
    kernel = layer_conformance.random_rows(5, 13)
    moments = make_moments(5)
    unweighted, weighted = fitted(case, 5, 13)
    error = error_of(case, weighted, kernel, moments)
    before = error_of(case, unweighted, kernel, moments)
    assert error <= before
    scale = np.trace(kernel.T @ moments @ kernel)
    num_factors = ORACLES[case].num_factors
    for name in ORACLES[case].trained(5, 13):
        for factor in range(num_factors):
            rows = slice(factor, None, num_factors)
            best = smallest_error(case, weighted, [name], kernel, moments, rows)
            assert error < best + 0.05 * before + 1e-9 * scale


def test_a_diagonal_is_never_worse_than_circulants_alone():
    kernel = layer_conformance.random_rows(9, 20)
    moments = make_moments(9)
    circulant = structures.Circulant().nearest(kernel, None, moments)
    both = structures.DiagonalCirculant().nearest(kernel, None, moments)
    assert error_of("diagonal_circulant", both, kernel, moments) < error_of(
        "circulant", circulant, kernel, moments
    )


def test_a_zero_diagonal_is_made_up_for_by_other_inputs():
    kernel = layer_conformance.random_rows(5, 5)
    moments = make_moments(5)
    structure = structures.Dense(zero_diagonal=True)
    weights = structure.nearest(kernel, None, moments)
    found = structure.as_array(weights, 5, 5)
    root = root_of(moments)
    for column in range(5):
        others = np.delete(np.arange(5), column)
        expected = np.linalg.lstsq(
            root[:, others], root @ kernel[:, column], rcond=None
        )[0]
        assert found[column, column] == 0
        np.testing.assert_allclose(found[others, column], expected, rtol=1e-3)


def test_toeplitz_of_many_weights_is_solved_by_steps(monkeypatch):
    kernel = layer_conformance.random_rows(9, 20)
    moments = make_moments(9)
    direct = structures.Toeplitz().nearest(kernel, None, moments)
    monkeypatch.setattr(toeplitz, "_MAX_DIRECT_SIZE", 27)
    by_steps = structures.Toeplitz().nearest(kernel, None, moments)
    assert np.any(by_steps["kernel"] != direct["kernel"])
    np.testing.assert_allclose(by_steps["kernel"], direct["kernel"], atol=1e-4)


@pytest.mark.parametrize("case", QUICK_CASES)
def test_white_inputs_weight_nothing(case):
    kernel = layer_conformance.random_rows(5, 13)
    current = draw(case, 5, 13)
    structure = ORACLES[case].structure
    expected, _ = fitted(case, 5, 13)
    for moments in [np.eye(5), 0.3 * np.eye(5), np.zeros([5, 5])]:
        found = structure.nearest(kernel, current, moments)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)


# All that are solved for directly, and one by steps.
@pytest.mark.parametrize(
    "case",
    ["circulant", "block_circulant", "toeplitz", "low_rank", "monarch"],
)
def test_scale_of_moments_does_not_matter(case):
    kernel = layer_conformance.random_rows(5, 13)
    current = draw(case, 5, 13)
    found = ORACLES[case].structure.nearest(
        kernel, current, 1e-9 * make_moments(5)
    )
    np.testing.assert_allclose(
        ORACLES[case].dense_kernel(found, 5, 13),
        ORACLES[case].dense_kernel(fitted(case, 5, 13)[1], 5, 13),
        rtol=1e-5,
        atol=1e-8,
    )


@pytest.mark.parametrize("case", QUICK_CASES)
def test_of_inputs_that_never_vary_some_weights_are_free(case):
    # Of seven inputs, one is always 0 and one is another one.
    moments = np.zeros([7, 7])
    moments[:5, :5] = make_moments(5)
    moments[5] = moments[4]
    moments[:, 5] = moments[:, 4]
    structure = ORACLES[case].structure
    current = draw(case, 7, 3)
    kernel = layer_conformance.random_rows(7, 3)
    unweighted = structure.nearest(kernel, current)
    weighted = structure.nearest(kernel, current, moments)
    for value in weighted.values():
        assert np.isfinite(value).all()
    before = error_of(case, unweighted, kernel, moments)
    after = error_of(case, weighted, kernel, moments)
    scale = np.trace(kernel.T @ moments @ kernel)
    assert after <= before + 1e-9 * scale


@pytest.mark.parametrize("case", QUICK_CASES)
def test_zeros_stay_zeros(case):
    structure = ORACLES[case].structure
    weights = structure.nearest(
        np.zeros([5, 13]), draw(case, 5, 13), make_moments(5)
    )
    dense = structure.as_array(weights, 5, 13)
    np.testing.assert_allclose(dense, 0, atol=1e-12)


def test_real_features_that_were_not_seen(shared_data):
    """Audio features of YouTube-8M: half to weight with, half to measure."""
    records = tf.data.TFRecordDataset(
        [
            f"{shared_data}/yt8m_2018_video/validate000{shard}.tfrecord"
            for shard in range(8)
        ]
    )
    reader = readers.VideoLevelReader(
        feature_names=("mean_audio",), feature_sizes=(128,)
    )
    batch = reader.parse(next(iter(records.batch(5000))))
    rows = batch["features"].numpy().astype(np.float64)
    seen, unseen = rows[::2], rows[1::2]
    moments = seen.T @ seen / len(seen)
    kernel = layer_conformance.random_rows(128, 200)
    structure = structures.LowRank(32)
    errors = [
        np.sum((unseen @ (structure.as_array(w, 128, 200) - kernel)) ** 2)
        for w in (
            structure.nearest(kernel),
            structure.nearest(kernel, None, moments),
        )
    ]
    # They are whitened, nearly: it gains a percent.
    assert errors[1] < 0.995 * errors[0]


@pytest.mark.parametrize("packed", [False, True])
def test_of_few_bits_it_is_that_of_the_floats(packed):
    kernel = layer_conformance.random_rows(5, 13)
    moments = make_moments(5)
    inner = structures.LowRank(3)
    structure = inner @ structures.Int8()
    floats = inner.nearest(kernel, None, moments)
    expected = structure.as_array(floats, 5, 13)
    if packed:
        structure = structure.packed()
    found = structure.nearest(kernel, None, moments)
    np.testing.assert_allclose(
        structure.as_array(found, 5, 13), expected, atol=1e-3
    )


BAD = {
    "expected second moments of all pairs of inputs, of shape "
    r"\[6, 6\]\. Received: second_moments\.shape=\[6, 5\]": np.ones([6, 5]),
    r"Received: second_moments\.shape=\[6\]": np.ones(6),
    r"expected finite second moments\. Received: second_moments, not "
    "finite: 2": np.diag([1, np.nan, 1, np.inf, 1, 1]),
    r"expected symmetric second moments, E\[x\^T x\]\. Received: "
    "second_moments, mirrored entries 0.5 apart": (
        np.eye(6) + 0.5 * np.eye(6, k=1)
    ),
    "expected positive semi-definite second moments.*smallest "
    "eigenvalue=-0.5": np.diag([1, 1, 1, 1, 1, -0.5]),
    "smallest eigenvalue=-3": -3 * np.eye(6),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_moments_are_refused(message):
    for structure in [structures.Dense(), structures.LowRank(2)]:
        with pytest.raises(ValueError, match=message):
            structure.nearest(np.ones([6, 12]), None, BAD[message])

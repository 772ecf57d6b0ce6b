"""Every case of projection is set to the closest one to a dense kernel."""

import functools

import keras
import numpy as np
import pytest

import layer_conformance
from yt8m_compact import layers
from yt8m_compact import structures

CASES = layer_conformance.CASES
ORACLES = layer_conformance.ORACLES
# Narrow, whole blocks, and blocks that are cut.
SIZES = [(7, 3), (6, 12), (5, 13)]
KERNEL = layer_conformance.random_rows(5, 13)
BIAS = layer_conformance.random_rows(13)
LOCAL_CASES = [case for case in CASES if not ORACLES[case].is_exact(5, 13)]
# Graphs of several factors and of sums take long to build.
NARROW_CASES = [
    case
    for case in layer_conformance.FIRST_CASES
    if not ORACLES[case].is_exact(7, 3)
    and not isinstance(ORACLES[case].structure, structures.Sum)
]


def from_dense(case, kernel, bias=None, **kwargs):
    keras.utils.set_random_seed(1)
    structure = ORACLES[case].structure
    return layers.Projection.from_dense(kernel, bias, structure, **kwargs)


@functools.cache
def fitted(case):
    """Fits a layer, once for all tests: some take seconds to build graphs."""
    return from_dense(case, KERNEL, BIAS, activation="tanh", name="fc")


def error_of(layer, kernel):
    return np.sum((layer.as_dense_kernel().numpy() - kernel) ** 2)


def least_squares(case, layer, names, kernel, rows=slice(None)):
    """Fits some weights, in which the kernel is linear, by NumPy."""
    design = layer_conformance.design(
        case,
        layer_conformance.weights_by_name(layer),
        names,
        (layer.input_dim, layer.units),
        rows,
    )
    solution = np.linalg.lstsq(design, kernel.ravel(), rcond=None)[0]
    return (design @ solution).reshape(kernel.shape)


@pytest.mark.parametrize("case", CASES)
def test_makes_a_layer_as_the_constructor_does(case):
    layer = fitted(case)
    assert (layer.units, layer.input_dim, layer.name) == (13, 5, "fc")
    assert layer.structure == ORACLES[case].structure
    np.testing.assert_allclose(layer.bias, BIAS, rtol=1e-6)
    x = layer_conformance.random_rows(3, 5).astype("float32")
    expected = np.tanh(x @ layer.as_dense_kernel().numpy() + BIAS)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    for name in ORACLES[case].trained(5, 13):
        value = layer_conformance.weights_by_name(layer)[name]
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
    assert error_of(layer, KERNEL) < 0.999 * np.sum(KERNEL**2)


@pytest.mark.parametrize(
    ("case", "input_dim", "units"),
    [
        (case, *size)
        for case in CASES
        for size in SIZES
        if ORACLES[case].is_exact(*size)
    ],
)
def test_equals_the_solution_of_numpy(case, input_dim, units):
    kernel = layer_conformance.random_rows(input_dim, units)
    layer = from_dense(case, kernel)
    oracle = ORACLES[case]
    if oracle.closest:
        expected = oracle.closest(kernel)
    else:
        names = oracle.trained(input_dim, units)
        expected = least_squares(case, layer, names, kernel)
    np.testing.assert_allclose(layer.as_dense_kernel(), expected, atol=1e-5)


def test_factors_of_a_low_rank_are_of_one_size():
    layer = from_dense("low_rank", layer_conformance.random_rows(6, 12))
    np.testing.assert_allclose(
        np.linalg.norm(layer.left, axis=0),
        np.linalg.norm(layer.right, axis=1),
        rtol=1e-5,
    )


@pytest.mark.parametrize("case", LOCAL_CASES)
def test_no_factor_can_be_improved(case):
    check_no_factor_can_be_improved(case, fitted(case), KERNEL)


@pytest.mark.slow
@pytest.mark.parametrize("case", NARROW_CASES)
def test_no_factor_of_a_narrow_one_can_be_improved(case):
    kernel = layer_conformance.random_rows(7, 3)
    layer = from_dense(case, kernel)
    assert layer.bias is None
    check_no_factor_can_be_improved(case, layer, kernel)


def check_no_factor_can_be_improved(case, layer, kernel):
    error = error_of(layer, kernel)
    assert error < 0.95 * np.sum(kernel**2)
    num_factors = ORACLES[case].num_factors
    for name in ORACLES[case].trained(*kernel.shape):
        for factor in range(num_factors):
            rows = slice(factor, None, num_factors)
            best = least_squares(case, layer, [name], kernel, rows)
            possible = np.sum((best - kernel) ** 2)
            assert error <= 1.05 * possible + 1e-5 * np.sum(kernel**2), name


@pytest.mark.parametrize(
    "case", [case for case in CASES if ORACLES[case].simpler]
)
def test_is_no_worse_than_a_simpler_one(case):
    error = error_of(fitted(case), KERNEL)
    for structure in ORACLES[case].simpler:
        simpler = layers.Projection.from_dense(KERNEL, structure=structure)
        assert error <= error_of(simpler, KERNEL) + 1e-5 * np.sum(KERNEL**2)


@pytest.mark.parametrize(
    "case", [case for case in CASES if ORACLES[case].finds_its_own(6, 12)]
)
def test_member_of_the_family_comes_back(case):
    member = layer_conformance.make_layer(case, 6, 12, use_bias=False)
    for name in ORACLES[case].kept:
        getattr(member, name).assign(np.sign(getattr(member, name)))
    kernel = member.as_dense_kernel().numpy()
    layer = from_dense(case, kernel)
    # Random signs are other ones in the other layer.
    for name in ORACLES[case].kept:
        getattr(layer, name).assign(getattr(member, name))
    layer.assign_dense(kernel)
    assert error_of(layer, kernel) < 1e-6 * np.sum(kernel**2)


@pytest.mark.parametrize("case", layer_conformance.FIRST_CASES)
def test_zeros_are_kept(case):
    layer = from_dense(case, np.zeros([5, 13]))
    np.testing.assert_allclose(layer.as_dense_kernel(), np.zeros([5, 13]))


@pytest.mark.parametrize("case", CASES)
def test_wrong_arguments_are_refused(case):
    kernel = layer_conformance.random_rows(5, 4)
    layer = layer_conformance.make_layer(case, 5, 4, use_bias=False)
    before = layer.get_weights()
    with pytest.raises(
        ValueError,
        match=r"expected a kernel of shape \[5, 4\] with finite values\. "
        r"Received: kernel\.shape=\[4, 5\], not finite: 0",
    ):
        layer.assign_dense(kernel.T)
    kernel[1, 2] = np.nan
    with pytest.raises(ValueError, match="not finite: 1"):
        from_dense(case, kernel)
    with pytest.raises(ValueError, match="not finite: 1"):
        layer.assign_dense(kernel)
    with pytest.raises(
        ValueError,
        match=r"expected no bias for a layer with use_bias=False\. Received: "
        r"bias=ndarray, layer=",
    ):
        layer.assign_dense(np.ones([5, 4]), np.ones(4))
    for weight, value in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    with pytest.raises(
        ValueError, match=r"expected a bias of shape \[4\] .*shape=\[5\]"
    ):
        from_dense(case, np.ones([5, 4]), np.ones(5))
    with pytest.raises(
        ValueError,
        match=r"expected a kernel of shape \[input_dim, units\]\. Received: "
        r"kernel\.shape=\(5,\)",
    ):
        from_dense(case, np.ones(5))
    unbuilt = layer_conformance.make_projection(case, 4)
    with pytest.raises(ValueError, match="expected a built layer"):
        unbuilt.assign_dense(np.ones([5, 4]))


@pytest.mark.parametrize("units", [1, 2, 3, 7])
@pytest.mark.parametrize("shared", [False, True])
def test_few_columns_are_no_worse_than_a_circulant(units, shared):
    kernel = layer_conformance.random_rows(40, units)
    errors = [
        np.sum((layer.as_dense_kernel().numpy() - kernel) ** 2)
        for layer in (
            layers.Projection.from_dense(kernel, structure=structure)
            for structure in (
                structures.DiagonalCirculant(shared_diagonal=shared),
                structures.Circulant(),
            )
        )
    ]
    assert errors[0] <= errors[1] + 1e-6
    if units == 1:  # which a circulant has any of
        assert errors[0] < 1e-6


def test_long_narrow_kernels_take_no_square_of_their_length():
    # 100,000 squared would be 75 GB.
    kernel = layer_conformance.random_rows(100_000, 2)
    layer = layers.Projection.from_dense(kernel, structure="circulant")
    # Column 1 is the vector turned down by one: the mean of two entries.
    expected = (kernel[0, 0] + kernel[1, 1]) / 2
    np.testing.assert_allclose(layer.kernel[0, 0], expected, rtol=1e-5)


@pytest.mark.slow
def test_fastfood_of_any_scale():
    kernel = layer_conformance.random_rows(30, 70)
    errors = []
    for scale in (1e-6, 1.0, 1e6):
        keras.utils.set_random_seed(1)
        layer = layers.Projection.from_dense(
            scale * kernel, structure="fastfood"
        )
        fit = layer.as_dense_kernel().numpy() / scale
        errors.append(np.sum((fit - kernel) ** 2) / np.sum(kernel**2))
    np.testing.assert_allclose(errors, errors[1], rtol=0.05)
    assert errors[1] < 0.9


def moments_of(rows):
    return layers.InputMoments(
        rows.mean(axis=0), rows.T @ rows / len(rows), 10**9
    )


ROWS = layer_conformance.random_rows(40, 5, seed=3) * 0.5 ** np.arange(
    5
) + np.arange(5)


def output_error(layer, kernel, bias=0):
    return np.mean((layer(ROWS).numpy() - ROWS @ kernel - bias) ** 2)


@pytest.mark.parametrize("case", ["circulant", "low_rank", "monarch"])
def test_moments_make_the_outputs_error_small(case):
    moments = moments_of(ROWS)
    kernel = KERNEL[:, :12]
    errors = [
        output_error(from_dense(case, kernel, input_moments=given), kernel)
        for given in (None, moments)
    ]
    assert errors[1] < 0.8 * errors[0]


def test_a_bias_makes_up_for_the_mean_of_the_error():
    moments = moments_of(ROWS)
    layer = from_dense("circulant", KERNEL, BIAS, input_moments=moments)
    # The affine functions of the family: circulants, and a column of ones.
    names = ("kernel",)
    weights = layer_conformance.weights_by_name(layer)
    design = layer_conformance.design("circulant", weights, names, (5, 13))
    design = np.stack([(ROWS @ c.reshape(5, 13)).ravel() for c in design.T])
    ones = np.tile(np.eye(13), len(ROWS))
    target = (ROWS @ KERNEL + BIAS).ravel()
    design = np.concatenate([design, ones]).T
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    expected = np.mean((design @ solution - target) ** 2)
    np.testing.assert_allclose(
        output_error(layer, KERNEL, BIAS), expected, rtol=1e-3
    )
    np.testing.assert_allclose(layer.bias, solution[-13:], atol=1e-2)
    # Without a bias given, the layer's own stays.
    before = layer.bias.numpy()
    layer.assign_dense(KERNEL, input_moments=moments)
    np.testing.assert_array_equal(layer.bias, before)


def test_moments_of_another_layer_are_refused():
    with pytest.raises(ValueError, match="expected second moments of all"):
        from_dense("low_rank", KERNEL.T, input_moments=moments_of(ROWS))

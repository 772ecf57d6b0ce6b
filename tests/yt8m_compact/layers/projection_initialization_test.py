"""Every case of projection starts with the variance that Dense has."""

import keras
import numpy as np
import pytest

import layer_conformance

CASES = layer_conformance.CASES
INPUT_DIM = 256
NUM_SEEDS = 8
# A run without the slow tests has one of these of each case.
UNITS = [64, 256, 1100]
VARIANCE_CASES = [
    pytest.param(
        case,
        units,
        marks=[pytest.mark.slow] if (row + column) % len(UNITS) else [],
    )
    for row, case in enumerate(CASES)
    for column, units in enumerate(UNITS)
]

# The variance of the outputs for inputs of variance 1: input_dim times the
# variance of an entry of the kernel.
VARIANCES = {
    "glorot_uniform": lambda units: 2 * INPUT_DIM / (INPUT_DIM + units),
    "he_normal": lambda units: 2.0,
}


@pytest.mark.parametrize(("case", "units"), VARIANCE_CASES)
def test_outputs_have_the_variance_of_dense(case, units):
    x = layer_conformance.random_rows(64, INPUT_DIM).astype("float32")
    for name, expected in VARIANCES.items():
        variances = []
        for seed in range(NUM_SEEDS):
            initializer = keras.initializers.get(
                {"class_name": name, "config": {"seed": seed}}
            )
            layer = layer_conformance.make_projection(
                case, units, kernel_initializer=initializer
            )
            variances.append(np.var(layer(x)))
        # 256 entries of 8 kernels, at least: a relative error of 3 %.
        np.testing.assert_allclose(
            np.mean(variances), expected(units), rtol=0.1, err_msg=name
        )


@pytest.mark.parametrize("case", CASES)
def test_seeds(case):
    names = layer_conformance.ORACLES[case].initialized

    def initialized(initializer):
        layer = layer_conformance.make_projection(
            case, 17, kernel_initializer=initializer
        )
        layer.build((None, 7))
        weights = layer_conformance.weights_by_name(layer)
        return np.concatenate([weights[name].ravel() for name in names])

    for name in ["glorot_uniform", "random_normal"]:
        seeded = [
            keras.initializers.get({"class_name": name, "config": {"seed": s}})
            for s in [1, 1, 2]
        ]
        one, again, two = [initialized(initializer) for initializer in seeded]
        np.testing.assert_array_equal(one, again)
        assert not np.isclose(one, two).any()
        assert not np.isclose(initialized(name), initialized(name)).any()
        # No value is drawn twice, for another weight.
        assert np.unique(one).size == one.size


@pytest.mark.parametrize("case", CASES)
def test_set_random_seed_makes_a_layer_reproducible(case):
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        layer = layer_conformance.make_projection(case, 17)
        layer.build((None, 7))
        weights.append(layer.get_weights())
    for one, again in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, again)

"""Tests of the end of a chain of classifiers."""

import keras
import numpy as np
import pytest

from yt8m_compact import layers


def make_inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(size=(3, 5)).astype("float32") for _ in range(3)]


def test_the_last_ones_predictions_and_those_before_in_training():
    inputs = make_inputs()
    layer = layers.EndOfChain(0.25)
    np.testing.assert_array_equal(layer(inputs, training=False), inputs[2])
    assert layer.branch_predictions is None
    np.testing.assert_array_equal(layer(inputs, training=True), inputs[2])
    np.testing.assert_array_equal(
        layer.branch_predictions, np.stack(inputs[:2], axis=1)
    )
    assert layer.losses == []


def test_symbolic_shape_and_config():
    layer = layers.EndOfChain(0.25, name="end", dtype="float32")
    again = layers.EndOfChain.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.branch_share == 0.25
    symbolic = again([keras.Input((5,)), keras.Input((5,))])
    assert (symbolic.shape, symbolic.dtype) == ((None, 5), "float32")


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_wrong_shares_are_refused(share):
    with pytest.raises(
        ValueError,
        match=f"expected a share from 0 to 1. Received: branch_share={share}",
    ):
        layers.EndOfChain(share)

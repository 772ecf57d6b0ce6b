"""Tests of the first values of features."""

import re

import keras
import numpy as np
import pytest

from yt8m_compact import layers


def test_keeps_the_first_of_each():
    x = np.arange(2 * 3 * 9, dtype="float32").reshape(2, 3, 9)
    layer = layers.LeadingValues([4, 3, 2], [1, 3, 1])
    expected = x[..., [0, 4, 5, 6, 7]]
    np.testing.assert_array_equal(layer(x), expected)
    again = layers.LeadingValues.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), expected)
    symbolic = again(keras.Input((None, 9)))
    assert symbolic.shape == (None, None, 5)
    half = layers.LeadingValues([9], [2], dtype="mixed_bfloat16")(x)
    assert half.dtype == "bfloat16"


@pytest.mark.parametrize("kept", [[], [3], [5, 3], [0, 3], [4, 3, 1]])
def test_wrong_numbers_are_refused(kept):
    message = (
        "expected for each feature how many of its values are kept, at least 1 "
        f"and at most its size, of [4, 3]. Received: kept={kept}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        layers.LeadingValues([4, 3], kept)


def test_inputs_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected axis -1 of input shape"):
        layers.LeadingValues([4, 3], [2, 2])(np.zeros([2, 8]))

"""Tests of the likeliest classes of videos."""

import numpy as np
import pytest

from yt8m_compact.api import predictions as predictions_lib


def test_is_a_sequence_over_the_videos():
    found = predictions_lib.Predictions(
        ids=("a", "bc"),
        classes=np.array([[1], [0]]),
        scores=np.array([[0.5], [0.25]], np.float32),
    )
    rows = [[("class 1", 0.5)], [("class 0", 0.25)]]
    assert [*found] == rows
    assert found[-1] == rows[1]
    assert len(found) == 2
    assert [*found[1:]] == rows[1:]
    assert found[:1].ids == ("a",)
    assert str(found) == "a   class 1 0.500\nbc  class 0 0.250"
    with pytest.raises(IndexError):
        found[2]

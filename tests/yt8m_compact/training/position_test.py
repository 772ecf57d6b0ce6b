"""Tests of where a run is."""

from yt8m_compact.training import position as position_lib


def test_position():
    position = position_lib.Position()
    assert position.as_tuple() == (0, 0, 0)
    position.set(7, 2, 80)
    assert position.as_tuple() == (7, 2, 80)

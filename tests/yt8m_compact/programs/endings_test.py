"""Tests of what programs say at the end."""

import pytest

from yt8m_compact.programs import endings


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_same_command_goes_on(capsys, is_kept):
    with (
        pytest.raises(KeyboardInterrupt),
        endings.keeping_what_is_done(is_kept),
    ):
        raise KeyboardInterrupt
    said = "what is done is kept: the same command goes on\n"
    assert capsys.readouterr().err == (said if is_kept else "")


def test_nothing_is_said_of_what_comes_to_its_end(capsys):
    with endings.keeping_what_is_done():
        pass
    assert capsys.readouterr().err == ""

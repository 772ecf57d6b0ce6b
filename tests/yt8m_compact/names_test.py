"""Tests of what is said of unknown names."""

from yt8m_compact import names

_KNOWN = ("batch_size", "num_epochs", "seed")


def test_nearest_is_the_most_alike():
    assert names.nearest("batchsize", _KNOWN) == "batch_size"
    assert names.nearest("epochs", iter(_KNOWN)) == "num_epochs"


def test_nothing_near():
    assert names.nearest("zzz", _KNOWN) is None
    assert names.suggestion("zzz", _KNOWN) == ""


def test_suggestion_is_a_question():
    assert names.suggestion("seeds", _KNOWN) == "; did you mean seed?"

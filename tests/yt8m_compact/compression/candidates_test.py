"""Tests of the candidates."""

import pytest

from yt8m_compact import structures
from yt8m_compact.compression import candidates


def test_split_at_commas_between_structures():
    text = " dense,low_rank(rank=8) + diagonal_circulant(num_factors=2, "
    text += "pad_input=True), ,monarch "
    assert candidates.split(text) == [
        "dense",
        "low_rank(rank=8) + diagonal_circulant(num_factors=2, pad_input=True)",
        "monarch",
    ]


def test_float_is_the_structure_itself():
    found = candidates.make(["dense", "low_rank(rank=3)", "dense"], ["float32"])
    assert [one.structure for one in found] == [
        structures.Dense(),
        structures.LowRank(3),
    ]
    assert all(one.base == one.structure for one in found)


def test_every_default_is_a_candidate():
    found = candidates.make()
    number = len(candidates.STRUCTURES) * len(candidates.PRECISIONS)
    assert len(found) == number
    assert len({str(one.structure) for one in found}) == number


def test_structures_that_have_no_matrix_of_a_size():
    # 7 has no 3 blocks.
    monarch = structures.Monarch(num_blocks=3)
    assert candidates.fits(monarch, [(6, 9), (3, 12)])
    assert not candidates.fits(monarch, [(6, 9), (7, 9)])


@pytest.mark.parametrize(
    ("texts", "precisions", "message"),
    [
        ([], ["float32"], "expected structures, comma-separated. Received: s"),
        (["dense"], [], "expected precisions, comma-separated. Received: p"),
        (["rank"], ["float32"], "expected a structure, one of dense"),
    ],
)
def test_texts_that_are_none(texts, precisions, message):
    with pytest.raises(ValueError, match=message):
        candidates.make(texts, precisions)

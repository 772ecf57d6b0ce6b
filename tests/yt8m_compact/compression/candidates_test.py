"""Tests of the candidates."""

import pytest

from yt8m_compact import structures
from yt8m_compact.compression import budget
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
    # And float32.
    number = len(candidates.STRUCTURES) * (len(candidates.PRECISIONS) + 1)
    assert len(found) == number
    assert len({str(one.structure) for one in found}) == number


def test_each_part_of_a_sum_has_the_precision():
    (found,) = candidates.make(
        ["low_rank(rank=3) + diagonal_circulant"], ["int4(block_size=8)"]
    )
    precision = structures.Int4(block_size=8)
    circulant = structures.DiagonalCirculant()
    assert found.base == structures.LowRank(3) + circulant
    assert found.structure == (
        (structures.LowRank(3) @ precision) + (circulant @ precision)
    )


def test_a_structure_with_precisions_is_a_candidate_as_it_is():
    text = "low_rank(rank=3)@int8 + diagonal_circulant@binary"
    (found,) = candidates.make([text], ["int4", "ternary"])
    assert str(found.structure) == text
    assert str(found.base) == "low_rank(rank=3) + diagonal_circulant"


def test_bits_count_where_bytes_do():
    assert "int4" in candidates.default_precisions(budget.Unit.BYTES)
    for unit in (budget.Unit.WEIGHTS, budget.Unit.MILLISECONDS):
        assert candidates.default_precisions(unit) == ("float32",)


def test_structures_that_have_no_matrix_of_a_size():
    square = structures.Dense(zero_diagonal=True)
    assert candidates.fits(square, [(6, 6), (3, 3)])
    assert not candidates.fits(square, [(6, 6), (7, 9)])


@pytest.mark.parametrize(
    ("texts", "precisions", "message"),
    [
        ([], ["float32"], "expected structures, comma-separated. Received: s"),
        (["dense"], [], "expected precisions, comma-separated. Received: p"),
        (["rank"], ["float32"], "expected a structure, one of dense"),
        (["dense"], ["int5"], "expected a precision, one of float32"),
    ],
)
def test_texts_that_are_none(texts, precisions, message):
    with pytest.raises(ValueError, match=message):
        candidates.make(texts, precisions)

"""Tests of structures as text."""

import dataclasses
import itertools
import re

import pytest

from yt8m_compact import structures


def values_of(field):
    """Lists the default of an argument and another value."""
    if isinstance(field.default, bool):
        return (field.default, not field.default)
    if isinstance(field.default, float):
        # Whole numbers of a group of 50, too.
        return (field.default, field.default / 5)
    return (field.default, 50 if field.default is None else field.default + 3)


EVERY = [
    cls(*values)
    for cls in structures.STRUCTURES.values()
    for values in itertools.product(*map(values_of, dataclasses.fields(cls)))
]
EXAMPLE = r"such as 'low_rank\(rank=64\) \+ diagonal_circulant'"


def test_every_structure_and_sum_round_trips():
    assert {
        structures.Dense(),
        structures.LowRank(35),
        structures.Hashed(50),
        structures.Sparse(0.02, group=50),
        structures.DiagonalCirculant(4, True, False, True),
    } < set(EVERY)
    assert {type(one) for one in EVERY} == {*structures.STRUCTURES.values()}
    sums = [one + other for one, other in itertools.product(EVERY, EVERY)]
    longest = max(EVERY, key=lambda each: len(str(each)))
    sums.append(structures.Sum((longest,) * 16))
    for structure in [*EVERY, *sums]:
        again = structures.get(str(structure))
        assert again == structure
        assert hash(again) == hash(structure)
        assert str(again) == str(structure)
    assert len({str(each) for each in [*EVERY, *sums]}) == len(EVERY + sums)


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("dense", structures.Dense()),
        (" low_rank ", structures.LowRank(32)),
        ("low_rank()", structures.LowRank(32)),
        ("low_rank(rank=2147483648)", structures.LowRank(2**31)),
        ("hashed(num_buckets=None)", structures.Hashed()),
        ("sparse(density=.02)", structures.Sparse(0.02)),
        ("sparse(density=1)", structures.Sparse(1.0)),
        ("sparse(density=1e-3)", structures.Sparse(density=0.001)),
        ("sparse(density=0.5, group=4)", structures.Sparse(0.5, 4)),
        (
            "low_rank(rank=64)+diagonal_circulant( num_factors = 2 )",
            structures.LowRank(64) + structures.DiagonalCirculant(2),
        ),
        (
            "toeplitz + (low_rank + low_rank(rank=3))",
            structures.Sum(
                (
                    structures.Toeplitz(),
                    structures.LowRank(),
                    structures.LowRank(3),
                )
            ),
        ),
        # The names that models had before there were arguments and sums.
        (
            "sign_circulant",
            structures.DiagonalCirculant(shared_diagonal=True, learned=False),
        ),
        (
            "low_rank_plus_circulant",
            structures.LowRank() + structures.DiagonalCirculant(),
        ),
        (
            "toeplitz + low_rank_plus_circulant",
            structures.Sum(
                (
                    structures.Toeplitz(),
                    structures.LowRank(),
                    structures.DiagonalCirculant(),
                )
            ),
        ),
    ],
)
def test_reads(text, structure):
    assert structures.get(text) == structure
    assert structures.get(structure) is structure


def test_canonical_text():
    diagonal = structures.DiagonalCirculant(pad_input=True, num_factors=2)
    assert str(diagonal) == "diagonal_circulant(num_factors=2, pad_input=True)"
    assert str(structures.LowRank(rank=32)) == "low_rank"
    total = structures.LowRank(64) + structures.DiagonalCirculant()
    assert str(total) == "low_rank(rank=64) + diagonal_circulant"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "low_rnk",
            r"expected a structure, one of dense, circulant, .*, "
            r"sign_circulant, low_rank_plus_circulant\. Received: "
            r"structure='low_rnk'; did you mean low_rank\?",
        ),
        (
            "dense + zzz",
            r"one of dense, .*circulant\. Received: structure='zzz'",
        ),
        (
            "sum",
            r"expected a structure, one of dense, .* Received: structure='sum'",
        ),
        (
            "low_rank(rnk=3)",
            r"expected arguments of low_rank: rank\. Received: argument='rnk'; "
            r"did you mean rank\?",
        ),
        (
            "toeplitz(rank=3)",
            r"expected arguments of toeplitz: none\. Received: argument='rank'",
        ),
        (
            "sign_circulant(num_factors=2)",
            r"expected sign_circulant without arguments: it is short for "
            r"diagonal_circulant\(shared_diagonal=True, learned=False\), which "
            r"takes them\. Received: structure='sign_circulant\(num_factors",
        ),
        ("low_rank(64)", r"\(arguments need names: rank=64\)"),
        ("low_rank(**a)", r"\(arguments need names: rank=64\)"),
        ("low_rank(rank=2, rank=3)", r"\(rank twice\)"),
        ("", r"Received: structure='' \(not an expression\)"),
        ("low_rank(", r"\(not an expression\)"),
        ("dense; dense", r"\(not an expression\)"),
        ("dense\0", r"\(not an expression\)"),
        ("dense - low_rank", r"\(not a sum of names and arguments\)"),
        ("+dense", r"\(not a sum of names and arguments\)"),
        ("3", r"\(not a sum of names and arguments\)"),
        ("'dense'", r"\(not a sum of names and arguments\)"),
        ("(dense,)", r"\(not a sum of names and arguments\)"),
        ("structures.dense", r"\(not a sum of names and arguments\)"),
        ("dense()()", r"\(not a sum of names and arguments\)"),
        ("low_rank(rank=-1)", r"expected a positive int\. Received: rank=-1"),
        ("low_rank(rank=0.5)", r"expected a positive int\. Received: rank=0.5"),
        ("sparse(density=0.0)", r"at most 1\. Received: density=0.0"),
        ("sparse(density=1e999)", r"at most 1\. Received: density=inf"),
    ],
)
def test_wrong_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        structures.get(text)


@pytest.mark.parametrize(
    "value",
    ["print(1)", "'3'", "(3,)", "[3]", "3j", "b'3'", "...", "x", "1 + 1",
     "-True", "-None", "~3", "--3", "3 if 1 else 2", "(lambda: 3)()"],
)  # fmt: skip
def test_arguments_are_plain_values_and_nothing_runs(value, capsys):
    with pytest.raises(
        ValueError,
        match=rf"expected the text of a structure, {EXAMPLE}\. Received: "
        rf"structure='?\"?low_rank.* \(arguments are numbers, True, False or "
        r"None\)",
    ):
        structures.get(f"low_rank(rank={value})")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(" * 3000 + "dense" + ")" * 3000, "6005 characters"),
        ("(" * 2000 + "dense" + ")" * 2000, "not an expression"),
        ("(" * 150 + "dense" + ")" * 149, "not an expression"),
        ("low_rank(rank=" + "-" * 4000 + "1)", "numbers|not an expression"),
        ("dense" + "()" * 2000, "not a sum|not an expression"),
        ("dense" + ".a" * 2000, "not a sum|not an expression"),
        ("low_rank(rank=" + "9" * 4050 + ".)", None),
        ("x" * 1_000_000, "1000000 characters"),
    ],
    ids=range(8),
)
def test_hostile_text_is_refused(text, reason):
    with pytest.raises(ValueError) as caught:
        structures.get(text)
    message = str(caught.value)
    assert len(message) < 400
    if reason:
        assert re.search(
            rf"Received: structure=.*\.\.\.' \(.*({reason})", message
        )


def test_many_parts_are_refused():
    with pytest.raises(ValueError, match=r"2 to 16 parts .*: 500 parts"):
        structures.get(" + ".join(["dense"] * 500))
    # Deeper than Python's parser goes, in some releases.
    with pytest.raises(ValueError, match=r"500 parts|not an expression"):
        structures.get("dense+(" * 499 + "dense" + ")" * 499)


@pytest.mark.parametrize("value", [None, 3, b"dense", ["dense"], {}])
def test_other_values_are_refused(value):
    with pytest.raises(
        ValueError,
        match=rf"expected a structure or its text, {EXAMPLE}\. Received: "
        rf"structure={re.escape(repr(value))}",
    ):
        structures.get(value)


def test_signatures_are_texts_of_every_structure():
    signatures = structures.signatures()
    assert "low_rank(rank=32)" in signatures
    assert "toeplitz" in signatures
    read = [structures.get(text) for text in signatures]
    assert read == [
        *(cls() for cls in structures.STRUCTURES.values()),
        *structures.ALIASES.values(),
    ]

"""Tests of budgets."""

import re

import pytest

from yt8m_compact.compression import budget


@pytest.mark.parametrize(
    ("text", "amount", "unit", "shown"),
    [
        ("1MB", 1e6, budget.Unit.BYTES, "1,000,000 bytes"),
        ("0.35mb", 350_000, budget.Unit.BYTES, "350,000 bytes"),
        (" 1 MiB ", 1_048_576, budget.Unit.BYTES, "1,048,576 bytes"),
        ("2_000B", 2000, budget.Unit.BYTES, "2,000 bytes"),
        ("64KiB", 65_536, budget.Unit.BYTES, "65,536 bytes"),
        ("500000_weights", 5e5, budget.Unit.WEIGHTS, "500,000 parameters"),
        ("500000_parameters", 5e5, budget.Unit.WEIGHTS, "500,000 parameters"),
        ("500_000 weights", 5e5, budget.Unit.WEIGHTS, "500,000 parameters"),
        ("2ms", 2, budget.Unit.MILLISECONDS, "2 ms"),
        ("250us", 0.25, budget.Unit.MILLISECONDS, "0.25 ms"),
        (".5s", 500, budget.Unit.MILLISECONDS, "500 ms"),
    ],
)
def test_budgets(text, amount, unit, shown):
    found = budget.parse(text)
    assert (found.amount, found.unit) == (pytest.approx(amount), unit)
    assert str(found) == shown
    assert budget.parse(found) is found


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("1", "budget='1'"),
        ("", "budget=''"),
        ("MB", "budget='MB'"),
        ("-1MB", "budget='-1MB'"),
        ("1e3MB", "budget='1e3MB'"),
        ("5_weihgts", "budget='5_weihgts'; did you mean weights?"),
        ("1 parsec", "budget='1 parsec'"),
    ],
)
def test_texts_that_are_none(text, received):
    with pytest.raises(
        ValueError,
        match=r"expected budget to be a number and a unit, one of B, .*, such "
        rf"as 1MB, 500000_parameters or 2ms\. Received: {re.escape(received)}$",
    ):
        budget.parse(text)


@pytest.mark.parametrize("text", ["0MB", "0.0_ms"])
def test_nothing_is_no_budget(text):
    with pytest.raises(ValueError, match="expected a budget above 0. Received"):
        budget.parse(text)

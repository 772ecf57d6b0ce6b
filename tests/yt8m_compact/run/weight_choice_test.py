"""Tests of the choice of weights."""

import re

import pytest

from yt8m_compact.run import weight_choice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("raw", weight_choice.RAW),
        ("ema", weight_choice.WeightChoice(ema=True)),
        ("average:2", weight_choice.WeightChoice(num_checkpoints=2)),
        ("average:15", weight_choice.WeightChoice(num_checkpoints=15)),
    ],
)
def test_text_and_back(text, expected):
    choice = weight_choice.parse(text)
    assert choice == expected
    assert str(choice) == text
    assert weight_choice.parse(choice) is choice


@pytest.mark.parametrize(
    "text",
    ["", "EMA", "average", "average:", "average:1", "average:0", "average:-2",
     "average:2.5", "average:²", "ema:2", "mean:5"],
)  # fmt: skip
def test_anything_else(text):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected weights to be raw, ema, or average:N with N checkpoints,"
            f" 2 or more. Received: weights={text!r}"
        ),
    ):
        weight_choice.parse(text)

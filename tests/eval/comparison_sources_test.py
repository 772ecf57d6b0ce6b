"""Tests of what is compared."""

import pytest

from yt8m_compact.eval import comparison_sources


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            (["x/a", "x/b"], [None], []),
            [("a", "x/a"), ("b", "x/b")],
        ),
        (
            (["a"], [3, "best"], ["m.tflite"]),
            [
                ("a, step 3", "a", 3),
                ("a, step best", "a", "best"),
                ("m.tflite", None, None, "m.tflite"),
            ],
        ),
        (
            (["x/run"], [None], ["y/run"], ["z/run", "z/a*,z/b*"]),
            [
                ("x/run", "x/run"),
                ("y/run", None, None, "y/run"),
                ("z/run", None, None, None, "z/run"),
                ("b*", None, None, None, "z/a*,z/b*"),
            ],
        ),
    ],
)
def test_sources(arguments, expected):
    found = comparison_sources.make_sources(*arguments)
    assert found == [comparison_sources.Source(*one) for one in expected]


def test_predictions_have_no_configuration():
    source = comparison_sources.Source("a", predictions="a.csv")
    assert source.load_config() is None

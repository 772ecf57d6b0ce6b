"""Tests of the table of metrics."""

from yt8m_compact.eval import metric_table

NAMES = {"gap": "GAP@20", "loss": "loss", "map": "MAP", "videos": "videos"}
METRICS = {"gap": 0.25, "loss": None, "map": 0.12345, "videos": 1234}


def test_table():
    assert metric_table.format_metrics(NAMES, METRICS).splitlines() == [
        "metric   value",
        "------  ------",
        "GAP@20  0.2500",
        "MAP     0.1235",
        "videos   1,234",
    ]


def test_with_the_starter_codes_values():
    text = metric_table.format_metrics(NAMES, METRICS, {"map": 0.5})
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["metric", "value", "starter", "code"]
    assert lines[2:] == [
        ["GAP@20", "0.2500"],
        ["MAP", "0.1235", "0.5000"],
        ["videos", "1,234"],
    ]

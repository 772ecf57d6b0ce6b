"""Tests of the tables of classes."""

import csv

import numpy as np

from yt8m_compact.eval.insight import class_file
from yt8m_compact.eval.insight import confusions
from yt8m_compact.eval.insight import details


def _read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_classes(tmp_path):
    path = str(tmp_path / "classes.csv")
    values = [np.array([x, np.nan]) for x in (0.25, np.float32(0.1), 1, 0.5, 0)]
    table = details.ClassTable(np.array([7, 0]), *values)
    class_file.write_classes(table, path, {0: 'a, "b"\nc', 1: "Häuser"})
    first, second = _read(path)
    assert first == {
        "index": "0",
        "name": 'a, "b"\nc',
        "videos": "7",
        "average_precision": "0.25",
        "threshold": repr(float(np.float32(0.1))),
        "precision": "1.0",
        "recall": "0.5",
        "f1": "0.0",
    }
    assert second["name"] == "Häuser"
    assert second["videos"] == "0"
    assert second["average_precision"] == second["f1"] == ""


def test_confusions(tmp_path):
    path = str(tmp_path / "confused.csv")
    pairs = [confusions.Confusion(3, 1, 2.5, 0.5)]
    class_file.write_confusions(pairs, path, {1: "Cat"})
    assert _read(path) == [
        {
            "missed": "3",
            "missed_name": "",
            "predicted": "1",
            "predicted_name": "Cat",
            "count": "2.5",
            "share_of_misses": "0.5",
        }
    ]

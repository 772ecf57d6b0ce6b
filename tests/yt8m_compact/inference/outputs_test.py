"""Tests of what is written of predictions."""

import numpy as np
import pytest

from yt8m_compact import predictions
from yt8m_compact.inference import outputs

VALUES = np.array([[0.1, 0.5, 0.25], [0.75, 0.75, 1.0]], np.float32)


def test_choices():
    classes, scores = outputs.Output(top_k=2).choose(VALUES)
    assert classes.tolist() == [[1, 2], [2, 0]]
    assert scores.tolist() == [[0.5, 0.25], [1.0, 0.75]]
    kind = predictions.Format.SEGMENTS
    (chosen,) = outputs.Output(kind, classes=[2, 0]).choose(VALUES)
    np.testing.assert_array_equal(chosen, VALUES[:, [2, 0]])
    kind = predictions.Format.JSONL
    (chosen,) = outputs.Output(kind, embeddings=True).choose(VALUES)
    assert chosen is VALUES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"min_probability": 1.5},
            "from 0 to 1. Received: min_probability=1.5",
        ),
        ({"min_probability": float("nan")}, "min_probability from 0 to 1"),
        (
            {"min_probability": 0.5, "format": "teacher"},
            "Received: min_probability=0.5, with teacher",
        ),
        (
            {"min_probability": 0.5, "format": "jsonl", "embeddings": True},
            "Received: min_probability=0.5, with embeddings",
        ),
        ({"embeddings": True}, "expected a format that holds embeddings"),
        ({"class_names": ["a"]}, "expected a format that holds class names"),
        ({"classes": [1]}, "a choice of classes for the format segments"),
    ],
)
def test_what_is_refused(arguments, message):
    kind = predictions.Format(arguments.pop("format", "csv"))
    with pytest.raises(ValueError, match=message):
        outputs.Output(kind, **arguments)


@pytest.mark.parametrize("kind", ["csv", "teacher"])
def test_what_is_no_probability(tmp_path, kind):
    path = str(tmp_path / "out")
    output = outputs.Output(predictions.Format(kind))
    values = output.choose(np.array([[0.5, 1.5]], np.float32))
    with (
        pytest.raises(
            ValueError, match="predictions from 0 to 1. Received: 1.5 o"
        ),
        output.writing(path, "model", 2) as sink,
    ):
        sink.add(np.array([b"a"], object), *values)
    assert not list(tmp_path.iterdir())


def test_embeddings_of_nothing(tmp_path):
    output = outputs.Output(predictions.Format.JSONL, embeddings=True)
    with (
        pytest.raises(
            ValueError, match="expected a video to write the embedding"
        ),
        output.writing(str(tmp_path / "out"), "model", 2),
    ):
        pass

"""Tests of what all artefacts have in common."""

import re

import numpy as np
import pytest

from yt8m_compact.inference import artefacts
from yt8m_compact.inference.artefacts import artefact


class Sums(artefacts.Artefact):
    """Adds up what it is given, as many videos at once as it takes."""

    KIND = "a sum"

    def __init__(self, batch, time):
        super().__init__("sums")
        self.batch, self.time = batch, time
        self.sizes = []

    @property
    def input_shapes(self):
        return {
            "frames": [self.batch, self.time, 2],
            "num_frames": [self.batch],
        }

    @property
    def num_classes(self):
        return 2

    def __call__(self, inputs):
        frames = inputs["frames"]
        assert self.time in (None, frames.shape[1])
        self.sizes.append(len(frames))
        return frames.sum(axis=1) + inputs["num_frames"][:, None]


@pytest.mark.parametrize(
    ("batch", "sizes"), [(None, [5]), (1, [1] * 5), (2, [2] * 3), (7, [7])]
)
@pytest.mark.parametrize("time", [None, 3, 4])
def test_any_number_of_videos_and_frames(batch, sizes, time):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 9, (5, 3, 2))
    num_frames = np.arange(5)
    model = Sums(batch, time)
    found = model.predict_each({"frames": frames, "num_frames": num_frames})
    # Frames of zeros add nothing.
    expected = frames[:, 0] + frames[:, 1] + frames[:, 2]
    np.testing.assert_array_equal(found, expected + num_frames[:, None])
    assert model.sizes == sizes


def test_more_frames_than_it_takes():
    inputs = {"frames": np.ones((1, 3, 2)), "num_frames": np.ones(1)}
    message = "sums: expected at most 2 frames of a video. Received: 3"
    with pytest.raises(ValueError, match=message):
        Sums(1, 2).predict_each(inputs)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (artefacts.LiteRtModel, "model.tflite"),
        (artefacts.OnnxModel, "model.onnx"),
        (artefacts.OpenVinoModel, "model.xml"),
        (artefacts.KerasModel, "model.keras"),
    ],
)
def test_a_file_that_is_not_there(kind, name, tmp_path):
    message = f"{tmp_path}/{name}: expected {kind.KIND}. Received: no such file"
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(tmp_path / name)


def test_another_output():
    with pytest.raises(
        ValueError,
        match=r"a: expected an ONNX model of yt8m-export, with predictions as "
        r"its output. Received: outputs \['b', 'c'\]",
    ):
        artefact.expect_output("a", "an ONNX model", ["b", "c"])

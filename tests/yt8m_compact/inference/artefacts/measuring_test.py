"""Tests of the process that measures an artefact."""

import numpy as np
import pytest

import small_artefacts
import tiny_runs
from yt8m_compact.inference.artefacts import measuring


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("name", small_artefacts.FORMATS)
def test_every_format_is_measured(name, level):
    made = small_artefacts.make(level)
    batch = tiny_runs.features_of(made.run, made.run.pattern)
    names = ("features",) if level == "video" else ("frames", "num_frames")
    inputs = {name: batch[name] for name in names}
    found = measuring.measure(made.path(name), inputs, 1, seconds=0.1)
    assert found.num_threads == 1
    assert found.num_calls >= 20
    assert 0 < found.median_ms <= found.percentile_95_ms
    # TensorFlow takes 400 MB; it is imported where it is the runtime.
    uses_tensorflow = name in ("saved_model", "packed", "keras")
    assert (found.peak_bytes > 300e6) == uses_tensorflow


def test_a_model_that_does_not_open_there(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"not a model")
    with pytest.raises(
        ValueError,
        match=r"model.tflite: expected a model that opens in a process of its "
        r"own. Received: exit status 1, ValueError: .* expected a LiteRT model",
    ):
        measuring.measure(str(path), {"features": np.zeros((1, 9))}, 1)

"""Tests of the file that says how requests are put together."""

import re

import pytest

from yt8m_compact.inference import batching_hints


@pytest.mark.parametrize("frames", [True, False])
def test_the_file(tmp_path, frames):
    batching_hints.write(str(tmp_path), 32, frames=frames)
    text = (tmp_path / "batching_params.pbtxt").read_text()
    # The fields of tensorflow_serving's BatchingParameters.
    wrapped = dict(re.findall(r"(\w+) \{ value: (\d+) \}", text))
    assert wrapped == {
        "max_batch_size": "32",
        "batch_timeout_micros": "1000",
        "max_enqueued_batches": "100",
    }
    assert ("pad_variable_length_inputs: true" in text) == frames


def test_batches_of_none(tmp_path):
    message = "expected at least 1. Received: max_batch=0"
    with pytest.raises(ValueError, match=message):
        batching_hints.write(str(tmp_path), 0, frames=False)
    assert not list(tmp_path.iterdir())

"""Tests of the videos that files are compared on."""

import numpy as np
import pytest

import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference.exports import export_sample
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.run import train_dir as train_dir_lib


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_runs.video_run, tiny_runs.frame_run])
def test_records_as_the_run_reads_them(make):
    run = make()
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    frames = None
    if "frames" in model.input:
        frames = run.config.prediction_reader().num_output_frames
    specs = portable_function.input_specs(model, 1, frames)
    inputs = export_sample.take(run.config, specs, run.pattern)
    expected = tiny_runs.features_of(run, run.pattern)
    assert inputs.keys() == model.input.keys()
    for name, value in inputs.items():
        assert value.dtype == specs[name].dtype.as_numpy_dtype
        np.testing.assert_array_equal(value, expected[name])
    assert len(value) == 40


def test_drawn_without_records():
    run = tiny_runs.video_run()
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    specs = portable_function.input_specs(model, 1, None)
    inputs = export_sample.take(run.config, specs, None)
    assert inputs["features"].shape == (16, 9)


def test_no_record_is_an_error(tmp_path):
    run = tiny_runs.video_run()
    path = record_makers.write_tfrecord(tmp_path / "none.tfrecord", [])
    with pytest.raises(readers.DataError, match="none.tfrecord"):
        export_sample.take(run.config, {}, path)

"""Tests of the requests that a server makes of itself."""

import dataclasses
import importlib.util
import re

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact.inference import serving
from yt8m_compact.inference import warmup
from yt8m_compact.run import train_dir as train_dir_lib

RUNS = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}


@pytest.mark.parametrize(
    "level", ["video", pytest.param("frame", marks=pytest.mark.slow)]
)
def test_requests_of_each_signature(level, tmp_path):
    protos = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    config, model, _ = train_dir_lib.TrainDir(
        RUNS[level]().path
    ).restore_model()
    module = serving.ServingModule(config, model, top_k=2)
    warmup.write(str(tmp_path), module, {1, 3})
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    made = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = protos.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {
            name: tf.make_ndarray(value)
            for name, value in request.inputs.items()
        }
        name = request.model_spec.signature_name
        size = len(next(iter(inputs.values())))
        made.append((name, size))
        # As the signature takes them; else the server would not start.
        function = module.functions[name]
        tensors = []
        for spec in function.input_signature:
            value = tf.constant(inputs[spec.name])
            assert value.dtype == spec.dtype
            assert spec.shape.is_compatible_with(value.shape)
            tensors.append(value)
        outputs = function(*tensors)
        if "valid" in outputs:
            assert outputs["valid"].numpy().tolist() == [True] * size
        for output in outputs.values():
            assert len(output) == size
        if "frames" in inputs:
            assert inputs["frames"].shape[1] == config.data.max_frames
    assert made == [(name, n) for n in (1, 3) for name in module.functions]


def test_records_are_the_same_each_time_and_no_two_alike():
    config = tiny_runs.video_run().config
    records = warmup.make_records(config, 3)
    assert records == warmup.make_records(config, 3)
    batch = config.prediction_reader().parse(tf.constant(records))
    assert len(np.unique(batch["features"], axis=0)) == 3


@pytest.mark.slow
def test_records_of_float_frames():
    config = tiny_runs.frame_run().config
    data = dataclasses.replace(config.data, float_frames=True)
    config = dataclasses.replace(config, data=data)
    records = warmup.make_records(config, 1)
    (record,) = map(tf.train.SequenceExample.FromString, records)
    lists = record.feature_lists.feature_list
    for name, size in tiny_runs.FRAME_SIZES.items():
        frames = lists[name].feature
        assert len(frames) == config.data.max_frames
        assert all(len(frame.float_list.value) == size for frame in frames)


def test_without_the_package(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "tensorflow_serving" else find(name),
    )
    assert not warmup.is_possible()
    message = (
        "expected the package tensorflow-serving-api, whose protos warm-up "
        'requests are: pip install "yt8m-compact[export]", or leave out '
        "--warmup. Received: none installed"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        warmup.write(str(tmp_path), None, {1})
    assert not list(tmp_path.iterdir())

"""Requests that TensorFlow Serving makes of itself before it serves a model."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Iterable, Iterator, Mapping
import importlib.util
import os
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact.inference import serving
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.run import config as config_lib

FOLDER = "assets.extra"
FILE_NAME = "tf_serving_warmup_requests"
_PACKAGE = "tensorflow_serving"


def is_possible() -> bool:
    """Whether the package is installed that has the protos of requests."""
    return importlib.util.find_spec(_PACKAGE) is not None


def expect_possible() -> None:
    """Refuses to go on without the package that has the protos of requests.

    Raises:
        ValueError: if it is missing; it says what to install.
    """
    if not is_possible():
        raise ValueError(
            "expected the package tensorflow-serving-api, whose protos warm-up "
            'requests are: pip install "yt8m-compact[export]", or leave out '
            "--warmup. Received: none installed"
        )


def write(
    folder: str, module: serving.ServingModule, batch_sizes: Iterable[int]
) -> None:
    """Writes a request of each signature and size.

    Args:
        folder: the SavedModel.
        module: what it was saved of.
        batch_sizes: numbers of videos of a request.

    Raises:
        ValueError: if tensorflow-serving-api is missing.
        OSError: if it can't be written.
    """
    expect_possible()
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_log_pb2

    path = os.path.join(folder, FOLDER)
    tf.io.gfile.makedirs(path)
    with tf.io.TFRecordWriter(os.path.join(path, FILE_NAME)) as writer:
        for name, inputs in requests(module, batch_sizes):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = models.model_name(module.config.model)
            request.model_spec.signature_name = name
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def requests(
    module: serving.ServingModule, batch_sizes: Iterable[int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Makes a request of each signature and size, of values drawn at random.

    Args:
        module: what is served.
        batch_sizes: numbers of videos of a request.

    Yields:
        The name of the signature, and its inputs by name.
    """
    config = module.config
    num_frames = config.data.max_frames
    for size in sorted({*batch_sizes}):
        for name, function in module.functions.items():
            specs = {spec.name: spec for spec in function.input_signature}
            if "examples" in specs:
                yield name, {"examples": make_records(config, size)}
                continue
            fixed = {
                key: tf.TensorSpec(
                    [size, *(d or num_frames for d in spec.shape[1:])],
                    spec.dtype,
                )
                for key, spec in specs.items()
            }
            yield name, portable_function.draw_inputs(fixed, size)


def make_records(config: config_lib.Config, count: int) -> list[bytes]:
    """Makes records such as a model is served, of values drawn at random.

    Args:
        config: the configuration of its run.
        count: how many.

    Returns:
        Serialized records, of `max_frames` frames each where they have frames.
    """
    rng = np.random.default_rng(0)
    return [
        _make_record(config.data, f"warmup{number}", rng)
        for number in range(count)
    ]


def _make_record(
    data: config_lib.DataConfig, name: str, rng: np.random.Generator
) -> bytes:
    context = {"id": _bytes(name.encode())}
    features = zip(data.feature_names, data.feature_sizes, strict=True)
    if not data.frame_features:
        for key, size in features:
            context[key] = _floats(rng.standard_normal(size))
        record = tf.train.Example(features=_features(context))
        return record.SerializeToString(deterministic=True)
    lists = {}
    for key, size in features:
        codes = rng.integers(0, 256, (data.max_frames, size), np.uint8)
        frames = [
            _floats(row / 64 - 2)
            if data.float_frames
            else _bytes(row.tobytes())
            for row in codes
        ]
        lists[key] = tf.train.FeatureList(feature=frames)
    record = tf.train.SequenceExample(
        context=_features(context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )
    return record.SerializeToString(deterministic=True)


def _features(values: Mapping[str, tf.train.Feature]) -> tf.train.Features:
    return tf.train.Features(feature=values)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _floats(values: np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))

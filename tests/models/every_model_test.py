"""Every model on real data: train a step, save, load and export.

That every kind fits each place of each model is tested in the files of the
models, without training; compact ones are trained in every_run_test.
YT8M_EVERY_KIND=true trains each model in every kind here, which takes an hour.
"""

import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import small_models
import tiny_runs
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

NUM_VIDEOS = 12

# What differs on AudioSet, so that more is seen of a model.
ON_AUDIOSET = {
    "NetVladModel": {"vlagd": True, "gating_remove_diag": True},
    # Else the step leaves none of the five hidden units above 0.
    "SoftDbofModel": {"batch_norm_momentum": 0.5},
    "PooledEmbeddingModel": {"embeddings": ("netfv", "moments", "netvlad")},
}
EVERY_KIND = os.environ.get("YT8M_EVERY_KIND") == "true"
FRAME_LEVEL = [
    name for name, config in models.MODELS.items() if config.frame_features
]
VIDEO_LEVEL = [name for name in models.MODELS if name not in FRAME_LEVEL]


def check_run(config: config_lib.Config, folder: pathlib.Path) -> None:
    """Trains a step, and compares what was saved, loaded and exported."""
    path = str(folder / "run")
    assert training.train(config, path).step == 1
    run = train_dir_lib.TrainDir(path)
    config, model, step = run.restore_model()
    assert step == 1
    tiny_runs.assert_every_weight_moved(run, model)
    files = sorted(tf.io.gfile.glob(config.training.train_data_pattern))
    dataset = tf.data.TFRecordDataset(files).take(NUM_VIDEOS)
    records = tf.constant([record.numpy() for record in dataset])
    batch = config.reader(training=False).parse(records)
    inputs = {name: batch[name] for name in model.input}
    expected = model(inputs, training=False)
    assert np.isfinite(expected).all()
    assert np.std(expected, axis=0).max() > 1e-6
    exported = os.path.join(folder, "exported")
    serving.save(serving.ServingModule(config, model, top_k=3), exported)
    served = tf.saved_model.load(exported).signatures["all_scores"]
    np.testing.assert_allclose(
        served(examples=records)["predictions"], expected, rtol=1e-4, atol=1e-6
    )


SETTINGS = {
    "max_steps": 1,
    "batch_size": NUM_VIDEOS,
    "classifier_bias": "zeros",
}


def write_first(source: pathlib.Path, path: pathlib.Path) -> str:
    """Copies the first records of a file, as many as a step takes."""
    first = tf.data.TFRecordDataset(str(source)).take(NUM_VIDEOS)
    return record_makers.write_tfrecord(path, [r.numpy() for r in first])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    small_models.KINDS if EVERY_KIND else ["dense", "diagonal_circulant"],
)
@pytest.mark.parametrize("name", VIDEO_LEVEL)
def test_on_video_level_youtube8m(name, kind, tmp_path, shared_data):
    pattern = write_first(
        shared_data / "yt8m_2018_video" / "validate0000.tfrecord",
        tmp_path / "videos.tfrecord",
    )
    model = small_models.make_model(
        name, (kind,) * len(small_models.places(name))
    )
    config = tiny_runs.video_config(pattern, model, **SETTINGS)
    data = config_lib.DataConfig(
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=(1024, 128),
        num_classes=3862,
    )
    check_run(dataclasses.replace(config, data=data), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", small_models.KINDS if EVERY_KIND else ["dense"]
)
@pytest.mark.parametrize("name", FRAME_LEVEL)
def test_on_audioset(name, kind, tmp_path, shared_data):
    pattern = write_first(
        shared_data / "audioset" / "bal_train.tfrecord",
        tmp_path / "audioset.tfrecord",
    )
    kinds = (kind,) * len(small_models.places(name))
    model = small_models.make_model(name, kinds, **ON_AUDIOSET.get(name, {}))
    config = tiny_runs.frame_config(pattern, model, **SETTINGS)
    data = config_lib.DataConfig(
        feature_names=("audio_embedding",),
        feature_sizes=(128,),
        frame_features=True,
        num_classes=527,
        max_frames=10,
    )
    check_run(dataclasses.replace(config, data=data), tmp_path)

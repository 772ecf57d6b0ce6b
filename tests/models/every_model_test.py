"""Every model: train a step, save, load and export, dense and compact.

That every kind fits each place of each model is tested in the files of the
models, without training. YT8M_EVERY_KIND=true trains each model in every kind
on all data here, which takes an hour.
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
# Two whole NeXtVLADs, all of whose projections are traced.
SLOW = {"MixNeXtVladModel"}
FRAME_LEVEL = [
    name for name, config in models.MODELS.items() if config.frame_features
]
VIDEO_LEVEL = [name for name in models.MODELS if name not in FRAME_LEVEL]


def compact_runs() -> list:
    """Pairs models with compact kinds for their places, other ones each."""
    kinds = [kind for kind in small_models.KINDS if kind != "dense"]
    found = []
    for start, name in enumerate(models.MODELS):
        chosen = tuple(
            kinds[(start + place) % len(kinds)]
            for place in range(len(small_models.places(name)))
        )
        marks = [pytest.mark.slow] if name in SLOW else []
        found.append(
            pytest.param(
                name, chosen, id="-".join([name, *chosen]), marks=marks
            )
        )
    if EVERY_KIND:
        found += [
            pytest.param(
                name,
                (kind,) * len(small_models.places(name)),
                id=f"{name}-{kind}",
            )
            for name in models.MODELS
            for kind in kinds
        ]
    return found


def check_run(config: config_lib.Config, folder: pathlib.Path) -> None:
    """Trains a step, and compares what was saved, loaded and exported."""
    path = str(folder / "run")
    assert training.train(config, path).step == 1
    run = train_dir_lib.TrainDir(path)
    config, model, step = run.restore_model()
    assert step == 1
    check_every_weight_moved(path, [w.path for w in model.trainable_weights])
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
    served = tf.saved_model.load(exported).signatures["serving_default"]
    np.testing.assert_allclose(
        served(examples=records)["predictions"], expected, rtol=1e-4, atol=1e-6
    )


def check_every_weight_moved(path: str, names: list[str]) -> None:
    """Compares the checkpoints of before and after the step."""
    before, after = (tiny_runs.weights_of(path, step) for step in (0, 1))
    for name in names:
        assert np.any(before[name] != after[name]), name


SETTINGS = {
    "max_steps": 1,
    "batch_size": NUM_VIDEOS,
    "classifier_bias": "zeros",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kinds"), compact_runs())
def test_compact_on_generated_records(name, kinds, tmp_path):
    model = small_models.make_model(name, kinds)
    write, make = tiny_runs.write_videos, tiny_runs.video_config
    if model.frame_features:
        write, make = tiny_runs.write_frames, tiny_runs.frame_config
    pattern = write(tmp_path / "data", NUM_VIDEOS)
    check_run(make(pattern, model, **SETTINGS), tmp_path)


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

"""Every model with batch normalisation predicts well from its first steps on.

By the statistics that are stored beside the weights as well as by exact ones:
those of a pass over the data with the weights as they are. So does the moving
average of its weights, by the moving average of its statistics.
"""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import small_models
import tiny_runs
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import model as model_lib
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import step as step_lib

NUM_VIDEOS, NUM_CLASSES, MAX_FRAMES = 1024, 12, 6
SIZES = (24, 8)
BATCH_SIZE = 64
STEPS = (20, 60)
# The models with batch normalisation: small, but large enough to learn
# something.
LARGER = {
    "MlpModel": {"mlp_hidden_size": 32},
    "DbofModel": {"dbof_cluster_size": 64, "dbof_hidden_size": 32},
    "SoftDbofModel": {"dbof_cluster_size": 64, "dbof_hidden_size": 32},
    "GatedDbofModel": {"dbof_cluster_size": 64, "dbof_hidden_size": 32},
    "NetVladModel": {"netvlad_hidden_size": 32},
    "NetFvModel": {"fv_hidden_size": 32},
    "NeXtVladModel": {"nextvlad_hidden_size": 32},
    "MixNeXtVladModel": {"nextvlad_hidden_size": 32},
    "AttentionModel": {"attention_hidden_size": 32},
    "PooledEmbeddingModel": {"dbof_clusters": 64, "fc_size": 32},
}


def is_batch_norm(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def make_config(name: str) -> config_lib.Config:
    kinds = ("dense",) * len(small_models.places(name))
    model = small_models.make_model(name, kinds, **LARGER.get(name, {}))
    make = tiny_runs.video_config
    if model.frame_features:
        make = tiny_runs.frame_config
    config = make("unused", model, base_learning_rate=0.003, ema_momentum=0.999)
    data = dataclasses.replace(
        config.data, feature_sizes=SIZES, num_classes=NUM_CLASSES
    )
    return dataclasses.replace(config, data=data)


def batch_norms(name: str) -> list[keras.Layer]:
    return [*filter(is_batch_norm, make_config(name).build_model().layers)]


@functools.cache
def make_data(frame_features: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Makes videos that show their labels, and are far from 0 on average."""
    rng = np.random.default_rng(0)
    labels = 1.0 * (rng.random((NUM_VIDEOS, NUM_CLASSES)) < 0.2)
    shown = labels @ rng.standard_normal((NUM_CLASSES, sum(SIZES)))
    features = 0.5 * shown + rng.uniform(-0.5, 1.0, sum(SIZES))
    if not frame_features:
        return {"features": features.astype(np.float32)}, labels
    noise = rng.standard_normal((NUM_VIDEOS, MAX_FRAMES, sum(SIZES)))
    frames = features[:, np.newaxis] + noise
    frames = np.clip((frames + 2) * 255 / 4, 0, 255).astype(np.uint8)
    num_frames = rng.integers(2, MAX_FRAMES + 1, NUM_VIDEOS, np.int32)
    return {"frames": frames, "num_frames": num_frames}, labels


def set_exact_statistics(model: keras.Model, batches) -> None:
    """Averages the moments of all batches, by the weights as they are."""
    norms = [*filter(is_batch_norm, model.layers)]
    seen = []
    for norm in norms:
        norm.momentum = 0.0  # keeps nothing but the last moments
    for inputs, _ in batches:
        model(inputs, training=True)
        seen.append(
            [(n.moving_mean.numpy(), n.moving_variance.numpy()) for n in norms]
        )
    for norm, moments in zip(norms, zip(*seen, strict=True), strict=True):
        mean, variance = np.mean(moments, axis=0)
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)


def averaged_weights(model: keras.Model) -> list[np.ndarray]:
    """Returns the weights of the model that `weights=ema` predicts by."""
    averages = {
        variable.path: average
        for variable, average in model.optimizer._averaged(
            model.trainable_variables
        )
    }
    return [
        averages.get(weight.path, weight).numpy() for weight in model.weights
    ]


def score(model: keras.Model, inputs, labels) -> float:
    predictions = model(inputs, training=False)
    return float(ops.batch_gap(tf.constant(labels), predictions))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGER)
def test_stored_statistics_are_as_good_as_exact_ones(name):
    keras.utils.set_random_seed(0)
    config = make_config(name)
    inputs, labels = make_data(config.model.frame_features)
    train = slice(NUM_VIDEOS // 2)
    rest = slice(NUM_VIDEOS // 2, None)
    dataset = tf.data.Dataset.from_tensor_slices(
        ({key: value[train] for key, value in inputs.items()}, labels[train])
    ).batch(BATCH_SIZE)
    iterator = iter(
        dataset.repeat().map(lambda x, y: ((x, y), tf.constant(0, tf.int64)))
    )
    held_out = {key: value[rest] for key, value in inputs.items()}
    model, exact = model_lib.make_model(config), config.build_model()
    step = step_lib.TrainingStep(model, position_lib.Position())
    done = 0
    for number in STEPS:
        done += step.run(iterator, number - done)
        assert done == number
        of_step = model.get_weights()
        average = averaged_weights(model)
        assert any(map(np.any, map(np.subtract, of_step, average)))
        for weights in (of_step, average):
            exact.set_weights(weights)
            stored = score(exact, held_out, labels[rest])
            set_exact_statistics(exact, dataset)
            wanted = score(exact, held_out, labels[rest])
            assert stored > wanted - 0.02


@pytest.mark.parametrize("name", models.MODELS)
def test_all_of_them_are_ours(name):
    assert bool(batch_norms(name)) == (name in LARGER)
    for norm in batch_norms(name):
        assert isinstance(norm, layers.BatchNormalization)

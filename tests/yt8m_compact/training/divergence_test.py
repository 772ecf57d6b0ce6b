"""Tests of what a run that diverges says of where it began."""

import logging

import keras
import numpy as np
import pytest

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import training
from yt8m_compact.training import divergence

BAD = 13  # of 40 videos
HUGE = 3e38  # A sum of two of them is infinite.


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """40 videos, of which one has features too large to be added up."""
    folder = tmp_path_factory.mktemp("videos")
    records = [
        record_makers.make_video_example(
            index,
            num_classes=tiny_runs.NUM_CLASSES,
            features={"mean_rgb": [HUGE] * 6} if index == BAD else None,
        )
        for index in range(40)
    ]
    for number in range(3):
        path = folder / f"train{number}.tfrecord"
        record_makers.write_tfrecord(path, records[number::3])
    return f"{folder}/train*.tfrecord"


def step_of_the_bad_video(config):
    """Returns the step, from 1, whose batch has the video."""
    dataset = training.trainer.readers.make_dataset(
        config.reader(training=True),
        training.trainer.readers.expand_patterns(
            config.training.train_data_pattern
        ),
        batch_size=config.training.batch_size,
        shuffle_buffer=config.training.shuffle_buffer,
        num_readers=config.training.num_readers,
    )
    for step, batch in enumerate(dataset.as_numpy_iterator(), start=1):
        if record_makers.video_id(BAD) in batch["id"]:
            return step
    raise AssertionError(config)


# From the start, and from a checkpoint in the middle.
@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_steps", [1000, 1])
def test_the_layer_and_the_video_are_named(tmp_path, videos, checkpoint_steps):
    config = tiny_runs.video_config(
        videos,
        models.MoeConfig(l2_normalize=False),
        log_steps=1000,
        checkpoint_steps=checkpoint_steps,
    )
    step = step_of_the_bad_video(config)
    with pytest.raises(
        ValueError,
        match=(
            r"^expected finite losses and weights\. Received: \S+ at step \d+; "
            rf"not finite first at step {step}: the output of the layer "
            r"gates for the video v00013\. Lower base_learning_rate and "
            r"start again \(the last checkpoint, of step \d+, was kept\)$"
        ),
    ):
        training.train(config, str(tmp_path))


@pytest.mark.slow
def test_what_can_not_be_found_is_left_out(tmp_path, monkeypatch):
    """As where a processor was at fault, and the steps are right now."""
    pattern = tiny_runs.write_videos(tmp_path / "data")
    logs = training.step.TrainingStep.logs
    calls = []

    def fail_once(step):
        calls.append(step)
        values = logs(step)
        return {**values, "loss": np.nan} if len(calls) == 3 else values

    monkeypatch.setattr(training.step.TrainingStep, "logs", fail_once)
    with pytest.raises(
        ValueError, match=r"Received: loss=nan at step \d\. Lower base_learning"
    ):
        training.train(tiny_runs.video_config(pattern), str(tmp_path / "run"))


@pytest.mark.slow
def test_a_signal_leaves_it_out(tmp_path, videos, monkeypatch, caplog):
    caplog.set_level(logging.WARNING, "yt8m_compact")
    find = training.trainer.Trainer._find_cause

    def stop_and_find(trainer):
        trainer._stop.signal_number = 2
        return find(trainer)

    monkeypatch.setattr(training.trainer.Trainer, "_find_cause", stop_and_find)
    with pytest.raises(ValueError, match=r"at step \d\. Lower base_learning"):
        config = tiny_runs.video_config(
            videos, models.MoeConfig(l2_normalize=False)
        )
        training.train(config, str(tmp_path))


class Double(keras.layers.Layer):
    """Doubles, which is too much for 2e38."""

    def call(self, inputs):
        return inputs * 2.0


class Root(keras.layers.Layer):
    """A root, whose gradient at 0 is infinite."""

    def call(self, inputs):
        return keras.ops.sqrt(keras.ops.abs(inputs))


def make_model(*layers):
    inputs = keras.Input([2], name="features")
    x = inputs
    for layer in layers:
        x = layer(x)
    model = keras.Model({"features": inputs}, x)
    model.compile(loss=models.LabelLoss(ops.cross_entropy_loss))
    return model


def make_batch(features, labels=None):
    features = np.array(features, np.float32)
    if labels is None:
        labels = np.eye(len(features), 2)
    return {
        key: keras.ops.convert_to_tensor(value)
        for key, value in {
            "features": features,
            "labels": np.array(labels, np.float32),
            "records_read": np.int64(3),
        }.items()
    } | {"id": np_strings([f"v{i}" for i in range(len(features))])}


def np_strings(values):
    return training.step.tf.constant(values)


def classifier(**kwargs):
    return keras.layers.Dense(
        2, activation="sigmoid", name="classifier", **kwargs
    )


@pytest.mark.parametrize(
    ("layers", "features", "expected"),
    [
        # 2 * 2e38 is beyond float32.
        (
            [Double(name="double")],
            [[1, 2], [2e38, 1], [1, -2e38]],
            "the output of the layer double for the videos v1, v2",
        ),
        ([], [[1, 2], [np.nan, 1], [1, 1]], "features for the video v1"),
        # d sqrt(x) / dx = 1 / (2 sqrt(x)), and sqrt(0) is right.
        (
            [Double(name="double"), Root(name="root")],
            [[1, 2], [1, 1], [0, 3]],
            "the gradient at the output of the layer double for the video v2",
        ),
        (
            [],
            [[1, 2], [1, 1], [0, 3]],
            "no value of the step itself: its update of the weights",
        ),
    ],
)
def test_first_value(layers, features, expected):
    model = make_model(*layers, classifier())
    batch = make_batch(features)
    found = divergence.find_cause(model, batch, ops.cross_entropy_loss)
    assert found == expected


def test_weights_come_first():
    model = make_model(classifier(bias_initializer=make_nan))
    batch = make_batch([[1, 2], [1, 1]])
    found = divergence.find_cause(model, batch, ops.cross_entropy_loss)
    assert found == "the weights classifier/bias before the step"


def make_nan(shape, dtype=None):
    return keras.ops.full(shape, np.nan, dtype)


def test_many_videos_and_all():
    model = make_model(Double(name="double"), classifier())
    features = np.full([9, 2], 3e38)
    features[4] = 1
    labels = np.eye(2)[np.arange(9) % 2]
    batch = make_batch(features, labels)
    assert divergence.find_cause(model, batch, ops.cross_entropy_loss) == (
        "the output of the layer double for the videos v0, v1, v2, v3, v5 and "
        "3 more"
    )
    batch = make_batch(np.full([9, 2], 3e38), labels)
    assert divergence.find_cause(model, batch, ops.cross_entropy_loss) == (
        "the output of the layer double for all 9 videos of the batch"
    )


def test_penalty_of_the_weights():
    model = make_model(
        classifier(kernel_regularizer=lambda kernel: keras.ops.sum(kernel) / 0)
    )
    batch = make_batch([[1, 2], [1, 1]])
    assert divergence.find_cause(model, batch, ops.cross_entropy_loss) == (
        "the loss of the weights (l2_penalty)"
    )

"""Tests of training by a call."""

import dataclasses
import doctest
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
import yt8m_compact as yt8m
from yt8m_compact import models
from yt8m_compact.api import fitting
from yt8m_compact.run import config as config_lib

_RNG = np.random.default_rng(0)
_FEATURES = _RNG.normal(size=[40, 5]).astype(np.float32)
_LABELS = (_RNG.random([40, 4]) < 0.3).astype(int)
_LABELS[:, 3] = 0
_LABELS[::7, 3] = 1


def _training(**kwargs) -> config_lib.TrainingConfig:
    settings = tiny_runs.video_config("").training
    settings = dataclasses.replace(settings, train_data_pattern="")
    return dataclasses.replace(settings, **{"num_epochs": 1, **kwargs})


def _make_example(video: int, labels: list[int]) -> bytes:
    context = {
        "id": record_makers.bytes_feature(str(video).encode()),
        "labels": record_makers.int64_feature(labels),
        "features": record_makers.float_feature(_FEATURES[video]),
    }
    features = tf.train.Features(feature=context)
    return tf.train.Example(features=features).SerializeToString()


@pytest.mark.slow
def test_example():
    assert doctest.testmod(fitting) == (0, 9)


@pytest.mark.slow
def test_arrays_are_trained_on_as_records_are(tmp_path):
    model = models.MoeConfig(classifier_projection="circulant")
    lists = [np.flatnonzero(row).tolist() for row in _LABELS]
    found = yt8m.fit(
        model, _FEATURES, lists, training=_training(num_epochs=2), num_classes=4
    )
    # The same videos in files of the same names, of the same sizes.
    for file in range(8):
        records = [
            _make_example(video, lists[video]) for video in range(file, 40, 8)
        ]
        record_makers.write_tfrecord(tmp_path / f"x{file}.tfrecord", records)
    config = config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("features",), feature_sizes=(5,), num_classes=4
        ),
        model=model,
        training=_training(
            num_epochs=2, train_data_pattern=str(tmp_path / "x*.tfrecord")
        ),
    )
    yt8m.training.train(config, str(tmp_path / "run"))
    expected = tiny_runs.weights_of(str(tmp_path / "run"))
    weights = {weight.path: weight.numpy() for weight in found.model.weights}
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert found.step == 10
    assert found.train_dir is None
    assert not os.path.exists(found.config.training.train_data_pattern[:-10])
    # Of files, features and sizes are as they show.
    files = [tmp_path / f"x{file}.tfrecord" for file in range(8)]
    again = yt8m.fit(
        model,
        [str(file) for file in files],
        training=_training(num_epochs=2),
        num_classes=4,
    )
    assert again.config.data == config.data
    np.testing.assert_array_equal(
        again.predict_scores(_FEATURES), found.predict_scores(_FEATURES)
    )


@pytest.mark.slow
def test_biases_start_at_the_log_odds_and_a_run_goes_on(tmp_path):
    run = yt8m.fit(
        "LogisticModel",
        {"a": _FEATURES[:, :2], "b": _FEATURES[:, 2:]},
        _LABELS,
        training=_training(max_steps=1, base_learning_rate=1e-9),
        train_dir=tmp_path / "run",
    )
    assert run.config.data.feature_names == ("a", "b")
    # sigmoid(bias) = (n_c + 1/2) / (n + 1); what is 0 is not scaled.
    scores = run.predict_scores(np.zeros([1, 5]))[0]
    expected = (_LABELS.sum(axis=0) + 0.5) / 41
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    # The same folder: continued. As a model: a new run from its weights.
    same = yt8m.fit(
        run.config,
        _FEATURES,
        _LABELS,
        training=_training(max_steps=3, base_learning_rate=1e-9),
        train_dir=str(tmp_path / "run"),
    )
    assert (same.step, same.train_dir) == (3, str(tmp_path / "run"))
    opened = yt8m.load_run(tmp_path / "run")
    np.testing.assert_array_equal(
        opened.predict_scores(_FEATURES), same.predict_scores(_FEATURES)
    )
    for weight in run.model.weights:
        weight.assign(weight + 0.25)
    new = yt8m.fit(
        run,
        _FEATURES,
        _LABELS,
        training=None,
        validation_data=(_FEATURES[:9], _LABELS[:9]),
    )
    assert new.step == 1
    np.testing.assert_allclose(
        new.predict_scores(_FEATURES), run.predict_scores(_FEATURES), rtol=1e-5
    )
    found = new.history.validation["gap"]
    expected = yt8m.metrics(_LABELS[:9], run.predict_scores(_FEATURES[:9]))
    assert found == ((1, pytest.approx(expected["gap"], abs=1e-6)),)


@pytest.mark.slow
def test_frames_and_the_best_of_the_evaluations():
    codes = [
        _RNG.integers(256, size=[n % 4 + 1, 5], dtype=np.uint8)
        for n in range(40)
    ]
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["val_gap"])

    run = yt8m.fit(
        models.FrameLevelLogisticConfig(),
        codes,
        _LABELS,
        validation_data=(codes[:12], _LABELS[:12]),
        training=_training(num_epochs=3, base_learning_rate=0.1),
        callbacks=[lambda config: Watch()],
        class_names=["a", "b", "c", "d"],
    )
    assert run.config.data == config_lib.DataConfig(
        feature_names=("frames",),
        feature_sizes=(5,),
        frame_features=True,
        num_classes=4,
    )
    assert run.class_names == ("a", "b", "c", "d")
    steps, values = zip(*run.history.validation["gap"], strict=True)
    assert [*values] == seen
    assert run.step == steps[int(np.argmax(values))]
    report = run.evaluate(codes[:12], _LABELS[:12])
    assert report.metrics["gap"] == pytest.approx(max(values), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "Moe"}, "expected a model, one of LogisticModel"),
        ({"model": "MoeModle"}, "'MoeModle'; did you mean MoeModel\\?$"),
        ({"model": 3}, "a TrainedModel. Received: model of the type int$"),
        (
            {"model": keras.Sequential([])},
            "the type Sequential; a Keras model has a fit of its own, see docs",
        ),
        ({"y": None}, "expected labels of x, which is given as arrays. Rece"),
        ({"y": _LABELS[:3]}, "expected labels of x of 40 videos"),
        ({"y": _LABELS * 0}, "at least one label of x. Received: none of 40"),
        ({"x": "a"}, "expected no labels with x of files"),
        ({"x": _FEATURES * np.nan}, "expected finite x"),
        ({"num_classes": 5}, r"expected labels of x .* \[videos, 5\]"),
        ({"x": "missing*", "y": None}, "no file matches the pattern 'missing"),
        (
            {"validation_data": _FEATURES},
            r"expected validation_data to be \(x, y\), or files.*: ndarray",
        ),
        (
            {"validation_data": (_FEATURES[:2], [[4], [0]])},
            r"classes from 0 to 3 in labels of validation_data\[0\]",
        ),
        (
            {
                "data": config_lib.DataConfig(feature_sizes=(5,)),
                "num_classes": 4,
            },
            "data's configuration, 3862, or none. Received: num_classes=4",
        ),
        (
            {
                "data": config_lib.DataConfig(
                    frame_features=True, segment_labels=True
                ),
            },
            "expected files of records to train on rated segments",
        ),
        (
            {"training": _training(early_stopping="gap")},
            "expected eval_data_pattern with early_stopping",
        ),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    given = {"model": "MoeModel", "x": _FEATURES, "y": _LABELS, **arguments}
    with pytest.raises(ValueError, match=message):
        yt8m.fit(**given)


def test_an_interrupt_is_passed_on(tmp_path, monkeypatch):
    def train(config, train_dir, **kwargs):
        assert os.path.basename(train_dir) == "run"
        return yt8m.training.TrainingResult(3, 0, "", signal_number=2)

    monkeypatch.setattr(yt8m.training, "train", train)
    # It has saved a checkpoint: the same call goes on from there.
    with pytest.raises(KeyboardInterrupt, match="step 3 is saved in .*run"):
        yt8m.fit("MoeModel", _FEATURES, _LABELS, train_dir=tmp_path / "run")


@pytest.mark.slow
def test_the_moving_average_that_was_best(tmp_path):
    run = yt8m.fit(
        models.LogisticConfig(),
        _FEATURES,
        _LABELS,
        validation_data=(_FEATURES[:12], _LABELS[:12]),
        training=_training(
            ema_momentum=0.9, eval_weights="ema", base_learning_rate=0.1
        ),
        train_dir=tmp_path / "run",
    )
    ((_, loss),) = run.history.validation["loss"]
    report = run.evaluate(_FEATURES[:12], _LABELS[:12])
    assert report.metrics["loss"] == pytest.approx(loss, abs=1e-6)
    raw = yt8m.load_run(tmp_path / "run")
    report = raw.evaluate(_FEATURES[:12], _LABELS[:12])
    assert abs(report.metrics["loss"] - loss) > 1e-3


@pytest.mark.slow
def test_what_stopped_early_is_trained_on_without_validation():
    data = (_FEATURES[:12], _LABELS[:12])
    run = yt8m.fit(
        models.LogisticConfig(),
        _FEATURES,
        _LABELS,
        validation_data=data,
        training=_training(early_stopping="gap", patience=1, eval_steps=2),
    )
    again = yt8m.fit(run, _FEATURES, _LABELS)
    assert again.config.training.early_stopping == "none"
    assert again.history.validation == {}


@pytest.mark.slow
def test_files_without_records(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [b"no record"])
    with pytest.raises(yt8m.readers.DataError, match="expected records. Recei"):
        yt8m.fit("MoeModel", path)

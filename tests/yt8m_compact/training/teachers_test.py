"""Tests of learning from teachers."""

import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice
from yt8m_compact.training import class_priors
from yt8m_compact.training import teachers as teachers_lib

NUM_CLASSES = tiny_runs.NUM_CLASSES
STRATEGY = tf.distribute.get_strategy()


@pytest.fixture(scope="module")
def video_scores(tmp_path_factory) -> str:
    """All scores of the videos that `tiny_runs.video_run` was trained on."""
    run = tiny_runs.video_run()
    return write_scores(run, run.pattern, tmp_path_factory.mktemp("scores"))


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> str:
    _, model, _ = train_dir_lib.TrainDir(
        tiny_runs.video_run().path
    ).restore_model()
    path = str(tmp_path_factory.mktemp("saved") / "model")
    config = tiny_runs.video_run().config
    serving.save(serving.ServingModule(config, model, top_k=2), path)
    return path


def write_scores(run, pattern, folder, top_k=NUM_CLASSES, name="scores"):
    path = os.path.join(folder, name)
    predictor = predictors.predictor_from_train_dir(run.path)
    predictors.write_scores(predictor, pattern, path, top_k=top_k)
    return path


def load(config, train_dir="none", **settings):
    config = tiny_runs.change_training(config, **settings)
    return teachers_lib.load_teachers(config, train_dir, STRATEGY)


def soft_labels(teachers, run, pattern):
    """Returns what teachers make of data; the labels, and predictions."""
    batch = tiny_runs.features_of(run, pattern)
    dataset = tf.data.Dataset.from_tensors(batch).map(teachers.add_scores)
    (batch,) = dataset
    inputs, targets = teachers.targets(batch, batch["labels"])
    assert set(inputs) <= set(teachers_lib.MODEL_INPUTS)
    predictions = tiny_runs.predictions_of(run, pattern)
    return targets.numpy(), batch["labels"].numpy(), predictions


def test_no_teacher():
    assert load(tiny_runs.video_run().config) is None


@pytest.mark.slow
def test_run_saved_model_and_scores_say_the_same(video_scores, saved_model):
    run = tiny_runs.video_run()
    for teacher in (run.path, saved_model, video_scores):
        teachers = load(run.config, teacher=teacher, teacher_weight=0.25)
        found, labels, predictions = soft_labels(teachers, run, run.pattern)
        # Half floats have 11 digits of 2.
        np.testing.assert_allclose(
            found, 0.25 * predictions + 0.75 * labels, rtol=2**-11, atol=1e-7
        )


@pytest.mark.slow
def test_frames_of_the_student():
    """A teacher sees as many frames as the student, and they are sampled."""
    run = tiny_runs.frame_run()
    teachers = load(run.config, teacher=run.path, teacher_weight=1.0)
    found, _, predictions = soft_labels(teachers, run, run.pattern)
    np.testing.assert_allclose(found, predictions, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_mean_of_several_is_softened(tmp_path, video_scores):
    run = tiny_runs.video_run()
    pattern = tiny_runs.write_videos(tmp_path / "data")  # those of the run
    best = write_scores(run, pattern, tmp_path, top_k=2)
    teachers = load(
        run.config,
        teacher=f"{video_scores},{best}, {run.path}",
        teacher_weight=1.0,
        teacher_temperature=2.0,
    )
    found, _, predictions = soft_labels(teachers, run, pattern)
    ranks = (-predictions).argsort(axis=1).argsort(axis=1)
    mean = (2 * predictions + np.where(ranks < 2, predictions, 0)) / 3
    # log-odds halved: the root of the odds
    odds = np.sqrt(mean / (1 - mean))
    np.testing.assert_allclose(found, odds / (1 + odds), rtol=2e-3)


@pytest.mark.slow
def test_training_on_scores_is_training_beside_the_model(
    tmp_path, video_scores
):
    """Half floats apart; and other weights than without."""
    run = tiny_runs.video_run()
    weights = {}
    for name, settings in {
        "run": {"teacher": run.path},
        "scores": {"teacher": video_scores},
        "labels": {},
    }.items():
        path = str(tmp_path / name)
        config = tiny_runs.change_training(
            tiny_runs.video_config(run.pattern, base_learning_rate=0.1),
            **settings,
        )
        training.train(config, path)
        weights[name] = tiny_runs.weights_of(path)
    for name, value in weights["run"].items():
        np.testing.assert_allclose(
            weights["scores"][name], value, rtol=1e-2, atol=2e-3
        )
        assert np.abs(weights["labels"][name] - value).max() > 0.05
    text = (tmp_path / "run" / "config.json").read_text()
    assert f'"teacher": "{run.path}"' in text


@pytest.mark.slow
def test_first_step_by_numpy(tmp_path, video_scores):
    """The gradient of the loss of mixed labels, by SGD from known weights."""
    run = tiny_runs.video_run()
    config = tiny_runs.video_config(
        run.pattern,
        models.LogisticConfig(l2_penalty=0.0),
        optimizer="GradientDescentOptimizer",
        clip_gradient_norm=0.0,
        classifier_bias="zeros",
        batch_size=40,
        max_steps=1,
        teacher=video_scores,
        teacher_weight=0.3,
        base_learning_rate=0.5,
    )
    training.train(config, str(tmp_path))
    before, after = (tiny_runs.weights_of(str(tmp_path), s) for s in (0, 1))
    batch = tiny_runs.features_of(run, run.pattern)
    targets = 0.7 * batch["labels"] + 0.3 * tiny_runs.predictions_of(
        run, run.pattern
    )
    x = batch["features"]
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    (kernel,) = (n for n, v in before.items() if v.ndim == 2)
    (bias,) = (n for n, v in before.items() if v.ndim == 1)
    p = 1 / (1 + np.exp(-(x @ before[kernel] + before[bias])))
    # -t / (p + e) + (1 - t) / (1 - p + e), times p (1 - p)
    slope = (1 - targets) / (1 - p + 1e-5) - targets / (p + 1e-5)
    slope *= p * (1 - p) / len(x)
    for name, gradient in [(kernel, x.T @ slope), (bias, slope.sum(axis=0))]:
        np.testing.assert_allclose(
            after[name], before[name] - 0.5 * gradient, atol=2e-4
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["run", "scores"])
def test_continues_as_if_it_had_not_stopped(tmp_path, video_scores, kind):
    run = tiny_runs.video_run()
    teacher = {"run": run.path, "scores": video_scores}[kind]
    config = tiny_runs.video_config(
        run.pattern, teacher=teacher, teacher_temperature=1.5
    )
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    training.train(config, whole)
    training.train(tiny_runs.change_training(config, max_steps=7), parts)
    training.train(config, parts)
    tiny_runs.assert_same_weights(parts, whole)


@pytest.mark.slow
def test_under_xla(tmp_path, video_scores):
    """The student's step is compiled, and the teachers are beside it."""
    run = tiny_runs.video_run()
    for name, compiled in {"xla": True, "plain": False}.items():
        config = tiny_runs.video_config(
            run.pattern,
            teacher=f"{video_scores},{run.path}",
            optimizer="GradientDescentOptimizer",
            max_steps=2,
            jit_compile=compiled,
        )
        training.train(config, str(tmp_path / name))
    found, expected = (
        tiny_runs.weights_of(str(tmp_path / name)) for name in ("xla", "plain")
    )
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5)


@pytest.mark.slow
def test_start_of_the_student_is_that_without_a_teacher(tmp_path):
    run = tiny_runs.video_run()
    for name, settings in {"a": {"teacher": run.path}, "b": {}}.items():
        config = tiny_runs.video_config(run.pattern, max_steps=1, **settings)
        training.train(config, str(tmp_path / name))
    first, second = (
        tiny_runs.weights_of(str(tmp_path / name), 0) for name in "ab"
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["video", "frame"])
def test_videos_without_labels(tmp_path, level):
    """The test split, from a teacher alone; it starts at what that says."""
    run, write = {
        "video": (tiny_runs.video_run(), tiny_runs.write_videos),
        "frame": (tiny_runs.frame_run(), tiny_runs.write_frames),
    }[level]
    pattern = write(tmp_path / "data", 24, labels=None)
    scores = write_scores(run, pattern, tmp_path)
    config = tiny_runs.change_training(
        run.config,
        train_data_pattern=pattern,
        teacher=f"{scores},{run.path}",
        teacher_weight=1.0,
        base_learning_rate=1e-9,
    )
    result = training.train(config, str(tmp_path / "run"))
    assert result.step == 6
    teachers = load(config)
    priors = class_priors.count_class_priors(
        config.reader(training=False),
        readers.expand_patterns(pattern),
        24,
        seed=0,
        teachers=teachers,
    )
    predictions = tiny_runs.predictions_of(run, pattern)
    np.testing.assert_allclose(
        priors, (predictions.sum(axis=0) + 0.5) / 25, rtol=1e-3
    )
    if level == "video":
        first = tiny_runs.weights_of(str(tmp_path / "run"), 0)
        (bias,) = (v for n, v in first.items() if n.endswith("bias"))
        # Experts of a mixture of two start at 3/2 of the share.
        shares = np.minimum(priors * 1.5, 0.99)
        np.testing.assert_allclose(
            np.sort(np.unique(bias.round(4))),
            np.sort(np.log(shares / (1 - shares)).round(4)),
            atol=2e-3,
        )
    config = tiny_runs.change_training(config, teacher_weight=0.5)
    with pytest.raises(readers.DataError, match="expected labels, int64 val"):
        training.train(config, str(tmp_path / "other"))


@pytest.mark.slow
def test_rated_segments(tmp_path):
    """What a teacher says of classes that are not rated counts for nothing."""
    os.makedirs(tmp_path / "data")
    record_makers.write_tfrecord(
        str(tmp_path / "data" / "train0.tfrecord"),
        [
            record_makers.make_frame_example(
                index,
                8,
                num_classes=NUM_CLASSES,
                segments=[(0, index % 3, 1.0), (0, 3, 0.0)],
            )
            for index in range(8)
        ],
    )
    pattern = str(tmp_path / "data" / "*")
    base = tiny_runs.frame_config(
        pattern,
        models.FrameLevelLogisticConfig(l2_penalty=0.0),
        classifier_bias="zeros",
        num_epochs=1,
    )
    base = type(base)(
        data=type(base.data)(
            **{**vars(base.data), "segment_labels": True},
        ),
        model=base.model,
        training=base.training,
    )
    teacher = tiny_runs.frame_run().path
    config = tiny_runs.change_training(base, teacher=teacher)
    training.train(config, str(tmp_path / "run"))
    before, after = (
        tiny_runs.weights_of(str(tmp_path / "run"), s) for s in (0, 1)
    )
    (bias,) = (name for name in before if name.endswith("bias"))
    changed = np.abs(after[bias] - before[bias]) > 1e-6
    assert changed.tolist() == [True, True, True, True, False]
    # By ids of segments, which the scores of whole videos have not.
    predictor = predictors.predictor_from_train_dir(teacher, segments=True)
    path = str(tmp_path / "scores")
    predictors.write_scores(predictor, pattern, path, top_k=NUM_CLASSES)
    config = tiny_runs.change_training(base, teacher=path)
    training.train(config, str(tmp_path / "second"))
    found = tiny_runs.weights_of(str(tmp_path / "second"), 1)
    for name, value in after.items():
        np.testing.assert_allclose(found[name], value, atol=2e-3)


@pytest.mark.slow
def test_halves_of_videos_have_the_scores_of_the_video(tmp_path):
    run = tiny_runs.frame_run()
    scores = write_scores(run, run.pattern, tmp_path)
    config = tiny_runs.change_training(
        run.config, teacher=scores, split_videos=True, num_epochs=1
    )
    assert training.train(config, str(tmp_path / "run")).step == 5


@pytest.mark.slow
def test_videos_without_scores(tmp_path, video_scores):
    pattern = tiny_runs.write_videos(tmp_path / "data", 8, start=37)
    config = tiny_runs.video_config(pattern, teacher=video_scores)
    with pytest.raises(
        readers.DataError,
        match=(
            f"^{video_scores}: expected the scores of all videos to train on. "
            "Received: 5 of 8 videos have no scores, such as v0004., v0004., "
            "v0004., among 40 videos with scores. Predict all files"
        ),
    ):
        training.train(config, str(tmp_path / "run"))


@pytest.mark.slow
def test_other_number_of_classes(tmp_path, video_scores, saved_model):
    run = tiny_runs.video_run()
    config = tiny_runs.video_config(run.pattern)
    config = type(config)(
        data=type(config.data)(**{**vars(config.data), "num_classes": 6}),
        model=config.model,
        training=config.training,
    )
    for teacher in (run.path, saved_model, video_scores):
        with pytest.raises(
            ValueError,
            match=(
                f"^{teacher}: expected a teacher of the 6 classes to learn "
                r"\(num_classes\). Received: MoeModel, of 5$"
            ),
        ):
            training.train(
                tiny_runs.change_training(config, teacher=teacher),
                str(tmp_path / "run"),
            )
    assert not (tmp_path / "run").exists()


def test_other_features():
    video, frame = tiny_runs.video_run(), tiny_runs.frame_run()
    with pytest.raises(
        ValueError,
        match=(
            f"^{frame.path}: expected a teacher that looks at what is trained "
            r"on, features of videos mean_rgb \(6\), mean_audio \(3\). "
            r"Received: DbofModel, which looks at frames rgb \(6\), audio "
            r"\(3\); write its scores with yt8m-predict --format=teacher"
        ),
    ):
        load(video.config, teacher=frame.path)


@pytest.mark.slow
def test_frame_level_teacher_by_scores(tmp_path, video_scores):
    """Scores are of any model: here of one of videos, for one of frames."""
    run = tiny_runs.frame_run()
    teachers = load(run.config, teacher=video_scores)
    found, _, _ = soft_labels(teachers, run, run.pattern)
    assert found.shape == (40, NUM_CLASSES)


def test_the_run_itself():
    run = tiny_runs.video_run()
    with pytest.raises(
        ValueError,
        match=(
            "^expected a teacher other than the run that is trained. Received: "
            f"teacher={run.path}/, train_dir={run.path}"
        ),
    ):
        load(run.config, run.path, teacher=run.path + "/")


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(
        ValueError,
        match=(
            f"^{tmp_path}: expected a teacher: the folder of a run or of a "
            "SavedModel of yt8m-export, or a file of scores of yt8m-predict "
            "--format=teacher. Received: a folder without config.json and "
        ),
    ):
        load(tiny_runs.video_run().config, teacher=str(tmp_path))


def test_no_such_file(tmp_path):
    with pytest.raises(readers.DataError, match=re.escape(str(tmp_path))):
        load(tiny_runs.video_run().config, teacher=f"{tmp_path}/scores")
    with pytest.raises(readers.DataError, match="or the folder of a run or of"):
        load(tiny_runs.video_run().config, teacher=f"{tmp_path}/scores")


@pytest.mark.slow
def test_cut_scores(tmp_path, video_scores):
    path = tmp_path / "scores"
    shutil.copy(video_scores, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(readers.DataError, match=f"^{path}: .*cut|{path}: rec"):
        load(tiny_runs.video_run().config, teacher=str(path))


@pytest.mark.slow
def test_weights_of_a_run_that_were_chosen():
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(
        run.config, teacher=run.path, teacher_weight=1.0
    )
    targets = {}
    for step in (5, None):
        teachers = teachers_lib.load_teachers(
            config,
            "other",
            STRATEGY,
            {run.path: weight_choice.RunWeights(step)},
        )
        targets[step], _, newest = soft_labels(teachers, run, run.pattern)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model(5)
    batch = tiny_runs.features_of(run, run.pattern)
    expected = model({"features": batch["features"]}, training=False)
    np.testing.assert_allclose(targets[5], expected, atol=1e-5)
    np.testing.assert_allclose(targets[None], newest, atol=1e-5)
    assert np.abs(targets[5] - targets[None]).max() > 1e-3

"""Tests of models that are opened, to predict and to be evaluated."""

import csv
import doctest
import functools
import os
import re

import numpy as np
import pytest
import tensorflow as tf

import small_artefacts
import tiny_runs
import yt8m_compact as yt8m
from yt8m_compact.api import opening
from yt8m_compact.inference import predictors
from yt8m_compact.run import packed_model
from yt8m_compact.run import train_dir as train_dir_lib


@functools.cache
def _packed() -> str:
    """The folder of a small packed model."""
    run = tiny_runs.video_run()
    config, model, step = train_dir_lib.TrainDir(run.path).restore_model()
    path = str(tiny_runs.make_folder() / "packed")
    packed_model.save(path, config, model, step)
    return path


@functools.cache
def _open(level: str) -> yt8m.api.TrainedModel:
    return yt8m.load_run(_run(level).path)


def _run(level: str) -> tiny_runs.Run:
    return {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}[level]()


@pytest.mark.slow
def test_examples(tmp_path, monkeypatch):
    run = tiny_runs.video_run()
    features = tiny_runs.features_of(run, run.pattern)["features"]
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(
        opening,
        extraglobs={
            "train_dir": run.path,
            "data_pattern": run.pattern,
            "features": features,
            "model_file": _packed(),
        },
    )
    assert found == (0, 16)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_file_is_no_run(tmp_path):
    path = tmp_path / "predictions.jsonl"
    path.touch()
    message = (
        f"{path}/config.json: expected the config.json of a run, which "
        "yt8m-train writes to its train_dir. Received: no such file; "
        f"{path} is no folder"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        yt8m.load_run(path)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["video", "frame"])
def test_predicts_the_same_as_yt8m_predict(level, tmp_path):
    run, opened = _run(level), _open(level)
    found = opened.predict(run.pattern, top_k=3)
    path = tmp_path / "predictions.csv"
    predictors.write_csv(
        predictors.predictor_from_train_dir(run.path),
        run.pattern,
        str(path),
        top_k=3,
    )
    with open(path) as file:
        lines = {
            row["VideoId"]: row["LabelConfidencePairs"].split()
            for row in csv.DictReader(file)
        }
    assert {*found.ids} == {*lines}
    for video, row in zip(found.ids, found, strict=True):
        expected = lines[video]
        assert [name for name, _ in row] == [
            f"class {index}" for index in expected[::2]
        ]
        assert [f"{score:g}" for _, score in row] == expected[1::2]
    # The order is that of the files, and what is given in memory is the same.
    batch = tiny_runs.features_of(run, run.pattern)
    assert [*found.ids] == [one.decode() for one in batch["id"]]
    scores = opened.predict_scores(run.pattern)
    np.testing.assert_allclose(
        scores, tiny_runs.predictions_of(run, run.pattern), rtol=1e-5
    )
    files = sorted(tf.io.gfile.glob(run.pattern))
    records = [one.numpy() for one in tf.data.TFRecordDataset(files)]
    for videos in (files, records, ",".join(files)):
        np.testing.assert_array_equal(opened.predict_scores(videos), scores)


@pytest.mark.slow
def test_arrays_are_as_records():
    run, opened = _run("video"), _open("video")
    batch = tiny_runs.features_of(run, run.pattern)
    scores = opened.predict_scores(run.pattern)
    rgb, audio = np.split(batch["features"], [6], axis=1)
    for x in (batch["features"], {"mean_rgb": rgb, "mean_audio": audio}):
        np.testing.assert_array_equal(opened.predict_scores(x), scores)
    report = opened.evaluate(run.pattern)
    again = opened.evaluate(batch["features"], batch["labels"])
    assert again.metrics == report.metrics
    assert report.eval_data_pattern == run.pattern
    assert again.eval_data_pattern is None
    found = yt8m.metrics(batch["labels"], scores)
    for name, value in found.items():
        assert value == pytest.approx(report.metrics[name], abs=1e-6)
    # All frames, of videos with more than a sample of them too.
    run, opened = _run("frame"), _open("frame")
    reader = run.config.reader(training=False)
    files = sorted(tf.io.gfile.glob(run.pattern))
    frames = []
    for record in tf.data.TFRecordDataset(files):
        lists = tf.train.SequenceExample.FromString(record.numpy())
        columns = [
            [
                np.frombuffer(one.bytes_list.value[0], np.uint8)
                for one in lists.feature_lists.feature_list[name].feature
            ]
            for name in reader.feature_names
        ]
        frames.append(np.concatenate([*map(np.array, columns)], axis=1))
    assert len({*map(len, frames)}) > 3
    np.testing.assert_array_equal(
        opened.predict_scores(frames), opened.predict_scores(run.pattern)
    )


@pytest.mark.slow
def test_evaluates_the_same_as_yt8m_eval():
    run, opened = _run("frame"), _open("frame")
    for settings in ({}, {"top_k": 2, "frame_seed": 3}):
        found = opened.evaluate(run.pattern, **settings)
        expected = yt8m.evaluation.evaluate_run(
            run.path, run.pattern, **settings
        )
        assert found.metrics == expected.metrics
        assert (found.step, found.model) == (expected.step, "DbofModel")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "packed", "saved_model"])
def test_exports_predict_as_their_runs(name):
    made = small_artefacts.make("video")
    opened = yt8m.load(made.path(name))
    assert made.path(name) in repr(opened)
    run = yt8m.load_run(made.run.path)
    np.testing.assert_allclose(
        opened.predict_scores(made.run.pattern),
        run.predict_scores(made.run.pattern),
        atol=2e-3,
    )
    gap = run.evaluate(made.run.pattern).metrics["gap"]
    found = opened.evaluate(made.run.pattern)
    assert found.metrics["gap"] == pytest.approx(gap, abs=0.02)
    assert found.model_file.startswith(made.path(name))


@pytest.mark.slow
def test_steps_and_weights(tmp_path):
    run = tiny_runs.video_run()
    opened = yt8m.load_run(run.path, 5)
    assert opened.step == 5
    assert repr(opened) == f"<MoeModel of {run.path}, step 5>"
    with pytest.raises(ValueError, match="expected one of the steps"):
        yt8m.load_run(run.path, 3)
    averaged = yt8m.load_run(run.path, weights="average:2")
    _, *others = (yt8m.load_run(run.path, step) for step in (0, 5, 10))
    values = [one.model.get_weights() for one in (averaged, *others)]
    for found, first, second in zip(*values, strict=True):
        np.testing.assert_allclose(found, (first + second) / 2, rtol=1e-5)
    with pytest.raises(ValueError, match="expected the config.json of a run"):
        yt8m.load_run(tmp_path)
    with pytest.raises(ValueError, match="expected a model of yt8m-export"):
        yt8m.load(tmp_path)


@pytest.mark.slow
def test_names_of_classes(tmp_path):
    run = tiny_runs.video_run()
    opened = yt8m.load_run(run.path, class_names=[*"abcde"])
    batch = tiny_runs.features_of(run, run.pattern)
    found = opened.predict(batch["features"][:2], top_k=9)
    assert sorted(name for name, _ in found[0]) == [*"abcde"]
    for index, row in zip(found.classes[:, 0], found, strict=True):
        assert row[0][0] == "abcde"[index]
    found = opened.predict(batch["features"][:2], 1, {0: "x"})
    names = {"x", *(f"class {index}" for index in range(1, 5))}
    assert all(row[0][0] in names for row in found)


@pytest.mark.parametrize(
    ("videos", "settings", "message"),
    [
        (np.ones([2, 8]), {}, r"expected videos of shape \[videos, 9\], the f"),
        (np.full([2, 9], np.nan), {}, "expected finite videos. Received"),
        (np.ones([2, 9]), {"top_k": 0}, "at least 1. Received: top_k=0"),
        (np.ones([2, 9]), {"on_data_error": "skp"}, "on_data_error='skp'"),
        ("missing*", {}, "no file matches the pattern 'missing"),
        ([b"no record"], {}, "expected a tf.train.Example"),
        ([], {}, r"Received: videos.shape=\[0\]"),
    ],
)
@pytest.mark.slow
def test_what_can_not_be_predicted(videos, settings, message):
    with pytest.raises(ValueError, match=message):
        _open("video").predict(videos, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("videos", "labels", "message"),
    [
        (np.ones([2, 9]), None, "expected labels of the videos, to evaluate"),
        (np.ones([2, 9]), [[5], [0]], r"classes from 0 to 4 in labels\[0\]"),
        (np.ones([2, 9]), [[0]], "expected labels of 2 videos"),
        (np.ones([2, 9]), [[], []], "expected at least one label"),
        ("a.tfrecord", [[0]], "expected no labels with files of records"),
        ([b"record"], [[0]], "Received: a list of bytes"),
    ],
)
def test_what_can_not_be_evaluated(videos, labels, message):
    with pytest.raises(ValueError, match=message):
        _open("video").evaluate(videos, labels)


@pytest.mark.slow
def test_arrays_have_no_rated_segments():
    opened = _open("frame")
    config = opened.config
    data = type(config.data)(**{**vars(config.data), "segment_labels": True})
    rated = yt8m.api.TrainedModel(
        type(config)(data=data, model=config.model, training=config.training),
        opened.model,
        0,
    )
    with pytest.raises(ValueError, match="evaluate a model of rated segments"):
        rated.evaluate([np.zeros([2, 9], np.uint8)], [[0]])
    assert len(rated.predict([np.zeros([2, 9], np.uint8)])) == 1


@pytest.mark.slow
def test_damaged_records_are_left_out(tmp_path):
    run = tiny_runs.video_run()
    files = sorted(tf.io.gfile.glob(run.pattern))
    records = [one.numpy() for one in tf.data.TFRecordDataset(files)]
    path = os.path.join(tmp_path, "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for record in (records[0], b"\xff", records[1]):
            writer.write(record)
    opened = _open("video")
    assert len(opened.predict(path, on_data_error="skip")) == 2
    with pytest.raises(yt8m.readers.DataError, match=r"a.tfrecord: record 1"):
        opened.predict(path)
    report = opened.evaluate(path, on_data_error="skip")
    assert (report.metrics["num_examples"], report.skipped_records) == (2, 1)

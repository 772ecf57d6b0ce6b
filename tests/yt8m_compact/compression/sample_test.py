"""Tests of the sample of a run's data."""

import keras
import numpy as np
import pytest

import tiny_runs
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.compression import sample


@pytest.mark.parametrize(
    ("num_files", "num_videos", "held_out"),
    [
        # 40 videos in each file: a fifth of the files at most.
        (4, 30, []),
        (5, 30, [2]),
        (10, 30, [5]),
        (10, 41, [2, 7]),
        (10, 4000, [2, 7]),
    ],
)
def test_files_that_are_held_out(monkeypatch, num_files, num_videos, held_out):
    monkeypatch.setattr(
        readers, "estimate_num_records", lambda files: 40 * len(files)
    )
    files = [f"file{number}" for number in range(num_files)]
    split = sample.split_files(files, num_videos)
    assert split.held_out == tuple(files[number] for number in held_out)
    assert split.train == tuple(f for f in files if f not in split.held_out)
    assert split.sampled == (split.held_out or tuple(files))


@pytest.mark.slow
def test_the_first_videos(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 12, num_files=1)
    config = tiny_runs.video_config(pattern)
    files = readers.expand_patterns(pattern)
    batches = sample.read(config, files, 7)
    (batch,) = batches
    assert set(batch) == {"features", "labels"}
    run = tiny_runs.Run("", pattern, config)
    expected = tiny_runs.features_of(run, pattern)
    np.testing.assert_array_equal(batch["features"], expected["features"][:7])
    np.testing.assert_array_equal(batch["labels"], expected["labels"][:7])


def test_videos_of_another_size_are_refused(tmp_path):
    pattern = tiny_runs.write_videos(
        tmp_path, 5, feature_sizes={"mean_rgb": 4, "mean_audio": 3}
    )
    config = tiny_runs.video_config(pattern)
    with pytest.raises(readers.DataError, match="mean_rgb"):
        sample.read(config, readers.expand_patterns(pattern), 5)


def test_scores_follow_the_weights():
    inputs = keras.Input((2,), name="features")
    dense = keras.layers.Dense(3, "sigmoid", use_bias=False)
    model = keras.Model({"features": inputs}, dense(inputs))
    # Two batches, and labels that the model knows or not.
    features = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    batches = [
        {"features": features[:2], "labels": labels[:2]},
        {"features": features[2:], "labels": labels[2:]},
    ]
    score = sample.Scorer(model, batches, ops.LOSSES["CrossEntropyLoss"])
    for seed in range(2):
        kernel = np.random.default_rng(seed).normal(size=(2, 3))
        dense.kernel.assign(kernel)
        p = 1 / (1 + np.exp(-features @ kernel))
        loss = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(1)
        scores = score()
        assert scores.loss == pytest.approx(loss.mean(), rel=1e-4)
        # All three predictions of all three videos, best first.
        hits = labels.ravel()[np.argsort(-p.ravel())]
        precision = np.cumsum(hits) / np.arange(1, 10)
        assert scores.gap == pytest.approx((precision * hits).sum() / 3)

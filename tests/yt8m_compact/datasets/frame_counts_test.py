"""Tests of the frame counts of real videos."""

import csv

import numpy as np

from yt8m_compact import datasets

_HISTOGRAM = "yt8m_2018_frame_count_histogram.csv"


def test_histogram_has_the_shape_of_the_real_one(shared_data):
    with open(shared_data / _HISTOGRAM, newline="") as file:
        rows = [
            (int(row["num_frames"]), int(row["num_videos"]))
            for row in csv.DictReader(file)
        ]
    num_frames, num_videos = datasets.frame_count_histogram()
    assert list(zip(num_frames, num_videos, strict=True)) == rows


def test_histogram_has_the_published_statistics():
    num_frames, num_videos = datasets.frame_count_histogram()
    assert num_videos.sum() == 5978
    assert num_frames.min() == 1
    assert num_frames.max() == 301
    assert (np.diff(num_frames) > 0).all()
    videos = np.repeat(num_frames, num_videos)
    assert round(videos.mean()) == 230
    assert np.median(videos) == 232
    assert np.quantile(videos, [0.1, 0.9]).tolist() == [140, 300]


def test_samples_follow_the_histogram():
    num_frames, num_videos = datasets.frame_count_histogram()
    samples = datasets.sample_num_frames(np.random.default_rng(3), 200_000)
    assert samples.shape == (200_000,)
    assert samples.dtype == np.int32
    assert np.isin(samples, num_frames).all()
    # Kolmogorov-Smirnov: 1.63 / sqrt(200,000) = 0.0036 at 1 %.
    expected = np.cumsum(num_videos) / num_videos.sum()
    found = (samples[:, None] <= num_frames).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=0.0036)


def test_samples_come_from_the_generator():
    def sample(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        return datasets.sample_num_frames(rng, 20).tolist()

    assert sample(0) == sample(0)
    assert sample(0) != sample(1)

"""Tests of videos that are given as arrays."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.api import array_videos
from yt8m_compact.api import label_lists
from yt8m_compact.run import config as config_lib

_RNG = np.random.default_rng(0)
_FEATURES = _RNG.uniform(-2, 2, [4, 5]).astype(np.float32)
_CODES = [_RNG.integers(256, size=[n, 5], dtype=np.uint8) for n in (3, 1, 6)]
_SIZES = {"rgb": 2, "audio": 3}


def _data(**kwargs) -> config_lib.DataConfig:
    return config_lib.DataConfig(
        feature_names=tuple(_SIZES),
        feature_sizes=tuple(_SIZES.values()),
        num_classes=4,
        **kwargs,
    )


def _read_back(x, labels=None, **kwargs) -> dict[str, np.ndarray]:
    """Reads arrays, writes records, and reads them by a reader of runs."""
    data = _data(**kwargs)
    videos = array_videos.read_arrays(
        x, frame_features=data.frame_features, data=data
    )
    reader = _reader(data)
    records = tf.constant([*videos.to_records(data, labels)])
    return {k: v.numpy() for k, v in reader.parse(records).items()}


def _reader(data: config_lib.DataConfig):
    model = models.MoeConfig()
    if data.frame_features:
        model = models.FrameLevelLogisticConfig()
    return config_lib.Config(
        data=data,
        model=model,
        training=config_lib.TrainingConfig(),
    ).reader(training=False)


@pytest.mark.parametrize(
    "x",
    [
        _FEATURES,
        _FEATURES.astype(np.float64),
        tf.constant(_FEATURES),
        _FEATURES.tolist(),
        {"features": _FEATURES},
        {"audio": _FEATURES[:, 2:], "rgb": _FEATURES[:, :2]},
    ],
    ids=lambda x: type(x).__name__,
)
def test_features_are_read_back(x):
    labels = label_lists.read_labels([[3], [], [0, 1], [2]], num_classes=4)
    batch = _read_back(x, labels)
    np.testing.assert_array_equal(batch["features"], _FEATURES)
    assert batch["id"].tolist() == [b"0", b"1", b"2", b"3"]
    expected = [[0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]
    assert batch["labels"].tolist() == expected


@pytest.mark.parametrize("size", [1, 31, 32, 1152, 5000])
def test_features_of_any_size(size):
    features = _RNG.normal(size=[2, size]).astype(np.float32)
    videos = array_videos.read_arrays(features, frame_features=False)
    (_, record) = videos.to_records(config_lib.DataConfig(), None)
    found = tf.train.Example.FromString(record).features.feature["features"]
    assert [*found.float_list.value] == features[1].tolist()


_PADDED = np.stack([np.pad(one, [(0, 6 - len(one)), (0, 0)]) for one in _CODES])


@pytest.mark.parametrize(
    "x",
    [
        _CODES,
        [ops.dequantize(one).numpy() for one in _CODES],
        {"frames": _PADDED, "num_frames": [3, 1, 6]},
        {
            "audio": [one[:, 2:] for one in _CODES],
            "rgb": [one[:, :2] for one in _CODES],
        },
    ],
    ids=["codes", "floats", "padded", "by_feature"],
)
@pytest.mark.parametrize("float_frames", [False, True])
def test_frames_are_read_back(x, float_frames):
    batch = _read_back(
        x, frame_features=True, max_frames=8, float_frames=float_frames
    )
    assert batch["num_frames"].tolist() == [3, 1, 6]
    np.testing.assert_array_equal(batch["frames"][:, :6], _PADDED)


def test_what_arrays_hold():
    videos = array_videos.read_arrays(_CODES, frame_features=True)
    assert (videos.most_frames, videos.feature_sizes) == (6, (5,))
    assert (len(videos), [*videos.features]) == (3, ["frames"])
    videos = array_videos.read_arrays(_PADDED, frame_features=True)
    assert videos.most_frames == 6


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), r"of one video, x\[np.newaxis\]. .*x.shape=\[5\]"),
        (np.zeros([0, 5]), r"at least one video. Received: x.shape=\[0, 5\]"),
        (np.zeros([2, 3, 5]), r"\[videos, size\].*x.shape=\[2, 3, 5\]"),
        (np.zeros([2, 4]), r"expected x of shape \[videos, 5\], the features"),
        ([[1.0], [1.0, 2.0]], "expected x to be an array of numbers"),
        (np.array([["a"] * 5]), "expected x of numbers. Received: x.dtype=<U1"),
        (np.zeros([1, 5], complex), "x.dtype=complex128"),
        (np.array([[0, 1, np.inf, 0, 0]]), r"expected finite x. .*x\[0, 2\]=i"),
        (np.array([[1e39, 0, 0, 0, 0]]), r"x\[0, 0\]=inf, .* 1 that are not"),
        ({}, "expected x with at least one feature. Received: none"),
        ({"rgb": np.zeros([2, 2])}, r"or a dict of them. Received: {'rgb': 2}"),
        (
            {"rgb": np.zeros([2, 3]), "audio": np.zeros([2, 2])},
            r"sizes {'rgb': 2, 'audio': 3}. Received: {'rgb': 3, 'audio': 2}",
        ),
        (
            {"rgb": np.zeros([2, 2]), "audio": np.zeros([3, 3])},
            "expected as many videos of each feature of x. Received: {'rgb': 2",
        ),
        ({"rgb": np.zeros([2, 2, 1])}, r"expected x\['rgb'\] of shape \[vid"),
    ],
)
def test_wrong_features_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        _read_back(x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], r"at least one video. Received: len\(x\)=0"),
        ("frames", r"list of arrays, \[frames, size\] each. Received: x='fra"),
        (np.zeros([2, 5]), r"expected x\[0\] of shape \[frames, size\]"),
        ([np.zeros([0, 5])], r"at least one frame. Received: x\[0\].shape"),
        ([np.zeros([1, 5], int)], r"codes \(uint8\) or of floats. .*int64"),
        (
            [_CODES[0], np.full([1, 5], np.nan)],
            r"finite x\[1\]. .*\[1\]\[0, 0",
        ),
        ([_CODES[0][:, :4]], r"shape \[videos, frames, 5\], the features"),
        ([_CODES[0], _CODES[1][:, :4]], "one size. Received: 5 of video 0, 4"),
        (
            {"rgb": [np.zeros([2, 2])], "audio": [np.zeros([3, 3])]},
            "as many frames .* Received: {'rgb': 2, 'audio': 3} of video 0",
        ),
        *(
            (
                {"frames": _PADDED, "num_frames": counts},
                r"expected x\['num_frames'\] of 3 whole numbers, from 1 to the",
            )
            for counts in ([1, 2], [0, 1, 1], [1, 1, 7], [1.0, 1.0, 1.0])
        ),
    ],
)
def test_wrong_frames_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        _read_back(x, frame_features=True)

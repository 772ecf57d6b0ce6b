"""Tests of the file that says what records hold."""

import pytest

from yt8m_compact import datasets
from yt8m_compact.datasets import features_file

_FEATURES = datasets.RecordFeatures(
    feature_names=("clip", "sound"),
    feature_sizes=(7, 3),
    num_classes=5,
    min_quantized_value=(0.0, -4.5),
    max_quantized_value=(1.0, 8.25),
)


def test_it_is_read_as_it_was_written(tmp_path):
    path = str(tmp_path / datasets.FEATURES_NAME)
    features_file.write_features(path, _FEATURES)
    assert datasets.read_features(path) == _FEATURES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected an object with the fields of RecordFeatures"),
        ('{"x": 1}', "expected fields of RecordFeatures"),
        ("{", "expected yt8m_features.json, which yt8m-data convert"),
        ('{"feature_names": ["a"]}', "expected one size above 0"),
        (
            '{"feature_names": ["a"], "feature_sizes": [1], '
            '"min_quantized_value": [3], "max_quantized_value": [3]}',
            "expected max_quantized_value above min_quantized_value",
        ),
    ],
)
def test_what_is_none(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}.*{message}"):
        datasets.read_features(str(path))


@pytest.mark.parametrize(
    ("lows", "highs", "message"),
    [
        ((0.0, 1.0), (2.0,), "one number, or 3, one for each"),
        ((0.0,), (), "one number, or 3, one for each"),
        ((0.0, 5.0, 1.0), (4.0,), "above min_quantized_value"),
    ],
)
def test_ranges(lows, highs, message):
    with pytest.raises(ValueError, match=message):
        features_file.expect_ranges(lows, highs, 3)


def test_a_config_like_an_earlier_one():
    config = datasets.ConvertConfig(packed=False, num_shards=3).like(_FEATURES)
    assert config.feature_names == ("clip", "sound")
    assert config.feature_sizes == (7, 3)
    assert config.ranges == ((0.0, -4.5), (1.0, 8.25))
    assert (config.num_classes, config.num_shards) == (5, 3)
    with pytest.raises(ValueError, match="expected num_classes to be that of"):
        datasets.ConvertConfig(num_classes=6).like(_FEATURES)
    with pytest.raises(ValueError, match="expected no find_range, since"):
        datasets.ConvertConfig(find_range=True).like(_FEATURES)

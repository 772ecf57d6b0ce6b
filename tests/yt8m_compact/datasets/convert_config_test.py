"""Tests of how features are converted, as an earlier call did."""

import dataclasses

import pytest

from yt8m_compact import datasets

_FEATURES = datasets.RecordFeatures(
    feature_names=("clip", "sound"),
    feature_sizes=(7, 3),
    num_classes=5,
    min_quantized_value=(0.0, -4.5),
    max_quantized_value=(1.0, 8.25),
)


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


def test_what_an_earlier_call_did_not_know():
    features = dataclasses.replace(_FEATURES, num_classes=None, max_frames=9)
    config = datasets.ConvertConfig(num_classes=6).like(features)
    assert config.num_classes == 6
    names = ("a", "b", "c", "d", "e")
    features = dataclasses.replace(_FEATURES, class_names=names)
    assert datasets.ConvertConfig().like(features).num_classes == 5
    with pytest.raises(ValueError, match="expected no find_classes, since"):
        datasets.ConvertConfig(find_classes=True).like(features)

"""Tests of what is trained and evaluated on."""

import os

import pytest

from benchmarks.front import cases
from benchmarks.front import data_sets
import record_makers
from yt8m_compact import readers


@pytest.mark.parametrize(
    "split, trained, evaluated",
    [
        ("test", range(80), range(80, 100)),
        ("validation", range(70), range(70, 80)),
    ],
)
def test_shards_of_youtube8m(split, trained, evaluated, tmp_path):
    folder = tmp_path / "yt8m_2018_video"
    folder.mkdir()
    for number in range(100):
        (folder / f"validate{number:04d}.tfrecord").touch()
    data = data_sets.make(cases.YT8M, split, os.fspath(tmp_path), "unused")
    for pattern, expected in (
        (data.train_pattern, trained),
        (data.eval_pattern, evaluated),
    ):
        assert readers.expand_patterns(pattern) == [
            f"{folder}/validate{number:04d}.tfrecord" for number in expected
        ]


@pytest.mark.slow
def test_audioset_has_three_parts(tmp_path):
    (tmp_path / "audioset").mkdir()
    record_makers.write_tfrecord(
        tmp_path / "audioset" / "bal_train.tfrecord",
        [record_makers.make_frame_example(index) for index in range(200)],
    )
    parts = []
    for split in data_sets.SPLITS:
        data = data_sets.make(
            cases.AUDIOSET, split, os.fspath(tmp_path), f"{tmp_path}/work"
        )
        for pattern in (data.train_pattern, data.eval_pattern):
            parts.append(
                set(
                    record.numpy()
                    for _, _, record in readers.read_records([pattern])
                )
            )
    train, test, smaller, validation = parts
    assert not train & test and len(train | test) == 200
    assert not smaller & validation and smaller | validation == train
    assert 5 < len(test) < 40 and 5 < len(validation) < 40


def test_number_of_steps():
    data = data_sets.make(cases.YT8M, "test", "data", "work", num_steps=7)
    assert data.training.max_steps == 7

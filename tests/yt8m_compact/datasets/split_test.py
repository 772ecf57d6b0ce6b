"""Tests of splitting records by id."""

import hashlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets import split


def _write(folder: pathlib.Path, count: int, **kwargs) -> list[bytes]:
    records = [
        record_makers.make_video_example(index, **kwargs)
        for index in range(count)
    ]
    record_makers.write_tfrecord(str(folder / "all.tfrecord"), records)
    return records


def _read(path: pathlib.Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def test_every_record_goes_unchanged_to_one_file_by_its_id(tmp_path):
    records = _write(tmp_path, 200)
    counts = datasets.split_records(
        str(tmp_path / "all.tfrecord"), str(tmp_path / "out"), 25.0
    )
    train = _read(tmp_path / "out" / "train.tfrecord")
    validate = _read(tmp_path / "out" / "validate.tfrecord")
    expected = [
        int.from_bytes(
            hashlib.sha256(record_makers.video_id(index)).digest()[:8], "big"
        )
        % 10_000
        < 2_500
        for index in range(200)
    ]
    held_out = [
        record
        for record, is_held_out in zip(records, expected, strict=True)
        if is_held_out
    ]
    assert validate == held_out
    assert sorted(train + validate) == sorted(records)
    assert counts == {
        "train.tfrecord": len(train),
        "validate.tfrecord": len(validate),
    }
    assert 0 < len(validate) < len(train)


def test_share_is_about_the_percentage():
    ids = [b"%d" % number for number in range(20_000)]
    share = np.mean([split.is_held_out(name, 10.0) for name in ids])
    # The standard deviation of the share is .0021.
    assert share == pytest.approx(0.1, abs=0.01)


def test_larger_percentage_holds_out_more_of_the_same():
    ids = [b"%d" % number for number in range(1000)]
    small = {name for name in ids if split.is_held_out(name, 10.0)}
    large = {name for name in ids if split.is_held_out(name, 30.0)}
    assert small < large


@pytest.mark.parametrize("way", ["", "..", "link"])
def test_the_folder_of_the_input_is_refused(tmp_path, way):
    data = tmp_path / "data"
    data.mkdir()
    _write(data, 3)
    (tmp_path / "link").symlink_to(data)
    folder = {
        "": data,
        "..": data / ".." / "data",
        "link": tmp_path / "link",
    }[way]
    with pytest.raises(
        ValueError,
        match=r"expected another folder than that of the input.*all\.tfrecord",
    ):
        datasets.split_records(
            str(data / "all.tfrecord"), str(folder), 25.0, overwrite=True
        )
    assert [path.name for path in data.iterdir()] == ["all.tfrecord"]


@pytest.mark.slow
def test_frame_level_records_with_video_id(tmp_path, shared_data):
    counts = datasets.split_records(
        str(shared_data / "audioset" / "bal_train.tfrecord"),
        str(tmp_path),
        10.0,
    )
    assert counts == {"train.tfrecord": 20_007, "validate.tfrecord": 2_153}


@pytest.mark.parametrize("percent", [0.0, 100.0, -1.0])
def test_percentage_out_of_range(tmp_path, percent):
    with pytest.raises(ValueError, match="between 0 and 100. Received: valid"):
        datasets.split_records("unused", str(tmp_path), percent)


def test_record_without_id_is_named(tmp_path):
    _write(tmp_path, 3, id_key=None)
    file = tmp_path / "all.tfrecord"
    with pytest.raises(
        readers.DataError,
        match=rf"{file}: record 0: expected an id under id or video_id",
    ):
        datasets.split_records(str(file), str(tmp_path / "out"), 10.0)
    assert not (tmp_path / "out" / "train.tfrecord").exists()


@pytest.mark.slow
def test_output_is_not_replaced_unless_asked(tmp_path):
    _write(tmp_path, 200)
    arguments = str(tmp_path / "all.tfrecord"), str(tmp_path / "out")
    datasets.split_records(*arguments, 25.0)
    path = tmp_path / "out" / "train.tfrecord"
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match="exist yet. Received: a file that is there"
    ):
        datasets.split_records(*arguments, 50.0)
    assert path.read_bytes() == before
    datasets.split_records(*arguments, 50.0, overwrite=True)
    assert path.read_bytes() != before


def test_input_is_never_replaced(tmp_path):
    _write(tmp_path, 200)
    out = tmp_path / "out"
    datasets.split_records(str(tmp_path / "all.tfrecord"), str(out), 25.0)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.split_records(
            str(out / "train.tfrecord"), str(out), 50.0, overwrite=True
        )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_empty_side_is_refused(tmp_path):
    _write(tmp_path, 3)
    with pytest.raises(ValueError, match="expected videos on both sides"):
        datasets.split_records(
            str(tmp_path / "all.tfrecord"), str(tmp_path / "out"), 0.01
        )
    assert not (tmp_path / "out").exists()


def test_record_that_does_not_parse_is_named_and_nothing_is_left(tmp_path):
    records = _write(tmp_path, 3)
    file = tmp_path / "all.tfrecord"
    record_makers.write_tfrecord(str(file), [*records, b"\x0a\x05hello"])
    with pytest.raises(
        readers.DataError,
        match=rf"{file}: record 3: expected a tf.train.Example or .* 7 bytes",
    ):
        datasets.split_records(str(file), str(tmp_path / "out"), 10.0)
    assert not (tmp_path / "out").exists()

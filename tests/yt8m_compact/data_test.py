"""Tests of yt8m-data."""

from absl import flags
import pytest

import record_makers
from yt8m_compact import data


def _main(*arguments: str) -> int:
    flag_values = flags.FlagValues()
    data.define_flags(flag_values)
    rest = flag_values(["yt8m-data", *arguments])
    return data.main(flag_values, rest[1:])


def test_synthesize_writes_both_splits(tmp_path, capsys):
    arguments = [
        "synthesize",
        f"--output_dir={tmp_path}",
        "--num_train_videos=3",
        "--num_validate_videos=2",
        "--num_train_shards=2",
        "--num_validate_shards=1",
        "--num_classes=12",
        "--seed=5",
    ]
    assert _main(*arguments) == 0
    names = sorted(path.name for path in tmp_path.glob("*.tfrecord"))
    assert names == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
        "validate-00000-of-00001.tfrecord",
    ]
    assert "--num_classes=12" in capsys.readouterr().out


def test_another_seed_is_refused_until_overwritten(tmp_path):
    arguments = [
        "synthesize",
        f"--output_dir={tmp_path}",
        "--num_train_videos=1",
        "--num_validate_videos=1",
        "--num_train_shards=1",
        "--num_validate_shards=1",
    ]
    assert _main(*arguments) == 0
    path = tmp_path / "train-00000-of-00001.tfrecord"
    before = path.read_bytes()
    with pytest.raises(ValueError, match="seed"):
        _main(*arguments, "--seed=1")
    assert path.read_bytes() == before
    assert _main(*arguments, "--seed=1", "--overwrite") == 0
    assert path.read_bytes() != before


def test_split_says_how_many(tmp_path, capsys):
    records = [record_makers.make_video_example(i) for i in range(40)]
    path = tmp_path / "all.tfrecord"
    record_makers.write_tfrecord(str(path), records)
    assert (
        _main(
            "split",
            f"--input_data_pattern={path}",
            f"--output_dir={tmp_path}",
            "--validate_percent=50",
        )
        == 0
    )
    counts = [
        int(line.split()[0])
        for line in capsys.readouterr().out.splitlines()
        if line.endswith(".tfrecord")
    ]
    assert sum(counts) == 40
    assert min(counts) > 0


@pytest.mark.parametrize("arguments", [[], ["verify"], ["split", "split"]])
def test_unknown_verb(arguments):
    with pytest.raises(ValueError, match="expected one verb, of synthesize, s"):
        _main(*arguments)


def test_missing_output_dir():
    with pytest.raises(ValueError, match="expected --output_dir"):
        _main("synthesize")

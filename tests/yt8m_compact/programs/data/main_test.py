"""Tests of yt8m-data."""

import json
import os
import re
import stat
import sys

from absl import flags
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.programs.data import main

_VERBS = (
    "download",
    "verify",
    "stats",
    "repack",
    "pool",
    "convert",
    "split",
    "synthesize",
)


def _main(*arguments: str) -> int:
    return main.parse(arguments).call()


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
            f"--output_dir={tmp_path / 'out'}",
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


@pytest.mark.parametrize("arguments", [[], ["check"], ["split", "split"]])
def test_unknown_verb(arguments):
    with pytest.raises(ValueError, match="expected one verb, of download, ver"):
        _main(*arguments)


def test_flags_that_a_verb_does_not_use(tmp_path):
    with pytest.raises(
        ValueError, match="expected no --repair: stats does not use it; see"
    ):
        _main("stats", "--input_data_pattern=x", f"--repair={tmp_path}")
    with pytest.raises(ValueError, match="Received: seed=3"):
        _main("split", "--input_data_pattern=x", "--seed=3")


@pytest.mark.parametrize("verb", _VERBS)
def test_help_of_a_verb(verb, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["yt8m-data", verb, "--help"])
    with pytest.raises(SystemExit) as done:
        main.run()
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert f"  yt8m-data {verb} --" in text
    flag_values = flags.FlagValues()
    main.VERBS[verb].define_flags(flag_values)
    listed = set(re.findall(r"^  --(?:\[no\])?(\w+): ", text, re.MULTILINE))
    assert listed == set(flag_values)
    # Each flag that is listed is used: it is not refused.
    for name in listed:
        value = flag_values[name].default
        if isinstance(value, bool):
            with pytest.raises((ValueError, OSError)) as error:
                _main(verb, f"--{name}")
            assert "does not use it" not in str(error.value)
    # The flags of the examples are those of the verb.
    examples = text[: text.index("\nflags:")]
    assert set(re.findall(r"--(\w+)", examples)) <= listed


def test_help_says_defaults_choices_and_what_is_needed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["yt8m-data", "download", "--help"])
    with pytest.raises(SystemExit):
        main.run()
    text = capsys.readouterr().out
    assert "\n  --output_dir: Folder to write to. (needed)\n" in text
    assert (
        " --split: Which part of the data set. (one of train, validate, test; "
        "default: train) "
    ) in " ".join(text.split())
    assert " (default: 1,1)\n" in text
    assert max(map(len, text.splitlines())) <= 80


def _write(path, indices, **kwargs):
    record_makers.write_tfrecord(
        path, [record_makers.make_frame_example(i, **kwargs) for i in indices]
    )
    return path


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_is_interrupted_goes_on(tmp_path, monkeypatch, capsys, overwrite):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    path = tmp_path / "a.tfrecord"
    path.touch()
    for name in ("write_synthetic", "pool_files", "repack_files"):
        monkeypatch.setattr(datasets, name, interrupt)
    pattern = f"--input_data_pattern={path}"
    for verb in (["synthesize"], ["pool", pattern], ["repack", pattern]):
        with pytest.raises(KeyboardInterrupt):
            _main(*verb, f"--output_dir={tmp_path}", f"--overwrite={overwrite}")
        told = "the same command goes on" in capsys.readouterr().err
        assert told == (not overwrite)


_FEATURES = ("--feature_names=rgb,audio", "--feature_sizes=6,3")


def test_verify_then_repair(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(4))
    pattern = f"--input_data_pattern={tmp_path}/*.tfrecord"
    counts = tmp_path / "yt8m_manifest.json"
    arguments = ("verify", pattern, *_FEATURES, "--num_classes=10")
    assert _main(*arguments, f"--write_manifest={counts}") == 0
    assert "1 files, 4 records (0 without labels)" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-1])
    report = tmp_path / "report.json"
    status = _main(
        *arguments,
        f"--output_json={report}",
        f"--repair={tmp_path / 'new'}",
        f"--write_manifest={tmp_path / 'other.json'}",
    )
    assert status == 1
    text = capsys.readouterr().out
    assert f"{tmp_path}/new/a.tfrecord: 3 records written; left out: 0" in text
    assert "without 1 files with faults" in text
    values = json.loads(report.read_text())
    assert not values["good"]
    assert values["fault_counts"] == {
        "truncated": 1,
        "count_differs": 1,
        "size_differs": 1,
    }
    assert values["repaired"][0]["num_written"] == 3
    new = f"--input_data_pattern={tmp_path}/new/*.tfrecord"
    assert _main("verify", new, *_FEATURES, "--num_classes=10") == 0


def test_a_bad_repair_folder_is_refused_before_the_reading(
    tmp_path, monkeypatch
):
    path = _write(tmp_path / "a.tfrecord", range(2))
    (tmp_path / "new").mkdir()
    _write(tmp_path / "new" / "a.tfrecord", range(2))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(
        datasets, "verify_files", lambda *args, **kwargs: pytest.fail("read")
    )
    arguments = ("verify", f"--input_data_pattern={path}", *_FEATURES)
    for folder, message in (
        (tmp_path, "expected another folder than that of the input"),
        (tmp_path / "new", "new/a.tfrecord: expected a file that does not ex"),
        (tmp_path / "file", "file: expected a folder that can be made"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            _main(*arguments, f"--repair={folder}")


def test_a_repair_that_fails_leaves_the_report(tmp_path, monkeypatch):
    good = _write(tmp_path / "a.tfrecord", range(3))
    path = _write(tmp_path / "b.tfrecord", range(3, 6))
    path.write_bytes(path.read_bytes()[:-1])

    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(datasets, "repair_files", fail)
    with pytest.raises(OSError, match="the disk is full"):
        _main(
            "verify",
            f"--input_data_pattern={tmp_path}/*.tfrecord",
            *_FEATURES,
            "--num_classes=10",
            f"--output_json={tmp_path}/report.json",
            f"--write_manifest={tmp_path}/counts.json",
            f"--repair={tmp_path}/new",
        )
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["fault_counts"] == {"truncated": 1}
    counts = datasets.read_manifest(f"{tmp_path}/counts.json")
    assert counts == {"a.tfrecord": datasets.Expected(3, good.stat().st_size)}


def test_repair_says_where_records_are_missing(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(2))
    (tmp_path / "counts.csv").write_text("a.tfrecord,3\nb.tfrecord,5\n")
    status = _main(
        "verify",
        f"--input_data_pattern={path}",
        *_FEATURES,
        "--num_classes=10",
        f"--manifest={tmp_path}/counts.csv",
        f"--repair={tmp_path}/new",
        f"--output_json={tmp_path}/report.json",
    )
    assert status == 1
    text = capsys.readouterr().out
    assert (
        f"{path}: nothing to repair: its 2 records are good; expected 3 "
        f"records. Received: 2 (by {tmp_path}/counts.csv). What is missing is "
        "not in the file: download it or make it again\n"
        f"nothing to repair: no file was written to {tmp_path}/new\n"
    ) in text
    assert (
        "faults in 1 of the files; faults of the whole set: 1 missing_file\n"
    ) in text
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["repaired"] == []
    assert list(values["not_repaired"]) == [str(path)]


@pytest.mark.parametrize(
    "verb", ["verify", "stats", "pool", "convert", "synthesize"]
)
@pytest.mark.parametrize("number", [0, -3])
def test_no_class(tmp_path, verb, number):
    path = _write(tmp_path / "a.tfrecord", range(1))
    arguments = {
        "verify": [f"--input_data_pattern={path}"],
        "stats": [f"--input_data_pattern={path}"],
        "convert": [
            f"--input_data_pattern={path}",
            f"--output_dir={tmp_path}/out",
        ],
        "pool": [
            f"--input_data_pattern={path}",
            f"--output_dir={tmp_path}/out",
        ],
        "synthesize": [f"--output_dir={tmp_path}/out"],
    }[verb]
    with pytest.raises(
        ValueError,
        match=f"expected --num_classes to be at least 1.*num_classes={number}",
    ):
        _main(verb, *arguments, f"--num_classes={number}")


def test_verify_with_counts_and_an_official_split(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(2))
    (tmp_path / "counts.csv").write_text("a.tfrecord,3\n")
    arguments = ("verify", f"--input_data_pattern={path}", *_FEATURES)
    assert _main(*arguments) == 0
    assert _main(*arguments, f"--manifest={tmp_path}/counts.csv") == 1
    assert _main(*arguments, "--official_split=2018/test") == 1
    assert "1,133,323 videos of 2018/test" in capsys.readouterr().out


def test_stats_prints_and_writes(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(3), num_frames=7)
    output = tmp_path / "stats.json"
    assert (
        _main(
            "stats",
            f"--input_data_pattern={path}",
            *_FEATURES,
            "--num_classes=10",
            f"--output_json={output}",
        )
        == 0
    )
    text = capsys.readouterr().out
    assert "frames a video: mean 7.00, 7 to 7" in text
    assert json.loads(output.read_text())["frames_per_video"] == {"7": 3}


def test_stats_names_classes_of_a_vocabulary(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(3))
    names = tmp_path / "names.txt"
    names.write_text("".join(f"name{index}\n" for index in range(10)))
    arguments = (
        "stats",
        f"--input_data_pattern={path}",
        *_FEATURES,
        "--num_classes=10",
    )
    assert _main(*arguments) == 0
    before = capsys.readouterr().out
    assert _main(*arguments, f"--vocabulary_file={names}") == 0
    after = capsys.readouterr().out.splitlines()
    for number, line in enumerate(before.splitlines()):
        word, label, *_ = [*line.split(), "", ""]
        if word == "class":
            shown = f"class {label} name{label}"
            assert after[number].strip().startswith(shown)
    assert "class " in before and "name" not in before


def test_stats_draws(tmp_path):
    pytest.importorskip("matplotlib")
    path = _write(tmp_path / "a.tfrecord", range(3))
    plot = tmp_path / "plot.png"
    _main(
        "stats",
        f"--input_data_pattern={path}",
        *_FEATURES,
        f"--output_plot={plot}",
    )
    assert plot.stat().st_size > 0


def test_repack_and_back(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", range(3))
    packed, back = tmp_path / "packed", tmp_path / "back"
    for arguments in (
        (f"--input_data_pattern={path}", f"--output_dir={packed}"),
        (
            f"--input_data_pattern={packed}/*.tfrecord",
            f"--output_dir={back}",
            "--unpack",
            *_FEATURES,
        ),
    ):
        assert _main("repack", *arguments) == 0
        assert "1 files, 3 records, " in capsys.readouterr().out
    assert (back / "a.tfrecord").read_bytes() == path.read_bytes()
    with pytest.raises(ValueError, match="expected --feature_names"):
        _main("repack", *arguments[:3])
    features = readers.RecordFeatures(
        feature_names=("rgb", "audio"), feature_sizes=(6, 3)
    )
    readers.write_features(str(packed / readers.FEATURES_NAME), features)
    again = f"--output_dir={tmp_path}/again"
    assert _main("repack", arguments[0], again, "--unpack") == 0
    assert (tmp_path / "again/a.tfrecord").read_bytes() == path.read_bytes()
    capsys.readouterr()
    with pytest.raises(ValueError, match="expected one size above 0 for each"):
        _main("repack", *arguments[:3], "--feature_names=rgb", _FEATURES[1])


def test_convert(tmp_path, capsys):
    for name in ("cat", "dog"):
        message = tf.train.SequenceExample()
        frames = message.feature_lists.feature_list["floats"].feature
        frames.add().float_list.value.extend([0.5, -1.0])
        path = tmp_path / f"{name}.pb"
        path.write_bytes(message.SerializeToString())
    (tmp_path / "labels.csv").write_text("cat,Red\nemu,blue\n")
    (tmp_path / "names.csv").write_text("index,name\n4,red\n7,Blue\n")
    arguments = [
        "convert",
        f"--input_data_pattern={tmp_path}/*.pb",
        f"--vocabulary_file={tmp_path}/names.csv",
        f"--output_dir={tmp_path}/out",
        "--source_features=floats",
        "--feature_names=rgb",
        "--feature_sizes=2",
        f"--output_json={tmp_path}/report.json",
    ]
    with pytest.raises(ValueError, match="--source_labels with --vocabulary"):
        _main(*arguments)
    assert _main(*arguments, f"--labels_file={tmp_path}/labels.csv") == 0
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["num_written"] == 1
    assert values["without_labels"] == ["dog"]
    assert values["without_features"] == ["emu"]
    assert "1 videos without labels, left out: dog" in capsys.readouterr().out
    (path,) = values["files"]
    (record,) = tf.data.TFRecordDataset(path).as_numpy_iterator()
    message = tf.train.SequenceExample.FromString(record)
    assert message.context.feature["labels"].int64_list.value == [4]
    with pytest.raises(ValueError, match="whole numbers above 0. Received: f"):
        _main(*arguments[:-2], "--feature_sizes=x")


def test_download_asks_for_what_the_flags_say(tmp_path, monkeypatch, capsys):
    asked = []

    def download(output_dir, config):
        asked.append((output_dir, config))
        return [str(_write(tmp_path / "a.tfrecord", range(1)))]

    monkeypatch.setattr(datasets, "download_files", download)
    status = _main(
        "download",
        f"--output_dir={tmp_path}",
        "--partition=3/frame",
        "--split=test",
        "--mirror=asia",
        "--shard=2,100",
        "--base_url=http://127.0.0.1",
        "--checksums=sums",
        "--file_names=a,b",
        "--num_connections=3",
        "--timeout_s=7.5",
        "--num_retries=1",
        "--max_file_gb=0.5",
    )
    assert status == 0
    config = datasets.DownloadConfig(
        partition="3/frame",
        split="test",
        mirror="asia",
        shard=(2, 100),
        base_url="http://127.0.0.1",
        checksums="sums",
        file_names=("a", "b"),
        num_connections=3,
        timeout_s=7.5,
        num_retries=1,
        max_file_gb=0.5,
    )
    assert asked == [(str(tmp_path), config)]
    assert capsys.readouterr().out.startswith("1 files, 0.0 MB, checked, in ")


def test_missing_output_dir():
    with pytest.raises(ValueError, match="expected --output_dir"):
        _main("synthesize")


def test_every_output_is_tried_after_the_result_is_shown(tmp_path, capsys):
    path = _write(tmp_path / "a.tfrecord", [0, 1])
    path.write_bytes(path.read_bytes()[:-1])
    pattern = f"--input_data_pattern={path}"
    common = (pattern, *_FEATURES, "--num_classes=10")
    with pytest.raises(OSError, match="/dev/full"):
        _main(
            "verify",
            *common,
            "--output_json=/dev/full",
            f"--write_manifest={tmp_path}/counts.json",
            f"--repair={tmp_path}/new",
        )
    assert json.loads((tmp_path / "counts.json").read_text()) == {"files": {}}
    text = capsys.readouterr().out
    assert "1 files, 1 records" in text
    assert f"{tmp_path}/new/a.tfrecord: 1 records written" in text
    assert (tmp_path / "new" / "a.tfrecord").exists()
    with pytest.raises(OSError, match="/dev/full"):
        _main(
            "stats",
            f"--input_data_pattern={tmp_path}/new/a.tfrecord",
            *common[1:],
            "--output_json=/dev/full",
        )
    assert "labels a video: mean" in capsys.readouterr().out


def test_outputs_go_through_links_and_devices(tmp_path, capfd):
    path = _write(tmp_path / "a.tfrecord", range(3))
    target = tmp_path / "target.json"
    target.write_text("before")
    (tmp_path / "link.json").symlink_to(target)
    for output in (tmp_path / "link.json", "/dev/null", "/dev/fd/1"):
        for verb, flag in (
            ("stats", "output_json"),
            ("verify", "write_manifest"),
        ):
            arguments = (f"--input_data_pattern={path}", *_FEATURES)
            assert _main(verb, *arguments, f"--{flag}={output}") == 0
    assert (tmp_path / "link.json").is_symlink()
    assert datasets.read_manifest(str(target)) == {
        "a.tfrecord": datasets.Expected(3, path.stat().st_size)
    }
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert '"num_videos": 3' in capfd.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "a.tfrecord",
        "link.json",
        "target.json",
    ]


def test_files_of_one_name_in_two_folders(tmp_path, capsys):
    for number, name in enumerate(("train", "validate")):
        (tmp_path / name).mkdir()
        first = 10 * number
        _write(tmp_path / name / "part", range(first, first + 4 - number))
    arguments = (
        "verify",
        f"--input_data_pattern={tmp_path}/*/part",
        *_FEATURES,
        "--num_classes=10",
    )
    counts = tmp_path / "counts.json"
    assert _main(*arguments, f"--write_manifest={counts}") == 0
    found = json.loads(counts.read_text())["files"]
    assert {name: entry["num_videos"] for name, entry in found.items()} == {
        "train/part": 4,
        "validate/part": 3,
    }
    assert _main(*arguments, f"--manifest={counts}") == 0
    assert capsys.readouterr().out.count("2 files, 7 records") == 2


@pytest.mark.slow
def test_pool_says_what_to_train_with(tmp_path, capsys):
    records = [
        record_makers.make_frame_example(0, 0),
        record_makers.make_frame_example(1, 6, segments=[(0, 3, 1.0)]),
    ]
    path = record_makers.write_tfrecord(tmp_path / "a.tfrecord", records)
    arguments = (
        "pool",
        f"--input_data_pattern={path}",
        f"--output_dir={tmp_path}/out",
        *_FEATURES,
        "--num_classes=10",
        "--statistics=mean,std,length",
    )
    with pytest.raises(ValueError, match="a.tfrecord: record 0: no_frames"):
        _main(*arguments)
    assert _main(*arguments, "--on_data_error=skip") == 0
    text = capsys.readouterr().out
    assert text.startswith("1 files, 1 records, ")
    assert (
        "\ntrain with: --feature_names=mean_rgb,mean_audio,std_rgb,std_audio,"
        "length --feature_sizes=6,3,6,3,1\n"
    ) in text
    assert "\nleft out: segment_end_times, segment_labels, " in text
    table = r"left out of the data:\nfile .*\n-.*\n\S+a.tfrecord +1 "
    assert re.search(table, text)


def test_repack_names_what_it_leaves_out(tmp_path, capsys):
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1, 2)
    )
    for number in range(2):
        step = message.feature_lists.feature_list["times"].feature.add()
        step.int64_list.value.append(number)
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [message.SerializeToString()])
    arguments = (
        "repack",
        f"--input_data_pattern={path}",
        f"--output_dir={tmp_path}/out",
    )
    with pytest.raises(ValueError, match="; feature_names=audio,rgb chooses"):
        _main(*arguments)
    assert _main(*arguments, "--feature_names=rgb,audio") == 0
    text = capsys.readouterr().out
    assert text.endswith("left out, not in --feature_names: times\n")

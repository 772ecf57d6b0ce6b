"""Tests of yt8m-data on a disk that is full."""

import json
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

import record_makers

_TEST = """
import contextlib, io, json, os, pathlib, sys
from yt8m_compact.programs.data import main as program

def main(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            return program.parse(arguments).call(), text.getvalue()
        except OSError as error:
            return str(error), text.getvalue()

def names():
    return sorted(str(path.relative_to(disk)) for path in disk.rglob("*"))

disk = pathlib.Path(sys.argv[1])
results = []
for pages, *arguments in json.loads(sys.argv[2]):
    free = os.statvfs(disk).f_bavail - pages
    (disk / "filler").write_bytes(bytes(4096 * free))
    first = main(*arguments)
    left = names()
    (disk / "filler").unlink()
    second = main(*arguments)
    results.append([first, left, second, names()])
    for path in sorted(disk.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
print("RESULTS" + json.dumps(results))
"""


def _small_disk(disk: pathlib.Path) -> list[str]:
    """Returns how to start a program that has a disk of 400 kB to itself."""
    mount = f'mount -t tmpfs -o size=400k none {disk} && exec "$@"'
    command = ["unshare", "--mount", "bash", "-c", mount, "bash"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"can't mount a disk: {error}")
    return command


@pytest.mark.slow
def test_nothing_is_left_and_the_same_call_goes_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    videos = [record_makers.make_video_example(i) for i in range(60)]
    record_makers.write_tfrecord(tmp_path / "videos", videos)
    frames = [record_makers.make_frame_example(i, 50) for i in range(20)]
    record_makers.write_tfrecord(tmp_path / "frames", frames)
    record_makers.write_tfrecord(tmp_path / "bad", [*frames, b"bad"])
    many = [record_makers.make_frame_example(i, 2) for i in range(80)]
    record_makers.write_tfrecord(tmp_path / "many", many)
    for name in ("cat", "dog"):
        message = tf.train.SequenceExample()
        for _ in range(9):
            step = message.feature_lists.feature_list["floats"].feature.add()
            step.float_list.value.extend([0.5] * 600)
        (tmp_path / f"{name}.pb").write_bytes(message.SerializeToString())
    features = ["--feature_names=rgb,audio", "--feature_sizes=6,3"]
    frame_flags = [*features, "--num_classes=10"]
    # Pages of 4 kB that are free, arguments; what is left then, and at the end.
    cases = [
        (
            [
                1,
                "split",
                f"--input_data_pattern={tmp_path}/videos",
                f"--output_dir={disk}/out",
                "--validate_percent=50",
            ],
            [],
            ["out", "out/train.tfrecord", "out/validate.tfrecord"],
        ),
        (
            [
                1,
                "repack",
                f"--input_data_pattern={tmp_path}/frames",
                f"--output_dir={disk}/out",
            ],
            ["out"],
            ["out", "out/frames", "out/yt8m_manifest.json"],
        ),
        (
            [
                1,
                "pool",
                f"--input_data_pattern={tmp_path}/many",
                f"--output_dir={disk}/out",
                *frame_flags,
            ],
            ["out"],
            ["out", "out/many", "out/yt8m_manifest.json"],
        ),
        (
            [
                1,
                "convert",
                f"--input_data_pattern={tmp_path}/*.pb",
                f"--output_dir={disk}/out",
                "--source_features=floats",
                "--feature_names=rgb",
                "--feature_sizes=600",
                "--num_shards=2",
            ],
            [],
            [
                "out",
                "out/videos-00000-of-00002.tfrecord",
                "out/videos-00001-of-00002.tfrecord",
                "out/yt8m_features.json",
            ],
        ),
        (
            [
                1,
                "verify",
                f"--input_data_pattern={tmp_path}/bad",
                f"--repair={disk}/out",
                *frame_flags,
            ],
            ["out", "out/yt8m_repair.json"],
            ["out", "out/bad"],
        ),
        (
            [
                1,
                "synthesize",
                f"--output_dir={disk}/out",
                "--num_train_videos=1",
                "--num_validate_videos=1",
                "--num_train_shards=1",
                "--num_validate_shards=1",
            ],
            ["out"],
            None,  # never enough room
        ),
        (
            [
                0,
                "stats",
                f"--input_data_pattern={tmp_path}/frames",
                f"--output_json={disk}/stats.json",
                *frame_flags,
            ],
            [],
            ["stats.json"],
        ),
        (
            [
                0,
                "verify",
                f"--input_data_pattern={tmp_path}/frames",
                f"--output_json={disk}/report.json",
                f"--write_manifest={disk}/counts.json",
                *frame_flags,
            ],
            [],
            ["counts.json", "report.json"],
        ),
    ]
    done = subprocess.run(
        [
            *_small_disk(disk),
            sys.executable,
            "-c",
            _TEST,
            str(disk),
            json.dumps([arguments for arguments, _, _ in cases]),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.partition("RESULTS")[2])
    for (arguments, left, there), result in zip(cases, results, strict=True):
        (status, text), found, (second, _), last = result
        assert str(disk) in str(status), (arguments, result)
        assert found == sorted(["filler", *left]), (arguments, result)
        if there is not None:
            expected = 1 if "--repair" in " ".join(arguments[1:]) else 0
            assert second == expected, (arguments, result)
            assert last == there, (arguments, result)
        if arguments[1] in ("verify", "stats"):
            # The result was shown before the disk was asked.
            assert "1 files, 2" in text, (arguments, result)

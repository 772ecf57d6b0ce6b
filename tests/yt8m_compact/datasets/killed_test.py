"""Tests of yt8m-data that was killed while it wrote."""

import pathlib
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

import record_makers
from yt8m_compact.programs.data import main

_KILLED = """
import os, signal, sys
from yt8m_compact.datasets import record_writer
from yt8m_compact.programs.data import main

write, left = record_writer.Writer.write, [3]
def die(self, record):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, record)
record_writer.Writer.write = die
main.parse(sys.argv[1:]).call()
"""


def _main(*arguments: str) -> int:
    return main.parse(arguments).call()


def _contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb", ["split", "repack", "pool", "convert", "synthesize"]
)
def test_the_same_call_goes_on_and_nothing_is_left(tmp_path, verb):
    frames = [record_makers.make_frame_example(i, 3) for i in range(9)]
    record_makers.write_tfrecord(tmp_path / "frames", frames)
    message = tf.train.SequenceExample()
    step = message.feature_lists.feature_list["floats"].feature.add()
    step.float_list.value.extend([0.5, 1.0])
    for name in "abcd":
        (tmp_path / f"{name}.pb").write_bytes(message.SerializeToString())
    arguments = {
        "split": [
            f"--input_data_pattern={tmp_path}/frames",
            "--validate_percent=50",
        ],
        "repack": [f"--input_data_pattern={tmp_path}/frames"],
        "pool": [f"--input_data_pattern={tmp_path}/frames"],
        "convert": [
            f"--input_data_pattern={tmp_path}/*.pb",
            "--source_features=floats",
            "--feature_names=rgb",
            "--feature_sizes=2",
        ],
        "synthesize": [
            "--num_train_videos=4",
            "--num_validate_videos=1",
            "--num_train_shards=2",
            "--num_validate_shards=1",
        ],
    }[verb]
    out = tmp_path / "out"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _KILLED,
            verb,
            f"--output_dir={out}",
            *arguments,
        ],
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # What was half written has no name that a pattern of data matches.
    for path in out.glob("*"):
        assert path.name.startswith(".") or path.name in (
            "synthetic.json",
            "train-00000-of-00002.tfrecord",
            "yt8m_features.json",
        )
    assert list(out.glob(".*"))
    assert _main(verb, f"--output_dir={out}", *arguments) == 0
    assert _main(verb, f"--output_dir={tmp_path}/whole", *arguments) == 0
    assert _contents(out) == _contents(tmp_path / "whole")

"""Tests of what TensorFlow says of itself, and is not shown."""

import os
import re
import sys

import pytest

import tiny_runs
from yt8m_compact import tensorflow_silence

# As TensorFlow 2.21 and 2.16 write them.
NOTES = [
    "WARNING: All log messages before absl::InitializeLog() is called are "
    "written to STDERR",
    "I0000 00:00:1795709605.783730   21384 port.cc:153] oneDNN custom "
    "operations are on.",
    "W0000 00:00:1795709605.783730   21384 cudart_stub.cc:31] Could not find",
    "2024-03-11 10:00:00.123456: I external/local_tsl/tsl/cuda/cudart_stub.cc"
    ":32] Could not find cuda drivers on your machine, GPU will not be used.",
    "To enable the following instructions: AVX2 FMA, in other operations, "
    "rebuild TensorFlow with the appropriate compiler flags.",
    "E0000 00:00:1737000000.123456    4321 cuda_dnn.cc:8310] Unable to "
    "register cuDNN factory: Attempting to register factory for plugin cuDNN",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
]
OTHERS = [
    "E0000 00:00:1795709605.783730   21384 a.cc:31] something is broken",
    "F0000 00:00:1795709605.783730   21384 a.cc:31] Check failed: a == b",
    "2024-03-11 10:00:00.123456: F a.cc:32] The TensorFlow library was "
    "compiled to use AVX instructions",
    "INFO: of a program",
    "I0000 is no note",
    "Traceback (most recent call last):",
    "",
]
NO_GPU = (
    "E0000 00:00:1795709606.852901   21384 cuda_platform.cc:52] failed call to "
    "cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"
)

_RUN = """
import os, sys
from yt8m_compact import tensorflow_silence
tensorflow_silence._may_have_gpu = lambda: bool(int(sys.argv[1]))
with getattr(tensorflow_silence, sys.argv[2])():
    for line in sys.argv[3:]:
        print(line, file=sys.stderr)
    print("end", end="", file=sys.stderr)
    if sys.argv[2] == "_filtered":
        sys.stderr.flush()
        os.abort()
"""


def shown(function: str, *lines: str, has_gpu: bool = False) -> list[str]:
    done = tiny_runs.execute(
        "-c", _RUN, str(int(has_gpu)), function, *lines, folder="."
    )
    return done.stderr.split("\n")


@pytest.mark.parametrize("function", ["_filtered", "without_notes"])
def test_notes_are_left_out_and_nothing_else(function):
    # `_filtered` shows them even where the process aborts.
    lines = [line for pair in zip(OTHERS, NOTES, strict=True) for line in pair]
    assert shown(function, *lines) == [*OTHERS, "end"]
    assert shown(function, NO_GPU) == ["end"]
    assert shown(function, NO_GPU, has_gpu=True) == [NO_GPU, "end"]


def test_all_is_shown_where_that_is_asked_for(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    finders = [*sys.meta_path]
    tensorflow_silence.prepare()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    tensorflow_silence.prepare_worker()
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    assert sys.meta_path == finders


_IMPORT = """
import os, sys
del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # `execute` sets it.
exec(sys.argv[1])
import yt8m_compact
before = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
exec(sys.argv[2])
yt8m_compact.ops.num_replicas()
print(before, os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "level", "is_silent"),
    [
        ("", "", "None 2", True),
        # A notebook has other threads, which no copy of the process would have.
        ("os.fork = None", "", "None 2", True),
        # Asked for, before or after; or TensorFlow was there.
        ("os.environ['TF_CPP_MIN_LOG_LEVEL'] = '1'", "", "1 1", False),
        ("", "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '0'", "None 0", False),
        ("import tensorflow", "", "None None", False),
    ],
)
def test_the_library_says_nothing_of_tensorflow(
    before, after, level, is_silent
):
    done = tiny_runs.execute("-c", _IMPORT, before, after, folder=".")
    assert done.stdout.strip() == level, done.stderr
    assert (done.stderr == "") == is_silent, done.stderr


def errors(command: str, folder) -> str:
    done = tiny_runs.execute(*command.split(), folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_programs_say_nothing_of_tensorflow(tmp_path):
    command = "-m yt8m_compact.eval.evaluate --parameters_only --num_classes=5"
    assert errors(command, tmp_path) == ""
    text = errors(f"{command} --verbosity=1", tmp_path)
    assert re.search(r"^[IWE]0000 |: [IWE] ", text, re.MULTILINE)


@pytest.mark.slow
def test_processes_of_programs_say_nothing_of_tensorflow(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data")
    command = "-m yt8m_compact.programs.data.main stats --num_processes=2"
    command += f" --input_data_pattern={pattern}"
    assert errors(command, tmp_path) == ""

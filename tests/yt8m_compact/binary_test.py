"""Tests of what the command-line programs share."""

import json
import re

from absl import flags
import pytest

import tiny_runs
from yt8m_compact import binary
from yt8m_compact import data
from yt8m_compact import demo
from yt8m_compact import export
from yt8m_compact import predict
from yt8m_compact import train
from yt8m_compact.eval import evaluate

PROGRAMS = {
    "yt8m-train": train,
    "yt8m-eval": evaluate,
    "yt8m-export": export,
    "yt8m-predict": predict,
    "yt8m-data": data,
    "yt8m-demo": demo,
}

# Each command runs in a child of one process, which imports TensorFlow once.
_RUN_ALL = """
import importlib, json, os, sys, tempfile, traceback
import tensorflow

results = []
for module, arguments in json.loads(sys.argv[1]):
    streams = [tempfile.TemporaryFile("w+") for _ in range(2)]
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream.fileno(), number)
        sys.argv = arguments
        status = 99
        try:
            importlib.import_module(module).run()
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    texts = []
    for stream in streams:
        stream.seek(0)
        texts.append(stream.read())
    results.append([os.waitstatus_to_exitcode(status), *texts])
print(json.dumps(results))
"""

COMMANDS = {
    **{name: [name, "--help"] for name in PROGRAMS},
    "done": ["yt8m-eval", "--parameters_only", "--num_classes=5"],
    "value error": ["yt8m-eval", "--train_dir=missing"],
    "data error": [
        "yt8m-train",
        "--train_dir=run",
        "--train_data_pattern=missing*",
    ],
    "position": ["yt8m-export", "--train_dir=run", "extra", "words"],
    "folder": [
        "yt8m-eval",
        "--parameters_only",
        "--num_classes=5",
        "--output_json=.",
    ],
    # Nothing can be written there, not even by root.
    "system": [
        "yt8m-eval",
        "--parameters_only",
        "--num_classes=5",
        "--output_json=/proc/counts.json",
    ],
    "verbose": ["yt8m-eval", "--train_dir=missing", "--verbosity=1"],
    "unknown": ["yt8m-train", "--train_dir=run", "--learning_rate=1"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, list]:
    """Exit status, output and errors of each command."""
    commands = [
        (PROGRAMS[command[0]].__name__, command)
        for command in COMMANDS.values()
    ]
    done = tiny_runs.execute(
        "-c",
        _RUN_ALL,
        json.dumps(commands),
        folder=tmp_path_factory.mktemp("commands"),
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(COMMANDS, json.loads(done.stdout), strict=True))


def errors_of(result: list) -> list[str]:
    """Lines on standard error, without those of TensorFlow's C++ part."""
    lines = result[2].splitlines()
    return [
        line
        for line in lines
        if not re.match(r"[IWE]0000 |WARNING: All log messages before", line)
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_help(results, name):
    _, text, _ = results[name]
    module = PROGRAMS[name]
    assert text.lstrip().startswith(module.__doc__.splitlines()[0])
    flag_values = flags.FlagValues()
    module.define_flags(flag_values)
    listed = re.findall(r"^ +--(?:\[no\])?(\w+):", text, flags=re.MULTILINE)
    assert set(flag_values) <= set(listed)


def test_success(results):
    status, text, _ = results["done"]
    assert status == 0
    assert text.startswith("LogisticModel\n")
    assert errors_of(results["done"]) == []


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            "value error",
            "yt8m-eval: error: expected --eval_data_pattern. Files to evaluate"
            " on: glob patterns, comma-separated. Received: "
            "eval_data_pattern=''",
        ),
        (
            "data error",
            "yt8m-train: error: no file matches the pattern 'missing*': "
            "expected at least one TFRecord file. The folder '.' is empty.",
        ),
        (
            "position",
            "yt8m-export: error: expected flags only, such as "
            "--batch_size=1024. Received: extra words",
        ),
        (
            "folder",
            "yt8m-eval: error: expected --output_json to be a file. Received: "
            "output_json='.', which is a folder; name a file in it",
        ),
        (
            "system",
            "yt8m-eval: error: /proc/counts.json.partial; No such file or "
            "directory",
        ),
    ],
)
def test_error_is_one_line(results, command, line):
    assert results[command][0] == 1
    assert errors_of(results[command]) == [line]


def test_verbose_error_has_a_traceback(results):
    lines = errors_of(results["verbose"])
    assert results["verbose"][0] == 1
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("yt8m-eval: error: expected --eval_data_patt")


def test_unknown_flag(results):
    status, _, text = results["unknown"]
    assert status == 1
    assert "Unknown command line flag 'learning_rate'" in text


def test_expect_no_arguments():
    binary.expect_no_arguments([])
    message = "expected flags only, such as --batch_size=1024. Received: a b"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        binary.expect_no_arguments(["a", "b"])


def test_expect_given():
    flag_values = flags.FlagValues()
    flags.DEFINE_string("data", "", "The data.", flag_values=flag_values)
    flag_values(["program"])
    message = "expected --data. The data. Received: data=''"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        binary.expect_given(flag_values, "data")
    flag_values(["program", "--data=x"])
    binary.expect_given(flag_values, "data")

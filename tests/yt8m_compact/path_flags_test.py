"""Tests of flags that name files."""

import re

from absl import flags
import pytest

from yt8m_compact import path_flags
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import demo
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main as data

# Every flag of a program that names files, and what is no such flag.
PATHS = {
    train: {
        "train_dir",
        "train_data_pattern",
        "eval_data_pattern",
        "vocabulary_file",
        "study",
        "init_from",
        "teacher",
    },
    evaluate: {
        "train_dir",
        "model_file",
        "eval_data_pattern",
        "output_json",
        "report_dir",
        "vocabulary_file",
        "predictions",
        "labels",
        "ensemble",
    },
    predict: {
        "train_dir",
        "model_file",
        "ensemble",
        "input_data_pattern",
        "output_file",
        "vocabulary_file",
        "segment_label_ids_file",
    },
    export: {
        "train_dir",
        "export_dir",
        "report_data_pattern",
        "calibration_data_pattern",
        "vocabulary_file",
    },
    demo: {"output_dir"},
    data.VERBS["download"]: {"output_dir", "checksums"},
    data.VERBS["verify"]: {
        "input_data_pattern",
        "output_json",
        "manifest",
        "write_manifest",
        "repair",
    },
    data.VERBS["stats"]: {
        "input_data_pattern",
        "output_json",
        "output_plot",
        "vocabulary_file",
    },
    data.VERBS["repack"]: {"input_data_pattern", "output_dir"},
    data.VERBS["pool"]: {"input_data_pattern", "output_dir"},
    data.VERBS["convert"]: {
        "input_data_pattern",
        "output_dir",
        "output_json",
        "features_file",
        "labels_file",
        "vocabulary_file",
    },
    data.VERBS["split"]: {"input_data_pattern", "output_dir"},
    data.VERBS["synthesize"]: {"output_dir"},
}
# What may be given several times.
REPEATED = {
    evaluate: {"predictions", "train_dir", "model_file", "ensemble"},
    predict: {"ensemble"},
}
# This is refused.
OTHERS = {"untar_model_dir"}
_NAMES_FILES = re.compile(r"_dir$|_file$|pattern|_json$|_plot$|manifest")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return str(tmp_path)


@pytest.mark.parametrize("program", PATHS, ids=lambda module: module.__name__)
def test_flags_of_programs(program, home):
    flag_values = flags.FlagValues()
    program.define_flags(flag_values)
    named = {name for name in flag_values if _NAMES_FILES.search(name)}
    assert named - OTHERS <= PATHS[program]
    for name in PATHS[program]:
        flag_values[name].parse("~/a")
        value = flag_values[name].value
        is_list = name == "manifest" or name in REPEATED.get(program, ())
        assert value == ([f"{home}/a"] if is_list else f"{home}/a")


def parse(define, text):
    flag_values = flags.FlagValues()
    define("flag", None, "Help.", flag_values=flag_values)
    assert flag_values["flag"].value is None
    flag_values(["program", f"--flag={text}"])
    assert flag_values["flag"].present
    return flag_values["flag"].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a,~b", "a,~b"),
        ("", ""),
        ("./~", "./~"),
        ("gs://a/~", "gs://a/~"),
        ("~", "HOME"),
        ("~/a/~", "HOME/a/~"),
    ],
)
def test_path(text, value, home):
    assert parse(path_flags.define_path, text) == value.replace("HOME", home)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a*,b~,c/~/d", "a*,b~,c/~/d"),
        ("~/a*,/b, ~/c", "HOME/a*,/b,HOME/c"),
        ("~/a, tfds:x", "HOME/a, tfds:x"),
        ("", ""),
    ],
)
def test_pattern(text, value, home):
    value = value.replace("HOME", home)
    assert parse(path_flags.define_pattern, text) == value


def test_a_name_with_a_comma_that_exists(home, tmp_path):
    (tmp_path / "a,~b").touch()
    assert parse(path_flags.define_pattern, "a,~b") == "a,~b"
    assert parse(path_flags.define_pattern, "~/a,~b") == f"{home}/a,~b"


def test_paths(home):
    value = parse(path_flags.define_paths, "~/a, b,~")
    assert value == [f"{home}/a", "b", home]
    assert parse(path_flags.define_paths, "") == []


def test_repeated_path(home):
    flag_values = flags.FlagValues()
    path_flags.define_repeated_path("flag", "Help.", flag_values=flag_values)
    assert flag_values["flag"].value is None
    flag_values(["program", "--flag=~/a,b", "--flag=c"])
    assert flag_values["flag"].value == [f"{home}/a,b", "c"]


@pytest.mark.parametrize(
    ("define", "text"),
    [
        (path_flags.define_path, "~nobody.here/a"),
        (path_flags.define_paths, "b,~nobody.here/a"),
        (path_flags.define_pattern, "b,~nobody.here/a"),
    ],
)
def test_no_such_user(define, text):
    message = (
        f"flag --flag={text}: expected a path whose ~nobody.here is the home "
        "folder of a user; write ./~nobody.here for what is called so. "
        "Received: path='~nobody.here/a'"
    )
    with pytest.raises(
        flags.IllegalFlagValueError, match=f"^{re.escape(message)}$"
    ):
        parse(define, text)


def test_flags_are_written_as_they_are_read(home):
    flag_values = flags.FlagValues()
    path_flags.define_paths("a", ["b"], "Help.", flag_values=flag_values)
    path_flags.define_path("c", "d", "Help.", flag_values=flag_values)
    text = "--a=b\n--c=d\n"
    assert flag_values.flags_into_string() == text
    flag_values(["program", "--a=~/b,c"])
    assert flag_values.flags_into_string() == f"--a={home}/b,c\n--c=d\n"

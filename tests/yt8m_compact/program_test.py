"""Tests of what the command-line programs share."""

from collections.abc import Sequence
import logging
import os
import re
import signal
import sys
import tempfile
import time
import types

from absl import flags
import pytest
import tensorflow as tf

import console_scripts
from yt8m_compact import files
from yt8m_compact import flag_help
from yt8m_compact import help_pages
from yt8m_compact import program
from yt8m_compact.programs.data import main as data
from yt8m_compact.run import config as config_lib

PROGRAMS = console_scripts.PROGRAMS

COMMANDS = {
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
    "unwritable": [
        "yt8m-eval",
        "--parameters_only",
        "--num_classes=5",
        "--output_json=/proc/counts.json",
    ],
    # That is found only when something is written.
    "system": [
        "yt8m-eval",
        "--parameters_only",
        "--num_classes=5",
        "--output_json=/dev/full",
    ],
    "twice": ["yt8m-eval", "--labels=a.csv", "--labels=b.csv"],
    "list twice": [
        "yt8m-predict",
        "--ensemble=a,b",
        "--input_data_pattern=x",
        "--output_file=o",
        "--ensemble=c",
    ],
    "verbose": ["yt8m-eval", "--train_dir=missing", "--verbosity=1"],
    "unknown": ["yt8m-train", "--train_dir=run", "--learning_rate=1"],
    "unknown verb": ["yt8m-data", "verfy"],
    "unknown flag of a verb": ["yt8m-data", "stats", "--output_jsn=a"],
    "flag of another verb": ["yt8m-data", "--seed=3", "stats"],
    "value": ["yt8m-data", "synthesize", "--output_dir=out", "--seed=x"],
    "file of flags": ["yt8m-data", "stats", "--flagfile=missing"],
    "setting": ["yt8m-data", "download", "--output_dir=o", "--timeout_s=0"],
    "verbose verb": ["yt8m-data", "--verbosity=1", "stats"],
    "help of a verb": ["yt8m-data", "--help", "stats"],
    "absl's flags": ["yt8m-data", "--helpfull"],
}


def answers_to(commands, folder) -> dict[str, console_scripts.Answer]:
    """What each command answers, where TensorFlow was imported before."""
    _, answers = console_scripts.answers(
        [*commands.values()], folder, ["tensorflow"]
    )
    return dict(zip(commands, answers, strict=True))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, console_scripts.Answer]:
    return answers_to(COMMANDS, tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def helps(tmp_path_factory) -> dict[str, console_scripts.Answer]:
    commands = {name: [name, "--helpfull"] for name in PROGRAMS}
    return answers_to(commands, tmp_path_factory.mktemp("helps"))


def errors_of(result: Sequence) -> list[str]:
    """Lines on standard error, without those of TensorFlow's C++ part."""
    lines = result[2].splitlines()
    return [
        line
        for line in lines
        if not re.match(r"[IWE]0000 |WARNING: All log messages before", line)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_help(helps, name):
    status, text, *_ = helps[name]
    assert status == 0
    module = PROGRAMS[name]
    assert text.lstrip().startswith(module.__doc__.splitlines()[0])
    if module is data:
        verbs = re.findall(r"^  (\w+)  +[A-Z]", text, re.MULTILINE)
        assert verbs == [*data.VERBS]


def test_success(results):
    status, text, *_ = results["done"]
    assert status == 0
    assert text.startswith("LogisticModel\n")
    assert errors_of(results["done"]) == []


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [
        (
            "value error",
            2,
            "yt8m-eval: error: expected --eval_data_pattern. Files to evaluate"
            " on: glob patterns, comma-separated. Received: "
            "eval_data_pattern=''",
        ),
        (
            "data error",
            1,
            "yt8m-train: error: no file matches the pattern 'missing*': "
            "expected at least one TFRecord file. The folder '.' is empty.",
        ),
        (
            "position",
            2,
            "yt8m-export: error: expected flags only, such as "
            "--batch_size=1024. Received: extra words",
        ),
        (
            "folder",
            2,
            "yt8m-eval: error: expected --output_json to be a file. Received: "
            "output_json='.', which is a folder; name a file in it",
        ),
        (
            "unwritable",
            2,
            "yt8m-eval: error: expected --output_json to be a file that can be "
            "written. Received: output_json='/proc/counts.json', which can't "
            "be (No such file or directory); choose another --output_json",
        ),
        (
            "system",
            1,
            "yt8m-eval: error: [Errno 28] No space left on device: '/dev/full'",
        ),
        (
            "twice",
            2,
            "yt8m-eval: error: expected --labels once, with several separated "
            "by commas. Received: --labels=a.csv --labels=b.csv",
        ),
        (
            "list twice",
            2,
            "yt8m-predict: error: expected --ensemble once, with several "
            "separated by commas. Received: --ensemble=a,b --ensemble=c",
        ),
        (
            "unknown verb",
            2,
            "yt8m-data: error: expected one verb, of download, verify, stats, "
            "repack, pool, convert, split, synthesize, and flags. Received: "
            "verfy; did you mean verify?",
        ),
        (
            "unknown flag of a verb",
            2,
            "yt8m-data: error: expected a flag of stats; see `yt8m-data stats "
            "--help`. Received: --output_jsn; did you mean --output_json?",
        ),
        (
            "flag of another verb",
            2,
            "yt8m-data: error: expected no --seed: stats does not use it; see "
            "`yt8m-data stats --help`. Received: seed=3",
        ),
        (
            "value",
            2,
            "yt8m-data: error: expected --seed to be an integer. Received: "
            "seed='x'",
        ),
        (
            "file of flags",
            2,
            "yt8m-data: error: ERROR:: Unable to open flagfile: [Errno 2] No "
            "such file or directory: 'missing'",
        ),
        (
            "setting",
            2,
            "yt8m-data: error: expected --timeout_s to be above 0. Received: "
            "timeout_s=0.0",
        ),
    ],
)
def test_error_is_one_line(results, command, status, line):
    assert results[command][0] == status
    assert errors_of(results[command]) == [line]


def test_verbose_error_has_a_traceback(results):
    lines = errors_of(results["verbose"])
    assert results["verbose"][0] == 2
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("yt8m-eval: error: expected --eval_data_patt")


def test_unknown_flag(results):
    assert results["unknown"][0] == 2
    assert errors_of(results["unknown"]) == [
        "yt8m-train: error: expected a flag of yt8m-train; see `yt8m-train "
        "--help`. Received: --learning_rate; did you mean "
        "--base_learning_rate?"
    ]


def test_a_command_line_of_a_verb_with_a_traceback(results):
    lines = errors_of(results["verbose verb"])
    assert results["verbose verb"][0] == 2
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("yt8m-data: error: expected --input_data_pat")


def test_help_of_verbs(results):
    status, text, *_ = results["help of a verb"]
    assert status == 0
    assert text.startswith("Counts videos, labels and frames: table, JSON, pl")
    status, text, *_ = results["absl's flags"]
    assert status == 0
    assert text.startswith("Makes, checks and handles data sets of records.")
    assert "--verbosity: " in text


def test_expect_no_arguments():
    program.expect_no_arguments([])
    message = "expected flags only, such as --batch_size=1024. Received: a b"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_no_arguments(["a", "b"])


def test_expect_given():
    flag_values = flags.FlagValues()
    flags.DEFINE_string("data", "", "The data.", flag_values=flag_values)
    flag_values(["program"])
    message = "expected --data. The data. Received: data=''"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_given(flag_values, "data")
    flag_values(["program", "--data=x"])
    program.expect_given(flag_values, "data")


def test_expect_no_file(tmp_path):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("dir", None, "A folder.", flag_values=flag_values)
    for value in ("", str(tmp_path), str(tmp_path / "new")):
        flag_values(["program", f"--dir={value}"])
        program.expect_no_file(flag_values, "dir")
    path = tmp_path / "file"
    path.touch()
    flag_values(["program", f"--dir={path}"])
    message = (
        f"expected --dir to be a folder. Received: dir='{path}', which is a "
        "file"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_no_file(flag_values, "dir")
    # Of several, each.
    flag_values["dir"].value = [str(tmp_path), str(path)]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_no_file(flag_values, "dir")


@pytest.mark.parametrize("path", ["new", "there", "a/b/new"])
def test_a_folder_that_can_be_written(tmp_path, path):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("dir", None, "A folder.", flag_values=flag_values)
    flag_values(["program"])
    program.expect_writable_folder(flag_values, "dir")
    (tmp_path / "there").mkdir()
    flag_values(["program", f"--dir={tmp_path / path}"])
    program.expect_writable_folder(flag_values, "dir")
    program.expect_writable_folder(flag_values, "dir", str(tmp_path / path))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_a_folder_that_can_not_be_written(tmp_path):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("dir", None, "A folder.", flag_values=flag_values)
    (tmp_path / "file").touch()
    path = f"{tmp_path}/file/new"
    message = (
        "expected --dir to be a folder that can be written. Received: "
        f"dir='{path}', which can't be (Not a directory); choose another --dir"
    )
    flag_values(["program"])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_writable_folder(flag_values, "dir", path)
    flag_values(["program", f"--dir={path}"])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        program.expect_writable_folder(flag_values, "dir")


def run_main(main, *arguments, closed=(), pages=None) -> tuple[int, str, str]:
    """Runs a program in a process of its own; returns status and streams."""
    streams = [tempfile.TemporaryFile("w+") for _ in range(2)]
    child = os.fork()
    if not child:
        status = 99
        try:
            for number, name in enumerate(("stdout", "stderr"), start=1):
                os.dup2(streams[number - 1].fileno(), number)
                stream = open(number, "w", closefd=False)
                if number in closed:  # As at the start of Python.
                    os.close(number)
                    stream = None
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)
            sys.argv = ["yt8m-test", *arguments]
            program.run("Tests.", _define_long_help, main, pages)
        except SystemExit as error:
            status = error.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    texts = []
    for stream in streams:
        stream.seek(0)
        texts.append(stream.read())
    errors = errors_of([status, *texts])
    return os.waitstatus_to_exitcode(status), texts[0], "\n".join(errors)


def _define_long_help(flag_values):
    flags.DEFINE_bool("some", True, 40 * "word ", flag_values=flag_values)


def raise_(error):
    def main(flag_values, arguments):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            tf.errors.ResourceExhaustedError(
                None,
                None,
                "{{function_node __wrapped__SaveV2_device_CPU:0}} run/"
                ".e.0123456789ab.partial/v; No space left on device "
                "[Op:SaveV2]\nmore",
            ),
            "run/e/v; No space left on device",
        ),
        (
            tf.errors.ResourceExhaustedError(
                None,
                None,
                "Graph execution error:\n\nDetected at node a defined at\n"
                "OOM when allocating a tensor\n\t [[{{node a}}]]",
            ),
            "OOM when allocating a tensor",
        ),
        (
            ValueError("expected a. Received: b [[{{node c}}]] [Op:D]. Do e"),
            "expected a. Received: b. Do e",
        ),
        (
            OSError(28, "No space left on device", "a.csv"),
            "[Errno 28] No space left on device: 'a.csv'",
        ),
    ],
)
def test_errors_without_the_names_of_nodes(error, line):
    status, output, errors = run_main(raise_(error))
    assert (status, output) == (1, "")
    assert errors == f"yt8m-test: error: {line}"


def test_settings_are_named_as_they_are_typed():
    def main(flag_values, arguments):
        flags.DEFINE_integer("batch_size", 0, "Help.", flag_values=flag_values)
        config_lib.TrainingConfig(batch_size=0)

    assert run_main(main)[2] == (
        "yt8m-test: error: expected --batch_size to be at least 1. Received: "
        "batch_size=0"
    )
    # No flag of this program.
    text = (
        "TrainingConfig: expected seed to be at least 0. Received: seed=-1",
        "run/config.json: TrainingConfig: expected verbosity to be at most 1",
    )
    for line in text:
        errors = run_main(raise_(ValueError(line)))[2]
        assert errors == f"yt8m-test: error: {line}"


def test_a_pipe_without_a_reader_ends_quietly():
    error = BrokenPipeError(32, "Broken pipe", "/dev/stdout")
    assert run_main(raise_(error)) == (128 + signal.SIGPIPE, "", "")
    assert run_main(raise_(error), "--verbosity=1")[2] == f"{error}"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_let_a_program_clean_up(tmp_path, name):
    number = getattr(signal, name)

    def main(flag_values, arguments):
        with files.writing(tmp_path / "out"):
            os.kill(os.getpid(), number)
            time.sleep(60)

    status, _, errors = run_main(main)
    assert status == 128 + number
    assert errors == f"ended by signal {int(number)}"
    assert os.listdir(tmp_path) == []


def test_a_second_signal_ends_what_does_not_end():
    def main(flag_values, arguments):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    assert run_main(main)[0] == -signal.SIGTERM


def test_ignored_signals_stay_ignored():
    def main(flag_values, arguments):
        os.kill(os.getpid(), signal.SIGHUP)

    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_main(main) == (0, "", "")
    finally:
        signal.signal(signal.SIGHUP, previous)


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_closed_streams_end_nothing(closed):
    def main(flag_values, arguments):
        print("done", flush=True)
        tf.get_logger().warning("a warning")
        tf.print("of TensorFlow")
        return 0

    status, output, errors = run_main(main, closed=closed)
    assert status == 0
    assert output == ("" if 1 in closed else "done\n")
    assert ("a warning" in errors) == (2 not in closed)
    assert run_main(raise_(ValueError("expected a")), closed=closed)[0] == 1


@pytest.mark.parametrize("columns", ["0", "3", "", "wide", "60"])
def test_help_for_narrow_terminals(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    _, output, errors = run_main(raise_(ValueError("no help")), "--help")
    assert "--[no]some" in output
    assert errors == ""
    longest = max(map(len, output.splitlines()))
    assert (longest <= 60) == (columns == "60")


def headings_and_flags(text: str) -> list[str]:
    lines = text.splitlines()[2:]
    return [
        line.split(":")[0]
        for line in lines
        if line.endswith(":") or line.startswith("  --")
    ]


@pytest.fixture
def define(monkeypatch):
    def define(flag_values):
        for name in ("ant", "bee", "cat", "dog"):
            flags.DEFINE_integer(name, 1, f"A {name}.", flag_values=flag_values)
        help_pages.set_group(flag_values, "dog", "of people")
        help_pages.set_group(flag_values, "ant", "insects")
        help_pages.set_group(flag_values, "bee", "insects")

    monkeypatch.setattr(sys.modules[__name__], "_define_long_help", define)


def test_help_by_groups(define):
    _, output, _ = run_main(raise_(ValueError("no help")), "--help")
    # Groups in the order of their first flags, then those of no group.
    assert headings_and_flags(output) == [
        "insects",
        "  --ant",
        "  --bee",
        "of people",
        "  --dog",
        "other flags",
        "  --cat",
    ]
    assert output.count(" (default: 1)\n") == 4


def test_short_and_full_help(define):
    pages = help_pages.HelpPages(
        common={"mine": ("cat", "ant")}, needed=("ant",)
    )
    main = raise_(ValueError("no help"))
    _, output, _ = run_main(main, "--help", pages=pages)
    assert headings_and_flags(output) == ["mine", "  --cat", "  --ant"]
    assert "  --ant: A ant. (needed)\n" in output
    assert output.endswith(
        "All 4 flags: yt8m-test --helpfull\nWhat TensorFlow logs, and where "
        "an error comes from: --verbosity=1\n"
    )
    _, output, _ = run_main(main, "--helpfull", pages=pages)
    found = headings_and_flags(output)
    assert found[:7] == [
        "mine",
        "  --cat",
        "insects",
        "  --ant",
        "  --bee",
        "of people",
        "  --dog",
    ]
    assert found[7] == "flags of every program"
    assert "  --verbosity" in found


def test_long_texts_are_cut_after_a_sentence_in_short_help():
    text = "Has 0.5 of it, e.g. a (b). " + "More of it. " * 20
    entry = flag_help.Entry(name="ant", text=text, default="1")
    assert entry.brief().lines() == [
        "  --ant: Has 0.5 of it, e.g. a (b). (default: 1)"
    ]
    entry = flag_help.Entry(name="ant", text="One. Two.", is_boolean=True)
    assert entry.brief().lines() == ["  --[no]ant: One. Two."]


@pytest.mark.parametrize(
    ("columns", "verbosity", "expected"),
    [("72", 0, 72), ("9", 0, 40), ("72", 1, None), (None, 0, None)],
)
def test_tables_are_as_wide_as_the_terminal(
    monkeypatch, columns, verbosity, expected
):
    # A terminal, or a file.
    stream = types.SimpleNamespace(isatty=lambda: columns is not None)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", columns or "72")
    monkeypatch.setattr(flags.FLAGS["verbosity"], "_value", verbosity)
    assert program.table_columns() == expected


@pytest.mark.parametrize(
    ("level", "extra", "expected"),
    [
        (logging.INFO, {"about_settings": True}, "--batch_size: 8 -> 20"),
        (logging.WARNING, None, "--batch_size: 8 -> 20"),
        # It may be a folder of that name.
        (logging.INFO, None, "training.batch_size: 8 -> 20"),
    ],
)
def test_log_lines_name_settings_as_they_are_typed(level, extra, expected):
    flag_values = flags.FlagValues()
    flags.DEFINE_integer("batch_size", 8, "Help.", flag_values=flag_values)
    record = logging.getLogger("yt8m_compact").makeRecord(
        "yt8m_compact",
        level,
        "file.py",
        1,
        "changed: %s",
        ("training.batch_size: 8 -> 20",),
        None,
        extra=extra,
    )
    text = program._Formatter(flag_values).format(record)
    assert text == f"changed: {expected}"

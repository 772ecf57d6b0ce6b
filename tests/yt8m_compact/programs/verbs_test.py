"""Tests of programs of several verbs."""

import re
import types

from absl import flags
import pytest

from yt8m_compact import path_flags
from yt8m_compact.programs import verbs


def _define_first(flag_values):
    path_flags.define_path("input", "", "What.", flag_values=flag_values)
    flags.DEFINE_integer("number", 3, "How.", flag_values=flag_values)
    flags.DEFINE_bool("quick", False, "Fast?", flag_values=flag_values)
    flags.DEFINE_list("names", [], "Who.", flag_values=flag_values)


def _define_second(flag_values):
    flags.DEFINE_float("share", 0.5, "Much.", flag_values=flag_values)
    flags.DEFINE_bool("loud", True, "Loud?", flag_values=flag_values)
    flags.DEFINE_enum(
        "pace", "", ["", "fast", "slow"], "Pace.", flag_values=flag_values
    )


_VERBS = {
    "first": types.SimpleNamespace(
        __doc__="Does one thing.\n\nMore of it.",
        NEEDED=("input",),
        define_flags=_define_first,
        main=lambda flag_values: flag_values.flag_values_dict(),
    ),
    "second": types.SimpleNamespace(
        __doc__="Does another.",
        NEEDED=(),
        define_flags=_define_second,
        main=lambda flag_values: flag_values.flag_values_dict(),
    ),
}
_DEFAULTS = {"input": "in", "number": 3, "quick": False, "names": []}


@pytest.fixture(autouse=True)
def verbosity():
    before = flags.FLAGS["verbosity"].value
    yield
    flags.FLAGS["verbosity"].value = before


def _parse(*line):
    return verbs.parse("program", "A program.", _VERBS, line).call()


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("first --input=in", {}),
        ("first --input in --number 5", {"number": 5}),
        ("--number=5 first --input=in", {"number": 5}),
        ("--number 5 --quick first --input=in", {"number": 5, "quick": True}),
        ("first -input=in -number 5 -quick", {"number": 5, "quick": True}),
        ("first --input=in --quick --noquick", {}),
        ("first --input=in --quick=true", {"quick": True}),
        ("first --input=in --noquick --quick=1", {"quick": True}),
        ("first --input=in --quick --quick=false", {}),
        ("first --input=in --number -5", {"number": -5}),
        ("first --input=in --number=1 --number=2", {"number": 2}),
        ("first --input=--number", {"input": "--number"}),
        ("first --input --number", {"input": "--number"}),
        ("first --input=a=b", {"input": "a=b"}),
        ("first --input in --names a,b", {"names": ["a", "b"]}),
        ("first --input=in --names=", {}),
        ("--input=in -- first", {}),
        ("first --input=in --verbosity=1", {}),
        ("--verbosity 1 first --input=in", {}),
        ("first -v 1 --input=in", {}),
        ("first --v=1 --input=in", {}),
        ("first --input=in --undefok=other,more --other --more=3", {}),
        ("first --undefok other --input=in --noother", {}),
    ],
)
def test_command_lines(line, values):
    assert _parse(*line.split(" ")) == _DEFAULTS | values
    if "-v" in line:
        assert flags.FLAGS["verbosity"].value == 1


def test_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _parse("first", "--input=~/a")["input"] == f"{tmp_path}/a"


def test_files_of_flags(tmp_path):
    path = tmp_path / "flags"
    path.write_text("# Comment\n--input=in\n--quick=true\n--noquick\n-number=7")
    for line in ([f"--flagfile={path}", "first"], ["first", "-flagfile", path]):
        assert _parse(*map(str, line)) == _DEFAULTS | {"number": 7}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected one verb, of first, second, and flags. Received: no ve"),
        ("--number=3", "expected one verb, .* Received: no verb$"),
        ("frist", "expected one verb, .* Received: frist; did you mean first?"),
        ("second first", "expected one verb, .* Received: second first$"),
        ("second x", "expected one verb, .* Received: second x$"),
        ("second --loud false", "expected one verb, .*: second false$"),
        (
            "first --nubmer=3",
            "expected a flag of first; see `program first --help`. Received: "
            "--nubmer; did you mean --number?",
        ),
        ("first ---number=3", "expected a flag of first.* Received: ---number"),
        ("first --unheard x y", "expected a flag of .* Received: --unheard$"),
        ("first --qui", "expected a flag of first"),  # No abbreviations.
        ("first --verbsity=1", "Received: --verbsity; did you mean --verbosi"),
        (
            "second --number=5",
            "expected no --number: second does not use it; see `program second "
            "--help`. Received: number=5",
        ),
        ("--number 5 second", "expected no --number: .* Received: number=5$"),
        ("second --quick=f", "expected no --quick: .* Received: noquick$"),
        ("second --noquick", "expected no --quick: second does not use it"),
        ("first", "expected --input. What. Received: input=''"),
        ("first --input=", "expected --input. What. Received: input=''"),
        (
            "first --input",
            "expected --input to have a value, such as --input=VALUE. "
            "Received: --input$",
        ),
        (
            "first --quick=maybe",
            "expected --quick to be true or false. Received: quick='maybe'",
        ),
        ("first --noquick=1", "expected flags as --help says. Received: .*'1'"),
    ],
)
def test_command_lines_that_are_refused(line, message):
    with pytest.raises(ValueError, match=message):
        _parse(*line.split())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("first --number=x", "--number to be an integer. Received: number='x'"),
        ("second --share y", "--share to be a number. Received: share='y'"),
        ("--verbosity=z second", "--verbosity to be an integer"),
        ("second --loud=", "--loud to be true or false. Received: loud=''"),
        (
            "second --pace=fats",
            "--pace to be one of fast, slow. Received: pace='fats'; did you "
            r"mean fast\?$",
        ),
        ("second --pace=x", "--pace to be one of .* Received: pace='x'$"),
        ("first --input=~nobody.here/a", "a path whose ~nobody.here is the"),
    ],
)
def test_values_that_are_refused(line, message):
    with pytest.raises(ValueError, match=f"expected {message}"):
        _parse(*line.split())


def test_a_file_of_flags_that_is_not_there(tmp_path):
    with pytest.raises(flags.CantOpenFlagFileError, match="missing"):
        _parse("first", f"--flagfile={tmp_path}/missing")


_HELP = """A program.

Usage:
  program VERB [flags]
  program VERB --help

Verbs:
  first   Does one thing.
  second  Does another.

Every verb has absl's flags, too, such as --verbosity=1, which shows where an
error comes from; program --helpfull lists them.
"""
_FIRST_HELP = """Does one thing.

More of it.

flags:
  --input: What. (needed)
  --number: How. (default: 3)
  --[no]quick: Fast? (default: false)
  --names: Who.
"""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--help", _HELP),
        ("-h", _HELP),
        ("-help", _HELP),
        ("-?", _HELP),
        ("--helpshort", _HELP),
        ("unheard --help", _HELP),
        ("first --help", _FIRST_HELP),
        ("first -h", _FIRST_HELP),
        ("--help first", _FIRST_HELP),
        ("first --number=5 --help", _FIRST_HELP),
    ],
)
def test_help(line, text, capsys):
    with pytest.raises(SystemExit) as done:
        _parse(*line.split())
    assert done.value.code == 0
    assert capsys.readouterr().out == text


def test_all_flags_of_absl(capsys):
    with pytest.raises(SystemExit):
        _parse("--helpfull")
    text = capsys.readouterr().out
    assert text.startswith(_HELP)
    assert re.search(r"--verbosity: ", text)


def test_long_help_is_wrapped(capsys):
    def define(flag_values):
        flags.DEFINE_enum(
            "kind", "b", ["a", "b"], "word " * 40, flag_values=flag_values
        )

    verb = types.SimpleNamespace(
        __doc__="Does.", NEEDED=(), define_flags=define, main=None
    )
    with pytest.raises(SystemExit):
        verbs.parse("program", "A.", {"verb": verb}, ["verb", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("  --kind: word word")
    assert lines[4].startswith("    word")
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert text.endswith(" word (one of a, b; default: b)")

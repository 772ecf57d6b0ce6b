"""Which tests the commands of CONTRIBUTING.md and .ci/run choose."""

import subprocess
import sys

import pytest

import project_file

ROOT = project_file.ROOT
# Files of tests that need no TensorFlow; all tests of the first are slow.
SLOW = "tests/packaging/import_contexts_test.py"
FAST = "tests/packaging/imports_test.py"
OTHER_FOLDER = "tests/yt8m_compact/names_test.py"


def collect(*arguments: str, files=(SLOW, FAST)) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0"]
        + ["-p", "no:cacheprovider", *files, *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def files_of(tests: list[str]) -> list[str]:
    return [test.partition("::")[0] for test in tests]


@pytest.mark.slow
def test_slow_tests_run_where_they_are_asked_for():
    assert set(files_of(collect())) == {FAST}
    assert set(files_of(collect("-m", "slow"))) == {SLOW}
    assert len(collect("-m", "")) == len(collect()) + len(collect("-m", "slow"))


@pytest.mark.slow
def test_files_with_slow_tests_come_first():
    found = collect("-m", "", files=(FAST, SLOW))
    assert list(dict.fromkeys(files_of(found))) == [SLOW, FAST]
    # The tests of a file stay together, and in their order.
    assert found == collect("-m", "")


@pytest.mark.slow
def test_the_first_of_each_folder():
    files = (SLOW, FAST, OTHER_FOLDER)
    every = collect("-m", "", files=files)
    first = collect("-m", "", "--first-of-each-folder", files=files)
    assert files_of(first) == [SLOW, OTHER_FOLDER]
    starts = [files_of(every).index(file) for file in (SLOW, OTHER_FOLDER)]
    assert first == [every[start] for start in starts]
    # The first of those that are chosen.
    (test,) = collect("--first-of-each-folder", "-k", "lint_bans")
    assert test == f"{FAST}::test_lint_bans_the_folders_as_import_roots"


@pytest.mark.slow
def test_a_part_of_the_slow_tests():
    every = collect("-m", "")
    slow = collect("-m", "slow")
    parts = [collect("-m", "", f"--slow-part={n}/3") for n in (1, 2, 3)]
    for part in parts:
        assert set(every) - set(slow) < set(part)
    slow_parts = [[test for test in part if test in slow] for part in parts]
    assert slow_parts == [slow[n::3] for n in range(3)]
    # It is no part of what -m leaves out.
    assert collect("--slow-part=1/3") == collect()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_part_that_is_none(part):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        collect(f"--slow-part={part}")
    assert f"argument --slow-part: invalid _part value: '{part}'" in (
        caught.value.stderr
    )


def test_ci_runs_a_part_of_the_slow_tests_by_the_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert "test_command='python3 -m pytest'\n" in script
    assert "\neval \"$test_command -m '' --slow-part=$((" in script

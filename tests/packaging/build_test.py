"""BUILD, executed with stand-in rules, agrees with the tree and its imports."""

import collections
import graphlib
import os

import pytest

import build_file
import project_file

ROOT = build_file.ROOT
TEXT = (ROOT / "BUILD").read_text()
TARGETS, LOADED = build_file.execute(TEXT)
FILES = {src: name for name, t in TARGETS.items() for src in t.files}


def test_every_file_belongs_to_one_target():
    listed = collections.Counter(
        src for target in TARGETS.values() for src in target.files
    )
    # run_pytest.py is the `main` of every test, and the file of test_support.
    assert listed == collections.Counter(build_file.python_files()), (
        "a file in a new place needs a target in BUILD"
    )


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda t: t.name)
def test_deps_are_what_the_files_import(target):
    expected = build_file.expected_deps(target.name, FILES)
    missing = sorted({*expected} - {*target.deps})
    unused = sorted({*target.deps} - {*expected})
    assert not missing and not unused, (
        f"in BUILD's {target.name}: add {missing}, remove {unused}"
    )
    assert list(target.deps) == expected, f"sort the deps of {target.name}"


def test_globs_match_as_in_bazel():
    text = """
load("x", "py_library")
py_library(name = "a", srcs = glob(["readers/**/*.py", "tests/*.py"]))
py_library(name = "b", srcs = glob(
    ["yt8m_compact/eval/*.py"], exclude = ["yt8m_compact/eval/ev*.py"]))
"""
    with pytest.raises(build_file.BuildError, match="pattern='readers/"):
        build_file.execute(text)
    targets, _ = build_file.execute(text.replace("readers/", "benchmarks/"))
    assert "benchmarks/readers.py" in targets["a"].srcs
    assert "tests/build_file.py" in targets["a"].srcs
    assert "tests/packaging/build_test.py" not in targets["a"].srcs
    assert "yt8m_compact/eval/metrics.py" in targets["b"].srcs
    assert "yt8m_compact/eval/evaluate.py" not in targets["b"].srcs


def test_rules_come_from_rules_python():
    assert set(LOADED) == {"py_binary", "py_library", "py_test"}
    for rule, file in LOADED.items():
        assert file == f"@rules_python//python:{rule}.bzl"


def test_every_dep_exists():
    known = {f":{name}" for name in TARGETS} | set(build_file.LABELS.values())
    for target in TARGETS.values():
        assert set(target.deps) <= known, target.name


def test_every_package_is_one_that_bazel_installs():
    lines = (ROOT / "requirements_lock.txt").read_text().splitlines()
    locked = {line.partition("==")[0].replace("-", "_") for line in lines}
    for target in TARGETS.values():
        packages = {
            dep.removeprefix("@pypi//")
            for dep in target.deps
            if dep.startswith("@pypi//")
        }
        assert packages <= locked, target.name


def test_targets_have_no_cycle():
    graph = {
        name: [dep[1:] for dep in target.deps if dep.startswith(":")]
        for name, target in TARGETS.items()
    }
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", build_file.MAY_IMPORT)
def test_rooms_import_in_the_order_of_the_design(room):
    deps = build_file.expected_deps(room, FILES)
    rooms = {dep[1:] for dep in deps if dep.startswith(":")} - {"base"}
    assert rooms <= build_file.MAY_IMPORT[room]
    if room in build_file.MAY_IMPORT_LABELS:
        labels = {dep for dep in deps if dep.startswith("@")}
        assert labels <= build_file.MAY_IMPORT_LABELS[room]


def test_the_order_of_the_design_has_no_cycle():
    list(graphlib.TopologicalSorter(build_file.MAY_IMPORT).static_order())


def test_libraries_depend_on_no_binary_or_test():
    rules = {f":{name}": target.rule for name, target in TARGETS.items()}
    for room in build_file.MAY_IMPORT:
        assert TARGETS[room].rule == "py_library"
        for dep in TARGETS[room].deps:
            assert rules.get(dep, "py_library") == "py_library", room


def test_binaries_are_the_console_scripts():
    scripts = project_file.read_project_file()["project"]["scripts"]
    mains = {
        f"yt8m-{name}": target.main.removesuffix(".py").replace("/", ".")
        for name, target in TARGETS.items()
        if target.rule == "py_binary"
    }
    assert {name: f"{main}:run" for name, main in mains.items()} == scripts


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS.values() if target.rule != "py_library"],
    ids=lambda target: target.name,
)
def test_main_runs_when_executed(target):
    assert target.main in target.srcs
    text = (ROOT / target.main).read_text()
    assert '\nif __name__ == "__main__":\n' in text


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS.values() if target.rule == "py_test"],
    ids=lambda target: target.name,
)
def test_tests_run_the_folder_of_their_files(target):
    (folder,) = target.attributes["args"]
    assert target.files
    for file in target.files:
        assert os.path.commonpath([folder, file]) == folder


def test_module_file_names_the_project_and_its_packages():
    calls = {}

    class Anything:
        def __getattr__(self, name):
            return lambda **kwargs: calls.update({name: kwargs})

    names = {
        "bazel_dep": lambda **kwargs: calls.update(bazel_dep=kwargs),
        "module": lambda **kwargs: calls.update(module=kwargs),
        "use_extension": lambda file, name: Anything(),
        "use_repo": lambda extension, name: calls.update(use_repo=name),
    }
    exec((ROOT / "MODULE.bazel").read_text(), names)
    project = project_file.read_project_file()["project"]
    assert calls["module"] == {
        "name": project["name"].replace("-", "_"),
        "version": project["version"],
    }
    assert calls["bazel_dep"]["name"] == "rules_python"
    assert calls["use_repo"] == calls["parse"]["hub_name"] == "pypi"
    assert (
        calls["parse"]["python_version"] == calls["toolchain"]["python_version"]
    )
    lock = calls["parse"]["requirements_lock"].removeprefix("//:")
    assert (ROOT / lock).is_file()


def test_files_behind_the_links_are_listed_under_their_import_names(tmp_path):
    for folder in ("yt8m_compact", "readers", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").touch()
    (tmp_path / "yt8m_compact" / "readers").symlink_to("../readers")
    assert build_file.python_files(tmp_path) == [
        "tests/a.py",
        "yt8m_compact/a.py",
        "yt8m_compact/readers/a.py",
    ]
    assert build_file.modules(tmp_path) == [
        "yt8m_compact.a",
        "yt8m_compact.readers.a",
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("import tensorflow as tf", "@pypi//tensorflow"),
        ("def f():\n    from tensorflow import io", "@pypi//tensorflow"),
        ("from yt8m_compact import low", ":low"),
        ("from yt8m_compact.low import name", ":low"),
        ("import yt8m_compact.low.part", ":low"),
        ("import helper", ":test_support"),
    ],
)
def test_imports_are_found_wherever_they_stand(tmp_path, text, label):
    path = tmp_path / "a.py"
    path.write_text(text)
    files = {
        "yt8m_compact/__init__.py": "base",
        "yt8m_compact/low/__init__.py": "low",
        "yt8m_compact/low/part.py": "low",
        "tests/helper.py": "test_support",
    }
    labels = {
        build_file.dependency(module, files)
        for module in build_file.imported_modules(path)
    }
    assert labels - {None, ":base"} == {label}


@pytest.mark.parametrize(
    "module", ["readers", "models.dbof", "unheard_of", ".", "yt8m"]
)
def test_an_import_that_nothing_provides_is_an_error(module):
    with pytest.raises(build_file.BuildError, match="expected a module of"):
        build_file.dependency(module, FILES)


def test_an_import_error_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(build_file, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("import readers")
    with pytest.raises(build_file.BuildError, match="^a.py: expected a module"):
        build_file.expected_deps("room", {"a.py": "room"})


def test_two_targets_of_one_name_are_an_error():
    text = 'load("x", "py_test")\npy_test(name="a")\npy_test(name="a")\n'
    with pytest.raises(build_file.BuildError, match="one target a name"):
        build_file.execute(text)


def test_a_rule_that_is_not_loaded_is_an_error():
    with pytest.raises(build_file.BuildError, match="'py_test' is not defined"):
        build_file.execute('py_test(name="a")')

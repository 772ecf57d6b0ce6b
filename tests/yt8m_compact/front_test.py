"""Tests of what `import yt8m_compact` has at hand."""

import builtins
import inspect
import sys

import pytest

import build_file
import tiny_runs
import yt8m_compact as yt8m
from yt8m_compact import evaluation

_FUNCTIONS = ("fit", "load", "load_preset", "load_run", "metrics")


def test_import_brings_nothing_heavy(tmp_path):
    code = (
        "import sys, yt8m_compact as y; dir(y); y.models.MODELS; "
        "y.run.TrainingConfig; y.structures; y.readers; "
        "print({'keras', 'numpy', 'tensorflow'} & {*sys.modules})"
    )
    done = tiny_runs.execute("-c", code, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_every_name_is_there():
    assert {*yt8m.__all__} <= {*dir(yt8m)}
    for name in yt8m.__all__:
        assert getattr(yt8m, name) is not None
    assert not {*yt8m.__all__} & {*dir(builtins)}
    # Rooms that are worth a look; the others are there, and not listed.
    rooms = {
        path.parent.name
        for path in (build_file.ROOT / "yt8m_compact").glob("*/__init__.py")
    }
    listed = {name for name in yt8m.__all__ if name in rooms}
    assert rooms - listed == {"api", "eval", "pipelines", "programs"}
    with pytest.raises(AttributeError, match="'yt8m_compact' has no attribute"):
        yt8m.nothing  # noqa: B018


@pytest.mark.slow
def test_modules_are_attributes_before_anyone_imports_them(tmp_path):
    modules = [
        module
        for module in build_file.modules()
        if not module.startswith("yt8m_compact.programs")
        # Its package is not installed everywhere.
        and "youtube8m" not in module
        # What is run, as programs are.
        and not module.endswith("beam_worker")
    ]
    code = (
        "import functools, sys, yt8m_compact\n"
        "for module in sys.argv[1:]:\n"
        "    names = module.split('.')[1:]\n"
        "    functools.reduce(getattr, names, yt8m_compact)\n"
        "print(len(sys.argv))"
    )
    done = tiny_runs.execute("-c", code, *modules, folder=tmp_path)
    assert done.stdout.split()[-1:] == [f"{len(modules) + 1}"], done.stderr


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_functions_say_what_they_take(name):
    function = getattr(yt8m, name)
    assert ">>> " in function.__doc__
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        assert parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        assert parameter.annotation is not parameter.empty
        assert f"\n        {parameter.name}: " in function.__doc__
    assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize("name", yt8m.api.__all__)
def test_methods_say_what_they_take(name):
    value = getattr(yt8m.api, name)
    if not inspect.isclass(value):
        return
    for method, function in inspect.getmembers(value, inspect.isfunction):
        if method.startswith("_") or method not in vars(value):
            continue
        signature = inspect.signature(function)
        assert function.__doc__, method
        assert signature.return_annotation is not signature.empty, method


def test_evaluation_is_the_eval_folder():
    assert yt8m.evaluation is evaluation
    assert evaluation.__all__ == yt8m.eval.__all__
    assert {*evaluation.__all__, "metrics"} <= {*dir(evaluation)} | {"metrics"}
    for name in evaluation.__all__:
        assert getattr(evaluation, name) is getattr(yt8m.eval, name)
    assert evaluation.metrics is sys.modules["yt8m_compact.eval.metrics"]
    with pytest.raises(AttributeError, match="'yt8m_compact.eval' has no attr"):
        evaluation.nothing  # noqa: B018

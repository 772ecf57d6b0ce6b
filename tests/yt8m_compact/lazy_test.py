"""Tests of imports that wait until what they bring is used."""

import ast
import builtins
import importlib
import re
import sys
import textwrap
import threading
import types

import pytest

import build_file


@pytest.fixture
def make_module(tmp_path, monkeypatch):
    """Writes modules, which this process can import until the test ends."""
    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}

    def make(name: str, text: str) -> None:
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()

    yield make
    for name in {*sys.modules} - before:
        if name.startswith("lazy_"):
            del sys.modules[name]


@pytest.fixture
def user(make_module) -> types.ModuleType:
    """A module that imports three others lazily."""
    make_module("lazy_other", "value = 7\n")
    make_module("lazy_package/__init__", "name = 'a name'\n")
    make_module("lazy_package/part", "value = 8\n")
    make_module(
        "lazy_user",
        """
        from yt8m_compact import lazy

        with lazy.imports():
            import lazy_other
            import lazy_other as alias

            from lazy_package import part

        def values():
            return lazy_other.value, alias.value, part.value
        """,
    )
    return importlib.import_module("lazy_user")


def imported() -> set[str]:
    return {name for name in sys.modules if name.startswith("lazy_")}


def test_nothing_is_imported_before_it_is_used(user):
    assert imported() == {"lazy_user"}
    assert repr(user.part) == "<not imported yet: lazy_package.part>"
    assert repr(user.alias) == "<not imported yet: lazy_other>"
    assert imported() == {"lazy_user"}
    assert user.part.value == 8
    assert imported() == {"lazy_user", "lazy_package", "lazy_package.part"}


def test_names_become_the_modules_themselves(user):
    assert user.values() == (7, 7, 8)
    assert user.lazy_other is sys.modules["lazy_other"]
    assert user.alias is sys.modules["lazy_other"]
    assert user.part is sys.modules["lazy_package.part"]


def test_what_is_set_or_deleted_is_so_in_the_module(user):
    user.part.value = 9
    assert sys.modules["lazy_package.part"].value == 9
    del user.alias.value
    assert not hasattr(sys.modules["lazy_other"], "value")


def test_a_module_that_is_missing_is_told_at_its_use(make_module):
    make_module(
        "lazy_user",
        """
        from yt8m_compact import lazy

        with lazy.imports():
            import lazy_missing
        """,
    )
    user = importlib.import_module("lazy_user")
    with pytest.raises(ModuleNotFoundError, match="'lazy_missing'"):
        user.lazy_missing.value  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "received"),
    [
        ("import lazy_package.part", "lazy_package.part"),
        ("import lazy_package.part as part", "lazy_package.part"),
        ("from . import part", "."),
        ("from .part import value", ".part"),
    ],
)
def test_what_can_not_wait_is_refused(make_module, statement, received):
    make_module("lazy_package/__init__", "")
    make_module(
        "lazy_package/user",
        f"""
        from yt8m_compact import lazy

        with lazy.imports():
            {statement}
        """,
    )
    message = (
        "expected `import a`, `import a as b` or `from a.b import c` in "
        f"lazy.imports(). Received: module={received}"
    )
    original = builtins.__import__
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        importlib.import_module("lazy_package.user")
    assert builtins.__import__ is original


def test_imports_of_other_modules_and_threads_do_not_wait(make_module):
    make_module("lazy_other", "value = 7\n")
    make_module(
        "lazy_importer",
        """
        from yt8m_compact import lazy
        import lazy_other

        with lazy.imports():
            import lazy_fifth
        """,
    )
    make_module("lazy_fourth", "")
    make_module(
        "lazy_user",
        """
        import importlib
        import threading

        from yt8m_compact import lazy

        with lazy.imports():
            importlib.import_module("lazy_importer")
            thread = threading.Thread(target=exec, args=("import lazy_fourth",))
            thread.start()
            thread.join()
            import lazy_third
        """,
    )
    importlib.import_module("lazy_user")
    assert imported() == {
        "lazy_user",
        "lazy_importer",
        "lazy_other",
        "lazy_fourth",
    }
    importer = sys.modules["lazy_importer"]
    assert importer.lazy_other.value == 7
    assert repr(importer.lazy_fifth) == "<not imported yet: lazy_fifth>"


def test_threads_that_use_one_at_once_get_one_module(user):
    start = threading.Barrier(8)
    found = []

    def use():
        start.wait()
        found.append(user.values())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 8 * [(7, 7, 8)]


@pytest.fixture
def package(make_module) -> types.ModuleType:
    """A package that passes on the names of its modules."""
    make_module("lazy_package/part", "class Value: pass\nnumber = 3\n")
    make_module(
        "lazy_package/__init__",
        """
        from yt8m_compact import lazy

        with lazy.imports():
            from lazy_package.part import Value
            from lazy_package.part import number as other

        __all__ = ["Value", "other"]
        """,
    )
    return importlib.import_module("lazy_package")


def test_a_package_passes_names_on(package):
    assert imported() == {"lazy_package"}
    assert {"Value", "other", "__all__"} <= {*dir(package)}
    assert imported() == {"lazy_package"}
    assert package.other == 3
    assert package.Value is sys.modules["lazy_package.part"].Value
    names = {}
    exec("from lazy_package import *; from lazy_package import part", names)
    assert names["Value"] is package.Value
    assert names["part"] is sys.modules["lazy_package.part"]


def test_a_package_has_its_modules(package, make_module):
    make_module("lazy_package/more", "value = 5\n")
    assert not hasattr(package, "less")
    assert package.more.value == 5
    assert package.more is sys.modules["lazy_package.more"]


def test_a_package_passes_on_modules_of_its_own(make_module):
    make_module("lazy_own/part", "value = 6\n")
    make_module(
        "lazy_own/__init__",
        """
        from yt8m_compact import lazy

        with lazy.imports():
            from lazy_own import part
        """,
    )
    package = importlib.import_module("lazy_own")
    assert imported() == {"lazy_own"}
    assert "part" in dir(package)
    assert package.part.value == 6
    assert package.part is sys.modules["lazy_own.part"]


def test_a_package_has_no_other_names(package):
    message = "module 'lazy_package' has no attribute 'number'"
    with pytest.raises(AttributeError, match=f"^{message}$"):
        package.number  # noqa: B018


def deferred_imports(path: str) -> list[tuple[str, str | None]]:
    """Lists what a file imports in `lazy.imports()`: modules and names."""
    found = []
    for node in ast.parse((build_file.ROOT / path).read_text()).body:
        if not isinstance(node, ast.With):
            continue
        assert ast.unparse(node.items[0]) == "lazy.imports()", path
        for statement in node.body:
            names = [alias.name for alias in statement.names]
            if isinstance(statement, ast.Import):
                found += [(name, None) for name in names]
            else:
                found += [(statement.module, name) for name in names]
    return found


def test_everything_that_waits_is_there():
    found = {
        (module, name)
        for path in build_file.python_files()
        if path.startswith("yt8m_compact/")
        for module, name in deferred_imports(path)
    }
    assert {("tensorflow", None), ("yt8m_compact", "layers")} <= found
    for module, name in sorted(found, key=str):
        names = {}
        exec(f"from {module} import {name or '__name__'}", names)

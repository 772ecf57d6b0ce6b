"""Imports that wait until what they bring is used.

TensorFlow and Keras take seconds to import, and nobody who asks for `--help`,
names a flag wrongly or writes settings needs them. Modules that hold settings,
flags or the text of structures beside what computes import them so:

    with lazy.imports():
        import keras

        from yt8m_compact import layers

Editors, linters and BUILD see plain imports. Annotations would use what they
name, so such a module begins with `from __future__ import annotations`.
"""

import builtins
from collections.abc import Callable, Mapping, Sequence
import importlib
import importlib.util
import sys
import threading
import types
from typing import Any

_LOCK = threading.RLock()


class imports:
    """A context whose imports are done when what they bring is first used.

    It holds for the import statements of the module that enters it, not for
    those of other modules or threads. In a module, they bring modules: each
    name is a stand-in, and becomes the module itself at its first use. In the
    `__init__.py` of a package, which only passes names on, they bring
    anything: the names are attributes of the package (PEP 562), and so are its
    modules that nobody has imported yet.

    Raises:
        ImportError: If an import is relative, or of the form `import a.b`,
            which binds `a`.
    """

    def __enter__(self) -> None:
        self._namespace = sys._getframe(1).f_globals
        _LOCK.acquire()
        self._import = builtins.__import__
        builtins.__import__ = self._defer

    def __exit__(self, *error: object) -> None:
        builtins.__import__ = self._import
        _LOCK.release()
        if "__path__" in self._namespace:
            _pass_on(self._namespace)

    def _defer(
        self,
        name: str,
        namespace: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Stands in for `__import__`."""
        if namespace is not self._namespace:
            return self._import(name, namespace, local, wanted, level)
        if level or ("." in name and not wanted):
            raise ImportError(
                "expected `import a`, `import a as b` or `from a.b import c` "
                f"in lazy.imports(). Received: module={'.' * level}{name}"
            )
        if not wanted:
            return _Deferred(name, None, self._namespace)
        return types.SimpleNamespace(
            **{part: _Deferred(name, part, self._namespace) for part in wanted}
        )


class _Deferred:
    """Stands for what was to be imported, until it is used."""

    def __init__(
        self, module: str, part: str | None, namespace: dict[str, Any]
    ) -> None:
        vars(self).update(_module=module, _part=part, _namespace=namespace)

    def _load(self) -> Any:
        """Imports it, and puts it where this stood."""
        loaded = importlib.import_module(self._module)
        if vars(loaded) is self._namespace:
            # A package that passes on a module of its own.
            loaded = importlib.import_module(f"{self._module}.{self._part}")
        elif self._part is not None:
            # As `from module import part` does.
            try:
                loaded = getattr(loaded, self._part)
            except AttributeError:
                loaded = importlib.import_module(f"{self._module}.{self._part}")
        for name, value in [*self._namespace.items()]:
            if value is self:
                self._namespace[name] = loaded
        return loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._load(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._load(), name)

    def __repr__(self) -> str:
        part = "" if self._part is None else f".{self._part}"
        return f"<not imported yet: {self._module}{part}>"


def _pass_on(namespace: dict[str, Any]) -> None:
    """Makes names that are deferred attributes of the package they are in."""
    deferred = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, _Deferred)
    }
    for name in deferred:
        del namespace[name]
    namespace["__getattr__"] = _attributes(namespace, deferred)
    namespace["__dir__"] = lambda: sorted({*namespace, *deferred})


def _attributes(
    namespace: dict[str, Any], deferred: Mapping[str, _Deferred]
) -> Callable[[str], Any]:
    def get_attribute(name: str) -> Any:
        if name not in deferred:
            return _submodule(namespace["__name__"], name)
        namespace[name] = deferred[name]._load()
        return namespace[name]

    return get_attribute


def _submodule(package: str, name: str) -> types.ModuleType:
    """Imports a module of a package, which makes it an attribute."""
    module = f"{package}.{name}"
    # Not what Python and its tools look for in every module, `__wrapped__` say.
    if name.startswith("_") or importlib.util.find_spec(module) is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return importlib.import_module(module)

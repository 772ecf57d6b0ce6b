"""Keras without what only its wrappers and plots need.

`import keras`, and with it `import tensorflow`, imports scikit-learn, pandas,
Matplotlib and IPython where they are installed, which takes 40 % of its time
(docs/benchmarks.md, start-up). Programs use none of them through Keras.
"""

from __future__ import annotations

import importlib.abc
import sys

# Keras does without each of them where it is not installed.
_LEFT_OUT = {"sklearn", "pandas", "matplotlib", "IPython"}


def prepare() -> None:
    """Makes Keras, imported from now on, leave out what programs don't use.

    Keras's wrappers of scikit-learn and its plots are then as where that is not
    installed. Others import both as ever, before and after.
    """
    if "keras" not in sys.modules and not any(
        isinstance(finder, _Finder) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds no package that Keras can do without, while Keras is imported."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> None:
        del path, target
        if name in _LEFT_OUT and _is_importing_keras():
            raise ModuleNotFoundError(f"{name} is left out", name=name)


def _is_importing_keras() -> bool:
    spec = getattr(sys.modules.get("keras"), "__spec__", None)
    return getattr(spec, "_initializing", False)

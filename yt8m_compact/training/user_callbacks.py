"""Callbacks of a user's own, by the names of the functions that make them."""

from collections.abc import Callable, Sequence
import importlib
import inspect
import os
import sys
from typing import Any

import keras

from yt8m_compact.run import config as config_lib

# Given the configuration of the run, makes one callback or several.
CallbackMaker = Callable[
    [config_lib.Config],
    keras.callbacks.Callback | Sequence[keras.callbacks.Callback],
]
_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)


def find_makers(names: Sequence[str]) -> list[CallbackMaker]:
    """Finds functions by `module:function`.

    Modules are looked for in the current folder, too.

    Args:
        names: the functions.

    Returns:
        The functions.

    Raises:
        ValueError: if there is no such module or function. What a module
            raises itself is passed on.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    return [_find_maker(name) for name in names]


def _find_maker(name: str) -> CallbackMaker:
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise ValueError(
            "expected callbacks to be module:function of Python. Received: "
            f"{name!r}"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Not where the module is there, and imports what is not.
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise ValueError(
            "expected callbacks to be module:function of Python that is in "
            f"{os.getcwd()} or installed. Received: {name}, of which there is "
            f"no {error.name}"
        ) from error
    maker = vars(module).get(function)
    if not callable(maker):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise ValueError(
            f"expected callbacks to be module:function of Python, one of "
            f"{', '.join(known) or 'none'} in {module_name}. Received: {name}"
        )
    return maker


def make_callbacks(
    makers: Sequence[CallbackMaker], config: config_lib.Config
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks.

    Args:
        makers: from `find_makers`, or the like.
        config: the configuration of the run.

    Returns:
        All of them, in order.

    Raises:
        ValueError: if a function makes anything else.
    """
    callbacks = []
    for maker in makers:
        made: Any = maker(config)
        several = list(made) if isinstance(made, list | tuple) else [made]
        for callback in several:
            if not isinstance(callback, keras.callbacks.Callback):
                raise ValueError(
                    f"expected {_name(maker)} to return a keras.callbacks."
                    f"Callback or a list of them. Received: {made!r:.200}"
                )
        callbacks += several
    return callbacks


def _name(maker: CallbackMaker) -> str:
    return getattr(maker, "__name__", repr(maker))


def looks_at_steps(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback does something at each step."""
    kind = type(callback)
    return any(
        inspect.getattr_static(kind, hook)
        is not inspect.getattr_static(keras.callbacks.Callback, hook)
        for hook in _BATCH_HOOKS
    )

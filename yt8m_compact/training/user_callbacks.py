"""Callbacks of a user's own, by the names of the functions that make them."""

from collections.abc import Callable, Sequence
import importlib
import inspect
import os
import sys
import traceback
from typing import Any

import keras

from yt8m_compact.run import config as config_lib

# Given the configuration of the run, makes one callback or several.
CallbackMaker = Callable[
    [config_lib.Config],
    keras.callbacks.Callback | Sequence[keras.callbacks.Callback],
]
# Its lines in a traceback say nothing of what a user's code did.
_OWN = __file__
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
        ValueError: if there is no such module or function, or the module
            can't be imported.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    return [_find_maker(name) for name in names]


def _find_maker(name: str) -> CallbackMaker:
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise ValueError(
            "expected callbacks to be module:function of Python, such as "
            f"my_callbacks:make. Received: {name!r}"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Not where the module is there, and imports what is not.
        if error.name is None or not f"{module_name}.".startswith(
            f"{error.name}."
        ):
            raise _import_error(name, error) from error
        raise ValueError(
            "expected callbacks to be module:function of Python that is in "
            f"{os.getcwd()} or installed. Received: {name}, of which there is "
            f"no {error.name}"
        ) from error
    except Exception as error:
        raise _import_error(name, error) from error
    maker = vars(module).get(function)
    if not callable(maker):
        known = [
            key
            for key, value in vars(module).items()
            if callable(value)
            and getattr(value, "__module__", "") == module_name
        ]
        raise ValueError(
            f"expected callbacks to be module:function of Python, one of "
            f"{', '.join(known) or 'none'} in {module_name}. Received: {name}"
        )
    return maker


def _import_error(name: str, error: Exception) -> ValueError:
    return ValueError(
        "expected callbacks to be module:function of Python that can be "
        f"imported. Received: {name}, where {_describe(error)}"
    )


def _describe(error: Exception) -> str:
    """Says in one line what a user's code raised, and where it was then."""
    text = " ".join(str(error).split())
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != _OWN and "importlib" not in frame.filename:
            where = f" ({frame.filename}, line {frame.lineno})"
            break
    else:
        where = ""  # A syntax error says it.
    return f"{type(error).__name__} was raised: {text:.500}{where}"


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
        ValueError: if a function fails, or makes anything else.
    """
    callbacks = []
    for maker in makers:
        try:
            made: Any = maker(config)
        except Exception as error:
            raise ValueError(
                f"expected {_name(maker)} to make callbacks of the run's "
                f"configuration, its only argument. Received: "
                f"{_describe(error)}"
            ) from error
        several = list(made) if isinstance(made, list | tuple) else [made]
        for callback in several:
            if not isinstance(callback, keras.callbacks.Callback):
                raise ValueError(
                    f"expected {_name(maker)} to return a keras.callbacks."
                    f"Callback or a list of them. Received: {made!r:.200}"
                    f"{_advice(made, callback)}"
                )
        callbacks += several
    return callbacks


def _advice(made: Any, wrong: Any) -> str:
    """Says what to do about one of what was made, which is no callback."""
    if made is None:
        return "; it has to end with return"
    if isinstance(wrong, type) and issubclass(wrong, keras.callbacks.Callback):
        return f"; make one of the class, {wrong.__name__}()"
    return ""


def _name(maker: CallbackMaker) -> str:
    """Names a function as `--callbacks` does."""
    name = getattr(maker, "__name__", None)
    return repr(maker) if name is None else f"{maker.__module__}:{name}"


def looks_at_steps(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback does something at each step."""
    kind = type(callback)
    return any(
        inspect.getattr_static(kind, hook)
        is not inspect.getattr_static(keras.callbacks.Callback, hook)
        for hook in _BATCH_HOOKS
    )

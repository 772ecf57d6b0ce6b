"""Which backend Keras has, told before Keras fails for want of it."""

import json
import os
import sys

_BACKEND = "tensorflow"


class BackendError(ImportError):
    """Keras has another backend than TensorFlow."""


def expect_tensorflow() -> None:
    """Refuses another backend of Keras than TensorFlow's.

    To be called before Keras is imported: of a backend that is not installed,
    Keras names a module only.

    Raises:
        BackendError: If Keras has or would take another backend.
    """
    backend, origin = _find_backend()
    if backend != _BACKEND:
        advice = (
            "set KERAS_BACKEND=tensorflow before Keras is imported"
            if "keras" in sys.modules
            else "set KERAS_BACKEND=tensorflow"
        )
        _show_in_one_line()
        raise BackendError(
            f"expected Keras's TensorFlow backend; {advice}. Received: "
            f"backend={backend}{origin}"
        )


def _show_in_one_line() -> None:
    """Lets programs, which import before they run, end without a traceback."""
    show = sys.excepthook

    def show_error(kind, error, trace) -> None:
        if kind is not BackendError:
            show(kind, error, trace)
        elif sys.stderr is not None:
            program = os.path.basename(sys.argv[0])
            if not program.startswith("yt8m-"):  # -c, a module, a script
                program = "yt8m_compact"
            print(f"{program}: error: {error}", file=sys.stderr)

    sys.excepthook = show_error


def _find_backend() -> tuple[str, str]:
    """Returns the backend, and where it is set, as Keras finds it."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "config"):  # Not while it is being imported.
        return keras.config.backend(), ""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named, " (KERAS_BACKEND)"
    path = _config_path()
    try:
        with open(path) as file:
            backend = json.load(file).get("backend", _BACKEND)
    except (OSError, ValueError, AttributeError, RecursionError):
        return _BACKEND, ""  # What Keras does of a file that it can't read.
    return str(backend), f" ({path})"


def _config_path() -> str:
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        if not os.access(home, os.W_OK):
            home = "/tmp"
        folder = os.path.join(home, ".keras")
    return os.path.join(folder, "keras.json")

"""Compact video classification on YouTube-8M with circulant projections.

Example:
    ```python
    import yt8m_compact as yt8m

    run = yt8m.load_run("runs/compact")
    print(run.predict("data/test*.tfrecord", top_k=3)[0])
    print(run.evaluate("data/validate*.tfrecord").metrics["gap"])
    ```

TensorFlow and Keras are imported by what needs them, when it is used. What
TensorFlow logs at its import is left out, unless it was imported before or
`TF_CPP_MIN_LOG_LEVEL` is set. docs/python.md shows all of it.
"""

from importlib import import_module as _import_module
from importlib import metadata as _metadata
import sys as _sys

from yt8m_compact import lazy
from yt8m_compact import tensorflow_silence as _tensorflow_silence

with lazy.imports():
    from yt8m_compact import compression
    from yt8m_compact import datasets
    from yt8m_compact import evaluation
    from yt8m_compact import inference
    from yt8m_compact import layers
    from yt8m_compact import models
    from yt8m_compact import ops
    from yt8m_compact import predictions
    from yt8m_compact import presets
    from yt8m_compact import readers
    from yt8m_compact import run
    from yt8m_compact import structures
    from yt8m_compact import studies
    from yt8m_compact import training
    from yt8m_compact.api.array_metrics import metrics
    from yt8m_compact.api.fitting import fit
    from yt8m_compact.api.opening import load
    from yt8m_compact.api.opening import load_preset
    from yt8m_compact.api.opening import load_run

__all__ = [
    "__version__",
    "compression",
    "datasets",
    "evaluation",
    "fit",
    "inference",
    "layers",
    "load",
    "load_preset",
    "load_run",
    "metrics",
    "models",
    "ops",
    "predictions",
    "presets",
    "readers",
    "run",
    "structures",
    "studies",
    "training",
]

try:
    __version__ = _metadata.version("yt8m-compact")
except _metadata.PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"


def _register_classes() -> None:
    """Makes known to Keras what `.keras` files name, where Keras is there."""
    keras = _sys.modules.get("keras")
    # Not while it is being imported, nor for a backend that we refuse.
    if hasattr(keras, "saving") and keras.config.backend() == "tensorflow":
        module = _import_module("yt8m_compact.models")
        module.register_classes()


_register_classes()
_tensorflow_silence.prepare_library()

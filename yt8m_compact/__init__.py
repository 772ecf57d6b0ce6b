"""Compact video classification on YouTube-8M with circulant projections."""

import importlib as _importlib
from importlib import metadata as _metadata
import sys as _sys
from typing import Any as _Any

__all__ = ["__version__", "load_preset"]

try:
    __version__ = _metadata.version("yt8m-compact")
except _metadata.PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"


def load_preset(name: str) -> _Any:
    """Loads a trained model that comes with the package, see `presets`.

    Example:
        >>> classifier = yt8m_compact.load_preset("yt8m_2018_video_350k")
        >>> classifier.classify(features, top_k=3)  # doctest: +SKIP
        [[('Game', 0.97), ('Video game', 0.93), ('Action-adventure game', ...)]]

    Args:
        name: its name, one of `presets.names()`.

    Returns:
        An `inference.classifier.Classifier`: the model, its configuration and
        the names of its classes.

    Raises:
        ValueError: if there is none of this name.
    """
    # When it is called: TensorFlow takes seconds, and this is what every room
    # imports, not one that imports rooms.
    module = _importlib.import_module("yt8m_compact.inference.classifier")
    return module.load_preset(name)


def _register_classes() -> None:
    """Makes known to Keras what `.keras` files name, where Keras is there."""
    keras = _sys.modules.get("keras")
    # Not while it is being imported, nor for a backend that we refuse.
    if hasattr(keras, "saving") and keras.config.backend() == "tensorflow":
        module = _importlib.import_module("yt8m_compact.models")
        module.register_classes()


_register_classes()

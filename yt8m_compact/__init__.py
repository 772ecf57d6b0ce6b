"""Compact video classification on YouTube-8M with circulant projections."""

from importlib import metadata as _metadata

__all__ = ["__version__"]

try:
    __version__ = _metadata.version("yt8m-compact")
except _metadata.PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"

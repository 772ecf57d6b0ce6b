"""What says whether two models are the same, whatever their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar
import zlib

import keras
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact.run import config as config_lib


class Identified(Protocol):
    """What predicts, and says by which model."""

    def identity(self) -> str:
        """Says which model it is, whatever its name."""


_Opened = TypeVar("_Opened", bound=Identified)


def identity_of_run(config: config_lib.Config, model: keras.Model) -> str:
    """Sums up the configuration and the weights of a run.

    Args:
        config: the configuration.
        model: the model, with the weights.

    Returns:
        The same text for the same.
    """
    checksum = zlib.crc32(config.to_json().encode())
    for weight in model.weights:
        checksum = zlib.crc32(weight.numpy().tobytes(), checksum)
    return f"run {checksum:08x}"


def identity_of_files(path: str) -> str:
    """Sums up a file, or what is in a folder, whatever their names.

    Args:
        path: what yt8m-export wrote.

    Returns:
        The same text for the same bytes.
    """
    checksum = 0
    for file in sorted(_list_files(path)):
        with tf.io.gfile.GFile(file, "rb") as opened:
            while data := opened.read(1 << 24):
                checksum = zlib.crc32(data, checksum)
    return f"artefact {checksum:08x}"


def open_same(open_one: Callable[[], _Opened], identity: str) -> _Opened:
    """Opens what predicts, in another process than the one that began.

    Args:
        open_one: opens it.
        identity: what the process has that calls it.

    Returns:
        What was opened.

    Raises:
        ValueError: if it is another model than that.
    """
    opened = open_one()
    found = opened.identity()
    if found != identity:
        raise ValueError(
            f"expected the model that this began with, {identity}. Received: "
            f"{found}; has its training gone on? Name a checkpoint_step, or "
            "what yt8m-export wrote"
        )
    return opened


def _list_files(path: str) -> Iterator[str]:
    path = files_lib.expand_user(path)
    if not files_lib.is_folder(path):
        yield path
        return
    for folder, _, names in tf.io.gfile.walk(path):
        yield from (tf.io.gfile.join(folder, name) for name in names)

"""The folder of a model in the files of another runtime."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping
import os
import tempfile

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import portable_function


def save(
    folder: str,
    about: companions.About,
    model: keras.Model,
    specs: Mapping[str, tf.TensorSpec],
    contents: Mapping[str, bytes],
    open_file: Callable[[str], artefact.Artefact],
    card: companions.Artefact,
) -> tuple[int, float]:
    """Writes files and their companions, whole or not at all.

    They are opened before they appear, in a folder of this system, which every
    runtime can read, and have to predict what the model does for inputs drawn
    at random.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model of the run.
        specs: what the function of it takes.
        contents: the bytes of the files, by name; the first is the one to open.
        open_file: opens it.
        card: what the files are, for the model card.

    Returns:
        The bytes of the files, and the largest difference of a score.

    Raises:
        ValueError: if the files do not predict the same.
        OSError: if they can't be written.
    """
    with tempfile.TemporaryDirectory() as local:
        _write(local, contents)
        opened = open_file(os.path.join(local, next(iter(contents))))
        difference = portable_function.expect_same_scores(opened, model, specs)
        del opened  # Which may hold the files open.
    with files.writing_folder(folder, replace=True) as partial:
        _write(partial, contents)
        companions.write(partial, about, model, card)
    return sum(map(len, contents.values())), difference


def _write(folder: str, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        with files.writing(os.path.join(folder, name), "wb") as file:
            file.write(content)

"""A model to ship: a folder of its configuration and its packed weights."""

from __future__ import annotations

import dataclasses
import os

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import structures
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import training_levers

with lazy.imports():
    import keras

    from yt8m_compact.run import packed_weights


def packed_config(config: config_lib.Config) -> config_lib.Config:
    """Returns the configuration of the packed model.

    Args:
        config: that of a run.

    Returns:
        The same with packed structures at all places, and without the paths of
        whoever trained it, and so without a teacher.
    """
    packed = {
        field.name: value.packed()
        for field in dataclasses.fields(config.model)
        if isinstance(
            value := getattr(config.model, field.name), structures.Structure
        )
    }
    paths = {
        field.name: field.default
        for field in dataclasses.fields(config.training)
        if field.metadata["is_path"]
        or field.metadata["is_pattern"]
        or field.name in training_levers.OF_TEACHER
    }
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **packed),
        training=dataclasses.replace(config.training, **paths),
    )


def save(
    folder: str, config: config_lib.Config, model: keras.Model, step: int
) -> int:
    """Writes a packed model, which every program reads as it does a run.

    The folder holds `config.json` and `weights.safetensors`, see
    `packed_weights.write`. It is read again before it appears.

    Args:
        folder: the folder, which is replaced.
        config: the configuration of the run.
        model: its model, which is packed in place.
        step: how many steps it was trained for.

    Returns:
        The bytes of both files.

    Raises:
        ValueError: if a weight is not finite or can't be stored.
        OSError: if it can't be written.
    """
    with files.writing_folder(folder, replace=True) as partial:
        return write(partial, config, model, step)


def write(
    folder: str, config: config_lib.Config, model: keras.Model, step: int
) -> int:
    """Writes the files of a packed model into a folder; see `save`.

    Args:
        folder: the folder, of this process alone.
        config: as of `save`.
        model: likewise.
        step: likewise.

    Returns:
        The bytes of both files.

    Raises:
        ValueError: as of `save`.
        OSError: likewise.
    """
    run = train_dir_lib.TrainDir(folder)
    run.save_config(packed_config(config))
    packed_weights.write(model, run.packed_path, step)
    # By what will read it.
    packed_weights.read(
        train_dir_lib.build_model(run.load_config()), run.packed_path
    )
    return sum(
        os.path.getsize(path) for path in (run.config_path, run.packed_path)
    )

"""Models as their packed weights, with all that travels with them."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import keras

from yt8m_compact import files
from yt8m_compact.inference import serving
from yt8m_compact.inference.exports import companions
from yt8m_compact.run import packed_model
from yt8m_compact.run import train_dir as train_dir_lib

FILE_NAME = "weights.safetensors"

_USAGE = """\
from yt8m_compact.run import train_dir

_, model, _ = train_dir.TrainDir("FOLDER").restore_model()
model.predict(inputs)"""


def save(folder: str, about: companions.About, model: keras.Model) -> int:
    """Writes a packed model and its companions, whole or not at all.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model, which is packed in place.

    Returns:
        The bytes of `config.json` and of the weights.

    Raises:
        ValueError: if a weight is not finite or can't be stored.
        OSError: if it can't be written.

    Example:
        >>> import os
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> num_bytes = yt8m.inference.exports.packed.save(
        ...     "packed",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ... )
        >>> sorted(os.listdir("packed"))
        ['README.md', 'config.json', 'export_manifest.json',
        'weights.safetensors']
    """
    with files.writing_folder(folder, replace=True) as partial:
        size = packed_model.write(partial, about.config, model, about.step)
        artefact = companions.Artefact(
            format="packed",
            what="`weights.safetensors`, the bits of the weights, and "
            "`config.json`; every program of yt8m_compact reads the folder as "
            "`--train_dir`.",
            inputs=companions.describe_specs(
                serving.input_specs(about.config.data)
            ),
            outputs=companions.describe_scores(about.config),
            usage=_USAGE,
        )
        companions.write(partial, about, model, artefact)
    return size


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return train_dir_lib.TrainDir(folder).is_packed()

"""Models as `.keras` files, and the loading of such files."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import io
import os
import zipfile

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact.inference import serving
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import same_scores
from yt8m_compact.run import export_manifest

FILE_NAME = "model.keras"
# Loaders before it run code of a file in spite of safe mode, read other files
# of the disk and take all memory: up to CVE-2026-12570.
_SAFE = (3, 15)
# The same weights and operations: what is read back differs by nothing.
_TOLERANCE = 1e-6

_USAGE = """\
import keras
import yt8m_compact  # makes known the classes of the file, after keras

model = keras.saving.load_model("FOLDER/model.keras")  # in safe mode
model.predict(inputs)"""


def save(
    folder: str, about: companions.About, model: keras.Model
) -> tuple[int, float]:
    """Writes `model.keras` and its companions, whole or not at all.

    The file is loaded again in safe mode before it appears, and has to predict
    what the model does for inputs drawn at random.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        model: the model, which is packed in place.

    Returns:
        The bytes of the file, and the largest difference of a score.

    Raises:
        ValueError: if the file does not predict the same.
        OSError: if it can't be written.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> num_bytes, difference = yt8m.inference.exports.keras_file.save(
        ...     "keras",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ... )
        >>> difference
        0.0
    """
    layers.pack(model)
    with files.writing_folder(folder, replace=True) as partial:
        path = os.path.join(partial, FILE_NAME)
        model.save(path)
        size = tf.io.gfile.stat(path).length
        difference = _compare(load(path), model)
        artefact = companions.Artefact(
            format="keras",
            what="`model.keras`, a Keras model that loads in safe mode once "
            "yt8m_compact is imported.",
            inputs=companions.describe_specs(
                serving.input_specs(about.config.data)
            ),
            outputs=companions.describe_scores(about.config),
            usage=_USAGE,
            notes=[
                "`yt8m_compact.inference.exports.keras_file.load` compares the "
                "file with `export_manifest.json` first."
            ],
        )
        companions.write(partial, about, model, artefact)
    return size, difference


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.io.gfile.exists(os.path.join(folder, FILE_NAME))


def load(path: str | os.PathLike[str]) -> keras.Model:
    """Loads a `.keras` file in safe mode, of whomever it is.

    One that lies beside the manifest of yt8m-export is compared with it first.

    Args:
        path: the file.

    Returns:
        The model, which is not compiled.

    Raises:
        ValueError: if Keras is older than 3.15, whose loaders are not safe; if
            the file is not what was exported; or if it is no such file.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> about = companions.About(preset.config, preset.step)
        >>> _ = yt8m.inference.exports.keras_file.save("k", about, preset.model)
        >>> model = yt8m.inference.exports.keras_file.load("k/model.keras")
        >>> model.output_shape
        (None, 3862)
    """
    path = files.expand_user(path)
    _expect_safe_keras(path)
    if not tf.io.gfile.exists(path):
        raise ValueError(
            f"{path}: expected a .keras file. Received: no such file"
        )
    export_manifest.verify_file(path)
    models.register_classes()
    with tf.io.gfile.GFile(path, "rb") as file:
        is_whole = zipfile.is_zipfile(io.BytesIO(file.read()))
    try:
        if not is_whole:  # Keras says that it is not there.
            raise zipfile.BadZipFile("no zip file, or not all of it")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
        zipfile.BadZipFile,
    ) as error:
        text = " ".join(str(error).split())
        raise ValueError(
            f"{path}: expected a .keras file of layers of Keras and of "
            f"yt8m_compact, whole. Received: {text:.300}"
        ) from error


def _expect_safe_keras(path: str) -> None:
    version = tuple(map(int, keras.__version__.split(".")[:2]))
    if version < _SAFE:
        raise ValueError(
            f"{path}: expected Keras {_SAFE[0]}.{_SAFE[1]} or later to load a "
            ".keras file: the loaders of earlier ones may run code of a file, "
            "in safe mode too. pip install --upgrade keras. Received: "
            f"keras.__version__={keras.__version__!r}"
        )


def _compare(loaded: keras.Model, model: keras.Model) -> float:
    num_frames = 4 if "frames" in model.input else None
    specs = portable_function.input_specs(model, None, num_frames)
    inputs = portable_function.draw_inputs(specs)
    differences = same_scores.expect(
        loaded(inputs, training=False),
        model(inputs, training=False),
        ".keras file",
        _TOLERANCE,
    )
    return float(differences.max())

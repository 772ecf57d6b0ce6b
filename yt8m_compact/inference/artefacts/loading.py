"""Opens what yt8m-export wrote, whatever its format."""

from __future__ import annotations

import os

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact as artefact_lib
from yt8m_compact.inference.artefacts import keras_file
from yt8m_compact.inference.artefacts import litert
from yt8m_compact.inference.artefacts import onnx
from yt8m_compact.inference.artefacts import openvino
from yt8m_compact.inference.artefacts import packed
from yt8m_compact.inference.artefacts import saved_model
from yt8m_compact.run import config as config_lib

with lazy.imports():
    from yt8m_compact.inference import serving

_CONFIG_FILE = "config.json"
# By the end of a file's name.
_FILES = {
    ".tflite": litert.LiteRtModel,
    ".onnx": onnx.OnnxModel,
    ".xml": openvino.OpenVinoModel,
    ".keras": keras_file.KerasModel,
}
# By a file that a folder holds, whose configuration they read themselves.
_FOLDERS = {
    "saved_model.pb": saved_model.SavedModel,
    "weights.safetensors": packed.PackedModel,
}
_EXPECTED = (
    f"a model of yt8m-export: a file {', '.join(_FILES)}, or the folder of one,"
    " of a SavedModel or of a packed model"
)


def find(path: str) -> str:
    """Finds what yt8m-export wrote.

    Args:
        path: a file, or the folder of an export.

    Returns:
        The file, or the folder where all of it is the model.

    Raises:
        ValueError: if there is none, or more than one.

    Example:
        >>> import os
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> os.path.basename(yt8m.inference.artefacts.find(folder))
        'yt8m_2018_video_100k'
    """
    if not files.is_folder(path):
        if not files.exists(path):
            raise ValueError(
                f"{path}: expected {_EXPECTED}. Received: no such file"
            )
        if os.path.splitext(path)[1] not in _FILES:
            raise ValueError(
                f"{path}: expected {_EXPECTED}. Received: another file"
            )
        return path
    names = sorted(name.rstrip("/") for name in files.list_folder(path))
    found = [
        name
        for name in names
        if name in _FOLDERS or os.path.splitext(name)[1] in _FILES
    ]
    if len(found) != 1:
        advice = ""
        if found:
            advice = "; name one of them"
        elif "checkpoints" in names:
            advice = (
                "; the folder of a run is what --train_dir takes, and "
                "yt8m_compact.load_run in Python"
            )
        # Of versions, or of several formats.
        elif names and all(
            files.is_folder(os.path.join(path, name)) for name in names
        ):
            advice = "; name one of them"
        raise ValueError(
            f"{path}: expected {_EXPECTED}. Received: a folder of "
            f"{', '.join(found or names) or 'nothing'}{advice}"
        )
    return path if found[0] in _FOLDERS else os.path.join(path, found[0])


def kind_of(path: str) -> type[artefact_lib.Artefact]:
    """Says what an artefact is.

    Args:
        path: a file, or the folder of an export.

    Returns:
        The class that opens it.

    Raises:
        ValueError: as of `find`.

    Example:
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> yt8m.inference.artefacts.kind_of(folder).KIND
        'a packed model'
    """
    path = find(files.expand_user(path))
    if not files.is_folder(path):
        return _FILES[os.path.splitext(path)[1]]
    (kind,) = (
        kind
        for name, kind in _FOLDERS.items()
        if files.exists(os.path.join(path, name))
    )
    return kind


def load_model(
    path: str | os.PathLike[str], num_threads: int | None = None
) -> artefact_lib.Artefact:
    """Opens what yt8m-export wrote, without a look at its configuration.

    It imports nothing but the runtime of the model.

    Args:
        path: as of `load`.
        num_threads: as of `load`.

    Returns:
        The model.

    Raises:
        ValueError: as of `load`.
    """
    path = find(files.expand_user(path))
    return kind_of(path)(path, num_threads)


def load_config(path: str | os.PathLike[str]) -> config_lib.Config:
    """Reads the configuration of what yt8m-export wrote, and nothing else.

    Args:
        path: as of `load`.

    Returns:
        The configuration of its run.

    Raises:
        ValueError: if there is no model, or no configuration.

    Example:
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> config = yt8m.inference.artefacts.load_config(folder)
        >>> config.data.feature_names, config.data.feature_sizes
        (('mean_rgb', 'mean_audio'), (1024, 128))
    """
    path = find(files.expand_user(path))
    if kind_of(path) is saved_model.SavedModel:
        return config_lib.load(
            os.path.join(path, serving.ASSETS, serving.CONFIG_FILE)
        )
    folder = path if files.is_folder(path) else os.path.dirname(path)
    config_path = os.path.join(folder, _CONFIG_FILE)
    if not files.exists(config_path):
        raise ValueError(
            f"{path}: expected the {_CONFIG_FILE} of its run beside it, as "
            "yt8m-export writes both. Received: none there"
        )
    return config_lib.load(config_path)


def load(
    path: str | os.PathLike[str], num_threads: int | None = None
) -> tuple[config_lib.Config, artefact_lib.Artefact]:
    """Opens what yt8m-export wrote.

    A SavedModel is a program, which may read and write files: load only what
    you would run.

    Args:
        path: a file of LiteRT, ONNX, OpenVINO or Keras, with `config.json`
            beside it; or the folder of one, of a SavedModel, or of a packed
            model.
        num_threads: threads that it computes with; None is as many as its
            runtime takes by itself.

    Returns:
        The configuration of its run, and the model.

    Raises:
        ValueError: if there is none, it is damaged, is not of yt8m-export, does
            not fit its configuration, or its runtime is not installed.

    Example:
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> config, model = yt8m.inference.artefacts.load(folder)
        >>> scores = model({"features": np.ones([2, 1152], np.float32)})
        >>> scores.shape, scores.dtype
        ((2, 3862), dtype('float32'))
    """
    path = find(files.expand_user(path))
    if files.is_folder(path):
        model = load_model(path, num_threads)
        return model.config, model
    config = load_config(path)
    model = load_model(path, num_threads)
    _check_fits(model, config)
    return config, model


def _check_fits(
    model: artefact_lib.Artefact, config: config_lib.Config
) -> None:
    """Checks that a file is a model of the configuration beside it."""
    data = config.data
    size = sum(data.feature_sizes)
    expected = {"features": [None, size]}
    if data.frame_features:
        num_frames = config.prediction_reader().num_output_frames
        expected = {"frames": [None, num_frames, size], "num_frames": [None]}
    shapes = model.input_shapes
    fits = shapes.keys() == expected.keys() and all(
        _takes(shape, expected[name]) for name, shape in shapes.items()
    )
    if not fits or model.num_classes != data.num_classes:
        raise ValueError(
            f"{model.path}: expected inputs {expected} and {data.num_classes} "
            f"classes, as {_CONFIG_FILE} beside it says. Received: inputs "
            f"{shapes} and {model.num_classes} classes; export the run again"
        )


def _takes(shape: list[int | None], wanted: list[int | None]) -> bool:
    """Says whether an input takes what readers give; batches may differ."""
    if len(shape) != len(wanted):
        return False
    # Frames that are missing are filled up.
    frames, size = shape[1:-1], wanted[-1]
    return (shape[-1] in (None, size) or len(shape) == 1) and all(
        number is None or number >= wanted[1] for number in frames
    )

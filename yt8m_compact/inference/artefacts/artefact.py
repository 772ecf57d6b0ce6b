"""What all models that were exported have in common: how they predict."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
import os

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact.run import export_manifest

with lazy.imports():
    import numpy as np
    import tensorflow as tf

OUTPUT_NAME = "predictions"


class Artefact(abc.ABC):
    """A model that was exported, open to predict.

    Subclasses open their files when they are made, with the arguments `path`
    and `num_threads`. Importing them imports no runtime.

    Attributes:
        KIND: what such an artefact is called in messages.
        path: the file or folder.
        num_threads: threads that it computes with; None is as many as the
            runtime takes by itself.

    Example:
        >>> folder = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> config, model = yt8m.inference.artefacts.load(folder)
        >>> model.KIND, model.num_classes
        ('a packed model', 3862)
        >>> model.input_shapes
        {'features': [None, 1152]}
        >>> model({"features": np.ones([2, 1152], np.float32)}).shape
        (2, 3862)
    """

    KIND: str

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.num_threads = num_threads

    @property
    @abc.abstractmethod
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""

    @property
    @abc.abstractmethod
    def num_classes(self) -> int:
        """The number of scores of a video."""

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts.

        Args:
            inputs: the model's inputs by name, as many videos as the file
                takes at once.

        Returns:
            float32 `[batch, num_classes]`.
        """

    def predict_each(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts any number of videos, however many the file takes at once.

        Args:
            inputs: the model's inputs by name; videos may have fewer frames
                than the file takes.

        Returns:
            float32 `[batch, num_classes]`.

        Raises:
            ValueError: if they have more frames than the file takes.
        """
        count = len(next(iter(inputs.values())))
        return np.concatenate([*map(self, self.split(inputs))])[:count]

    def split(
        self, inputs: Mapping[str, np.ndarray]
    ) -> list[dict[str, np.ndarray]]:
        """Makes what the file takes of any number of videos.

        Args:
            inputs: as of `predict_each`.

        Returns:
            Batches of as many videos as the file takes at once, the last of
            them filled up with its last video.

        Raises:
            ValueError: as of `predict_each`.
        """
        shapes = self.input_shapes
        inputs = {
            name: self._fill_up(value, shapes[name])
            for name, value in inputs.items()
        }
        size = next(iter(shapes.values()))[0]
        if size is None:
            return [inputs]
        count = len(next(iter(inputs.values())))
        places = np.minimum(np.arange(-(-count // size) * size), count - 1)
        return [
            {name: value[batch] for name, value in inputs.items()}
            for batch in places.reshape(-1, size)
        ]

    def _fill_up(
        self, value: np.ndarray, shape: Sequence[int | None]
    ) -> np.ndarray:
        """Adds frames of zeros where a file takes a fixed number of frames."""
        if len(shape) != 3 or shape[1] in (None, value.shape[1]):
            return value
        if value.shape[1] > shape[1]:
            raise ValueError(
                f"{self.path}: expected at most {shape[1]} frames of a video. "
                f"Received: {value.shape[1]}"
            )
        missing = shape[1] - value.shape[1]
        return np.pad(value, [(0, 0), (0, missing), (0, 0)])


def source(path: str, kind: str) -> str | bytes:
    """Says what a runtime, which knows files of this system alone, may read.

    Args:
        path: the file, local or of any file system that TensorFlow knows.
        kind: what it should be.

    Returns:
        The path, or what the file holds where it is not local.

    Raises:
        ValueError: if there is none, or it is not what the manifest beside it
            says.
        tf.errors.OpError: if it is not local and can't be read.
    """
    if not files.exists(path):
        raise missing(path, kind)
    export_manifest.verify_file(path)
    if files.is_local(path):
        return path
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def missing(path: str, kind: str) -> ValueError:
    """Makes the error of a file that is not there.

    Args:
        path: the file.
        kind: what it should be.
    """
    return ValueError(f"{path}: expected {kind}. Received: no such file")


def damaged(path: str, kind: str, error: Exception) -> ValueError:
    """Makes the error of a file that its runtime does not open.

    Args:
        path: the file.
        kind: what it should be.
        error: what the runtime said.
    """
    return ValueError(
        f"{path}: expected {kind} of yt8m-export, whole. "
        f"Received: {' '.join(str(error).split())}"
    )


def expect_output(path: str, kind: str, outputs: Sequence[str]) -> None:
    """Checks that a file is one of yt8m-export.

    Args:
        path: the file.
        kind: what it should be.
        outputs: the names of its outputs.

    Raises:
        ValueError: if they are others.
    """
    if list(outputs) != [OUTPUT_NAME]:
        raise ValueError(
            f"{path}: expected {kind} of yt8m-export, with {OUTPUT_NAME} as its"
            f" output. Received: outputs {list(outputs)}"
        )


def missing_package(path: str, kind: str, package: str) -> ValueError:
    """Makes the error of a runtime that is not installed.

    Args:
        path: the file that it would open.
        kind: what the file is.
        package: the name of the package.
    """
    return ValueError(
        f"{path}: expected {package}, which opens {kind}: pip install "
        f'"yt8m-compact[export]". Received: {package} is not installed'
    )

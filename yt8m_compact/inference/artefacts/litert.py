"""Files of LiteRT, which was TensorFlow Lite."""

from __future__ import annotations

from collections.abc import Mapping
import os
from typing import Any
import warnings

from yt8m_compact import lazy
from yt8m_compact import tensorflow_silence
from yt8m_compact.inference.artefacts import artefact

with lazy.imports():
    import numpy as np

SIGNATURE = "serving_default"


class LiteRtModel(artefact.Artefact):
    """A file of LiteRT, open to predict.

    It is opened by ai_edge_litert, or by TensorFlow where that is missing.

    Args:
        path: the file.
        num_threads: threads that it computes with.

    Raises:
        ValueError: if there is none, it is damaged, or not of yt8m-export.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> _ = yt8m.inference.exports.litert.save(
        ...     "litert",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> model = yt8m.inference.artefacts.LiteRtModel("litert/model.tflite")
        >>> model({"features": np.ones([1, 1152], np.float32)}).shape
        (1, 3862)
    """

    KIND = "a LiteRT model"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        self._open(artefact.source(self.path, self.KIND))

    @classmethod
    def from_content(cls, content: bytes) -> LiteRtModel:
        """Opens what is not written yet, to compute with one thread.

        Args:
            content: the bytes of a file.

        Raises:
            ValueError: as of the class.
        """
        model = cls.__new__(cls)
        artefact.Artefact.__init__(model, "model.tflite", num_threads=1)
        model._open(content)
        return model

    def _open(self, source: str | bytes) -> None:
        argument = "model_path" if isinstance(source, str) else "model_content"
        try:
            with (
                warnings.catch_warnings(),
                tensorflow_silence.without_notes(),
            ):
                # Of TensorFlow's, that there is a package of its own.
                warnings.simplefilter("ignore")
                self._interpreter = _interpreter_class()(
                    **{argument: source}, num_threads=self.num_threads
                )
                self._interpreter.allocate_tensors()
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise artefact.damaged(self.path, self.KIND, error) from error
        outputs = signatures.get(SIGNATURE, {}).get("outputs", [])
        artefact.expect_output(self.path, self.KIND, outputs)
        self._run = self._interpreter.get_signature_runner(SIGNATURE)

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return {
            name: [None if size < 0 else int(size) for size in shape]
            for name, details in self._run.get_input_details().items()
            for shape in [details["shape_signature"]]
        }

    @property
    def num_classes(self) -> int:
        """The number of scores of a video."""
        details = self._run.get_output_details()[artefact.OUTPUT_NAME]
        return int(details["shape"][-1])

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts: see `Artefact`."""
        return self._run(**inputs)[artefact.OUTPUT_NAME]


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        import tensorflow as tf

        return tf.lite.Interpreter
    return interpreter.Interpreter

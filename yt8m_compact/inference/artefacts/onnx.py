"""ONNX files, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
import os

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact

with lazy.imports():
    import numpy as np

_ERRORS_ONLY = 3


class OnnxModel(artefact.Artefact):
    """An ONNX file, open to predict on the CPU.

    Args:
        path: the file.
        num_threads: threads that it computes with.

    Raises:
        ValueError: if there is none, it is damaged, or not of yt8m-export, or
            onnxruntime is not installed.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> _ = yt8m.inference.exports.onnx.save(
        ...     "onnx",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> model = yt8m.inference.artefacts.OnnxModel("onnx/model.onnx")
        >>> model({"features": np.ones([1, 1152], np.float32)}).shape
        (1, 3862)
    """

    KIND = "an ONNX model"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        source = artefact.source(self.path, self.KIND)
        try:
            import onnxruntime
        except ImportError as error:
            raise artefact.missing_package(
                self.path, self.KIND, "onnxruntime"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # Its own have no class in common.
            raise artefact.damaged(self.path, self.KIND, error) from error
        outputs = [output.name for output in self._session.get_outputs()]
        artefact.expect_output(self.path, self.KIND, outputs)

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return {
            node.name: [
                size if isinstance(size, int) else None for size in node.shape
            ]
            for node in self._session.get_inputs()
        }

    @property
    def num_classes(self) -> int:
        """The number of scores of a video."""
        return self._session.get_outputs()[0].shape[-1]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts: see `Artefact`."""
        (scores,) = self._session.run([artefact.OUTPUT_NAME], dict(inputs))
        return scores

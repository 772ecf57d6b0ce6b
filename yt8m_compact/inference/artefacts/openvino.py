"""Files of OpenVINO: one in XML, and its weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
import os

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.artefacts import openvino_package

with lazy.imports():
    import numpy as np


class OpenVinoModel(artefact.Artefact):
    """A model of OpenVINO, open to predict on the CPU.

    It computes in float32: processors that can would compute in 16 bits by
    default, and scores would differ by 2e-3.

    Args:
        path: the file in XML.
        num_threads: threads that it computes with.

    Raises:
        ValueError: if there is none, it is damaged, or not of yt8m-export, or
            openvino is not installed.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> from yt8m_compact.inference.exports import projection_export
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> _ = yt8m.inference.exports.openvino.save(
        ...     "openvino",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     projection_export.ProjectionExport.AUTO,
        ...     batch_size=1,
        ... )
        >>> model = yt8m.inference.artefacts.OpenVinoModel("openvino/model.xml")
        >>> model({"features": np.ones([1, 1152], np.float32)}).shape
        (1, 3862)
    """

    KIND = "an OpenVINO model"

    def __init__(
        self, path: str | os.PathLike[str], num_threads: int | None = None
    ) -> None:
        super().__init__(path, num_threads)
        weights_path = os.path.splitext(self.path)[0] + ".bin"
        sources = (
            artefact.source(self.path, self.KIND),
            artefact.source(weights_path, f"the weights of {self.path}"),
        )
        try:
            openvino = openvino_package.load()
        except ImportError as error:
            raise artefact.missing_package(
                self.path, self.KIND, "openvino"
            ) from error
        properties = {"INFERENCE_PRECISION_HINT": "f32"}
        if num_threads is not None:
            properties["INFERENCE_NUM_THREADS"] = num_threads
        try:
            core = openvino.Core()
            self._compiled = core.compile_model(
                core.read_model(*sources), "CPU", properties
            )
        except RuntimeError as error:
            raise artefact.damaged(self.path, self.KIND, error) from error
        outputs = [
            min(output.names, default="") for output in self._compiled.outputs
        ]
        artefact.expect_output(self.path, self.KIND, outputs)

    @property
    def input_shapes(self) -> dict[str, list[int | None]]:
        """The shapes of the inputs, by name; None is any size."""
        return {
            port.any_name: [
                size.get_length() if size.is_static else None
                for size in port.partial_shape
            ]
            for port in self._compiled.inputs
        }

    @property
    def num_classes(self) -> int:
        """The number of scores of a video."""
        return self._compiled.outputs[0].partial_shape[-1].get_length()

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predicts: see `Artefact`."""
        # A copy: what it returns is overwritten by the next call.
        return np.array(self._compiled(dict(inputs))[artefact.OUTPUT_NAME])

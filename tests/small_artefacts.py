"""Small models in every format of yt8m-export, for tests."""

import dataclasses
import functools
import os

import tiny_runs
from yt8m_compact.inference import serving
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import packed_model
from yt8m_compact.run import train_dir as train_dir_lib

FORMATS = ("litert", "onnx", "openvino", "saved_model", "packed", "keras")
LEVELS = ("video", "frame")


@dataclasses.dataclass(frozen=True)
class SmallArtefacts:
    """A run in every format; not to be changed.

    Attributes:
        run: the run.
        folder: a folder that has one for each of `FORMATS`.
    """

    run: tiny_runs.Run
    folder: str

    def path(self, name: str) -> str:
        """Returns the folder of a format."""
        return os.path.join(self.folder, name)

    def file(self, name: str) -> str:
        """Returns the file of a format."""
        endings = {
            "litert": "tflite",
            "onnx": "onnx",
            "openvino": "xml",
            "keras": "keras",
        }
        return os.path.join(self.path(name), f"model.{endings[name]}")


@functools.cache
def make(level: str) -> SmallArtefacts:
    """Exports a small run in every format, once in a process.

    Args:
        level: one of `LEVELS`.
    """
    run = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}[level]()
    # Its own: what is found out about it is kept in its folder.
    run = tiny_runs.copy_run(run, tiny_runs.make_folder())
    config, model, step = train_dir_lib.TrainDir(run.path).restore_model()
    made = SmallArtefacts(run, str(tiny_runs.make_folder()))
    export = projection_export.ProjectionExport.DFT
    about = companions.About(config, step)
    litert.save(made.path("litert"), about, model, export, 1)
    onnx.save(made.path("onnx"), about, model, export, 1)
    openvino.save(made.path("openvino"), about, model, export, 1)
    os.mkdir(made.path("keras"))
    config_lib.save(config, os.path.join(made.path("keras"), "config.json"))
    model.save(made.file("keras"))
    module = serving.ServingModule(config, model, top_k=2)
    serving.save(module, made.path("saved_model"))
    packed_model.save(made.path("packed"), config, model, step)
    return made

"""Models that were exported, open to predict: a class a runtime."""

from yt8m_compact import lazy
from yt8m_compact.inference.artefacts.artefact import Artefact as Artefact
from yt8m_compact.inference.artefacts.keras_file import KerasModel as KerasModel
from yt8m_compact.inference.artefacts.litert import LiteRtModel as LiteRtModel
from yt8m_compact.inference.artefacts.loading import find as find
from yt8m_compact.inference.artefacts.loading import kind_of as kind_of
from yt8m_compact.inference.artefacts.loading import load as load
from yt8m_compact.inference.artefacts.loading import load_config as load_config
from yt8m_compact.inference.artefacts.onnx import OnnxModel as OnnxModel
from yt8m_compact.inference.artefacts.openvino import (
    OpenVinoModel as OpenVinoModel,
)
from yt8m_compact.inference.artefacts.packed import PackedModel as PackedModel
from yt8m_compact.inference.artefacts.saved_model import (
    SavedModel as SavedModel,
)

with lazy.imports():
    from yt8m_compact.inference.artefacts import measuring as measuring

"""Models: a frozen config each, which builds a Keras model.

`import yt8m_compact.models` registers every class that a `.keras` file of one
of these models names; do so before `keras.saving.load_model`.
"""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.models.attention import AttentionConfig
from yt8m_compact.models.dbof import DbofConfig
from yt8m_compact.models.deep_circulant import DeepCirculantConfig
from yt8m_compact.models.distilled_model import DistilledModel
from yt8m_compact.models.frame_level_logistic import FrameLevelLogisticConfig
from yt8m_compact.models.gated_dbof import GatedDbofConfig
from yt8m_compact.models.gru import GruConfig
from yt8m_compact.models.label_loss import LabelLoss
from yt8m_compact.models.logistic import LogisticConfig
from yt8m_compact.models.lstm import LstmConfig
from yt8m_compact.models.mix_next_vlad import MixNextVladConfig
from yt8m_compact.models.model_config import ModelConfig
from yt8m_compact.models.moe import MoeConfig
from yt8m_compact.models.net_fv import NetFvConfig
from yt8m_compact.models.net_vlad import NetVladConfig
from yt8m_compact.models.next_vlad import NextVladConfig
from yt8m_compact.models.pooled_embedding import PooledEmbeddingConfig
from yt8m_compact.models.registry import MODELS
from yt8m_compact.models.registry import get_model_config
from yt8m_compact.models.registry import model_name
from yt8m_compact.models.soft_dbof import SoftDbofConfig
from yt8m_compact.models.transformer import TransformerConfig

__all__ = [
    "MODELS",
    "AttentionConfig",
    "DbofConfig",
    "DeepCirculantConfig",
    "DistilledModel",
    "FrameLevelLogisticConfig",
    "GatedDbofConfig",
    "GruConfig",
    "LabelLoss",
    "LogisticConfig",
    "LstmConfig",
    "MixNextVladConfig",
    "ModelConfig",
    "MoeConfig",
    "NetFvConfig",
    "NetVladConfig",
    "NextVladConfig",
    "PooledEmbeddingConfig",
    "SoftDbofConfig",
    "TransformerConfig",
    "get_model_config",
    "model_name",
]

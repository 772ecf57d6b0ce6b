"""Models: a frozen config each, which builds a Keras model.

`register_classes` makes known to Keras what a `.keras` file of one of these
models names; call it before `keras.saving.load_model`. Where Keras was imported
before `yt8m_compact.models`, that is done already.
"""

# ruff: noqa: E402
import sys

from yt8m_compact import keras_backend
from yt8m_compact import lazy

keras_backend.expect_tensorflow()

from yt8m_compact.models.attention import AttentionConfig
from yt8m_compact.models.dbof import DbofConfig
from yt8m_compact.models.deep_circulant import DeepCirculantConfig
from yt8m_compact.models.deep_combine_chain import DeepCombineChainConfig
from yt8m_compact.models.embedding import find_embedding
from yt8m_compact.models.frame_level_logistic import FrameLevelLogisticConfig
from yt8m_compact.models.gated_dbof import GatedDbofConfig
from yt8m_compact.models.gru import GruConfig
from yt8m_compact.models.logistic import LogisticConfig
from yt8m_compact.models.lstm import LstmConfig
from yt8m_compact.models.mix_next_vlad import MixNextVladConfig
from yt8m_compact.models.mlp import MlpConfig
from yt8m_compact.models.model_config import ModelConfig
from yt8m_compact.models.moe import MoeConfig
from yt8m_compact.models.net_fv import NetFvConfig
from yt8m_compact.models.net_vlad import NetVladConfig
from yt8m_compact.models.next_vlad import NextVladConfig
from yt8m_compact.models.pooled_embedding import PooledEmbeddingConfig
from yt8m_compact.models.registry import MODELS
from yt8m_compact.models.registry import get_model_config
from yt8m_compact.models.registry import model_name
from yt8m_compact.models.registry import register_classes
from yt8m_compact.models.soft_dbof import SoftDbofConfig
from yt8m_compact.models.transformer import TransformerConfig

with lazy.imports():
    from yt8m_compact.models.distilled_model import DistilledModel
    from yt8m_compact.models.label_loss import LabelLoss

if "keras" in sys.modules:
    register_classes()

__all__ = [
    "MODELS",
    "AttentionConfig",
    "DbofConfig",
    "DeepCirculantConfig",
    "DeepCombineChainConfig",
    "DistilledModel",
    "FrameLevelLogisticConfig",
    "GatedDbofConfig",
    "GruConfig",
    "LabelLoss",
    "LogisticConfig",
    "LstmConfig",
    "MixNextVladConfig",
    "MlpConfig",
    "ModelConfig",
    "MoeConfig",
    "NetFvConfig",
    "NetVladConfig",
    "NextVladConfig",
    "PooledEmbeddingConfig",
    "SoftDbofConfig",
    "TransformerConfig",
    "find_embedding",
    "get_model_config",
    "model_name",
    "register_classes",
]

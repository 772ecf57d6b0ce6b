"""The models, by name."""

import importlib

from yt8m_compact import names
from yt8m_compact.models import attention
from yt8m_compact.models import dbof
from yt8m_compact.models import deep_circulant
from yt8m_compact.models import deep_combine_chain
from yt8m_compact.models import frame_level_logistic
from yt8m_compact.models import gated_dbof
from yt8m_compact.models import gru
from yt8m_compact.models import logistic
from yt8m_compact.models import lstm
from yt8m_compact.models import mix_next_vlad
from yt8m_compact.models import mlp
from yt8m_compact.models import model_config
from yt8m_compact.models import moe
from yt8m_compact.models import net_fv
from yt8m_compact.models import net_vlad
from yt8m_compact.models import next_vlad
from yt8m_compact.models import pooled_embedding
from yt8m_compact.models import soft_dbof
from yt8m_compact.models import transformer

MODELS: dict[str, type[model_config.ModelConfig]] = {
    "LogisticModel": logistic.LogisticConfig,
    "MoeModel": moe.MoeConfig,
    "MlpModel": mlp.MlpConfig,
    "DeepCirculantModel": deep_circulant.DeepCirculantConfig,
    "DeepCombineChainModel": deep_combine_chain.DeepCombineChainConfig,
    "FrameLevelLogisticModel": (frame_level_logistic.FrameLevelLogisticConfig),
    "LstmModel": lstm.LstmConfig,
    "GruModel": gru.GruConfig,
    "DbofModel": dbof.DbofConfig,
    "NetVladModel": net_vlad.NetVladConfig,
    "NetFvModel": net_fv.NetFvConfig,
    "SoftDbofModel": soft_dbof.SoftDbofConfig,
    "GatedDbofModel": gated_dbof.GatedDbofConfig,
    "NeXtVladModel": next_vlad.NextVladConfig,
    "MixNeXtVladModel": mix_next_vlad.MixNextVladConfig,
    "AttentionModel": attention.AttentionConfig,
    "TransformerModel": transformer.TransformerConfig,
    "PooledEmbeddingModel": pooled_embedding.PooledEmbeddingConfig,
}


def get_model_config(name: str) -> type[model_config.ModelConfig]:
    """Looks up the config class of a model.

    Example:
        >>> yt8m.models.get_model_config("MoeModel").__name__
        'MoeConfig'

    Args:
        name: a key of `MODELS`.

    Returns:
        The class.

    Raises:
        ValueError: if there is no such model; it lists those there are.
    """
    if name not in MODELS:
        raise ValueError(
            f"expected a model, one of {', '.join(MODELS)}. Received: "
            f"model={name!r}{names.suggestion(name, MODELS)}"
        )
    return MODELS[name]


def model_name(config: model_config.ModelConfig) -> str:
    """Looks up the name of a config's model.

    Example:
        >>> yt8m.models.model_name(yt8m.models.MoeConfig())
        'MoeModel'

    Args:
        config: an instance of one of the classes in `MODELS`.

    Returns:
        The key in `MODELS`.
    """
    return next(name for name, cls in MODELS.items() if type(config) is cls)


def register_classes() -> None:
    """Makes known to Keras every class that a `.keras` file of a model names.

    `import yt8m_compact.models` imports no Keras, and so can't do it.

    Example:
        >>> import keras
        >>> config = yt8m.models.LogisticConfig()
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> model.save("model.keras")
        >>> yt8m.models.register_classes()  # needed where nothing was built
        >>> keras.saving.load_model("model.keras").output_shape
        (None, 10)
    """
    # Each registers what is defined in it.
    importlib.import_module("yt8m_compact.layers")
    importlib.import_module("yt8m_compact.models.distilled_model")

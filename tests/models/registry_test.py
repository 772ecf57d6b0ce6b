"""Tests of the registry of models."""

import pytest

from yt8m_compact import models


def test_names():
    assert models.MODELS == {
        "LogisticModel": models.LogisticConfig,
        "MoeModel": models.MoeConfig,
        "MlpModel": models.MlpConfig,
        "DeepCirculantModel": models.DeepCirculantConfig,
        "DeepCombineChainModel": models.DeepCombineChainConfig,
        "FrameLevelLogisticModel": models.FrameLevelLogisticConfig,
        "LstmModel": models.LstmConfig,
        "GruModel": models.GruConfig,
        "DbofModel": models.DbofConfig,
        "NetVladModel": models.NetVladConfig,
        "NetFvModel": models.NetFvConfig,
        "SoftDbofModel": models.SoftDbofConfig,
        "GatedDbofModel": models.GatedDbofConfig,
        "NeXtVladModel": models.NextVladConfig,
        "MixNeXtVladModel": models.MixNextVladConfig,
        "AttentionModel": models.AttentionConfig,
        "TransformerModel": models.TransformerConfig,
        "PooledEmbeddingModel": models.PooledEmbeddingConfig,
    }


@pytest.mark.parametrize("name", models.MODELS)
def test_config_class_and_name_lead_to_each_other(name):
    cls = models.get_model_config(name)
    assert issubclass(cls, models.ModelConfig)
    assert models.model_name(cls()) == name


def test_levels_of_features():
    video_level = {
        name
        for name, config in models.MODELS.items()
        if not config.frame_features
    }
    assert video_level == {
        "LogisticModel",
        "MoeModel",
        "MlpModel",
        "DeepCirculantModel",
        "DeepCombineChainModel",
    }


def test_unknown_model_is_refused():
    with pytest.raises(
        ValueError,
        match=f"expected a model, one of {', '.join(models.MODELS)}. "
        "Received: model='NetVLADModelLF'",
    ):
        models.get_model_config("NetVLADModelLF")
    with pytest.raises(
        ValueError, match="model='MoeModle'; did you mean MoeModel\\?$"
    ):
        models.get_model_config("MoeModle")

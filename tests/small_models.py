"""Small settings of every model, for tests.

Their layers are wider and narrower than the inputs, and nothing is random in
training.
"""

import dataclasses

import keras

from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures

# Every structure, by the text without arguments; but a tenth of the entries of
# these tiny matrices would let next to nothing through.
KINDS = tuple(
    "sparse(density=0.5)" if name == "sparse" else name
    for name in (*structures.STRUCTURES, *structures.ALIASES)
)
_NEXT_VLAD = {
    "nextvlad_cluster_size": 4,
    "nextvlad_hidden_size": 6,
    "groups": 4,
    "gating_reduction": 2,
    "drop_rate": 0.0,
}
FRAME_MODELS = {
    "FrameLevelLogisticModel": {},
    "LstmModel": {"lstm_cells": 4},
    "GruModel": {"gru_cells": 5},
    "NetVladModel": {"netvlad_cluster_size": 4, "netvlad_hidden_size": 5},
    "NetFvModel": {"fv_cluster_size": 4, "fv_hidden_size": 5},
    "SoftDbofModel": {"dbof_cluster_size": 16, "dbof_hidden_size": 5},
    "GatedDbofModel": {"dbof_cluster_size": 16, "dbof_hidden_size": 5},
    "NeXtVladModel": _NEXT_VLAD,
    "MixNeXtVladModel": {**_NEXT_VLAD, "mix_number": 2},
    "AttentionModel": {
        "attention_layers": 2,
        "attention_hidden_size": 5,
        "attention_heads": 2,
        "drop_rate": 0.0,
    },
    "TransformerModel": {
        "transformer_layers": 1,
        "transformer_heads": 2,
        "transformer_head_size": 3,
        "transformer_hidden_size": 8,
        "drop_rate": 0.0,
    },
}

_GATED = {"gating": True, "context_gating": True}
# Small settings of each model; layers are wider and narrower than inputs.
SMALL = {
    "LogisticModel": {},
    "MoeModel": {},
    "MlpModel": {"mlp_hidden_size": 10, "mlp_layers": 2},
    "DeepCirculantModel": {"num_layers": 2},
    "DeepCombineChainModel": {
        "deep_chain_layers": 2,
        "deep_chain_relu_cells": 12,
    },
    "DbofModel": {
        "iterations": 4,
        "dbof_cluster_size": 14,
        "dbof_hidden_size": 5,
    },
    **FRAME_MODELS,
    # WILLOW's, with the places and the weights that a flag asks for.
    **{
        name: {**FRAME_MODELS[name], **_GATED, **values}
        for name, values in {
            "NetVladModel": {},
            "NetFvModel": {"fv_couple_weights": True},
            "SoftDbofModel": {"softdbof_maxpool": True},
            "GatedDbofModel": {},
        }.items()
    },
    "PooledEmbeddingModel": {
        "embeddings": ("dbof",),
        "dbof_clusters": 14,
        "netvlad_clusters": 4,
        "netfv_clusters": 4,
        "num_bags": 2,
        "frames_per_bag": 3,
        "fc_size": 5,
    },
}


def used_places(config: models.ModelConfig) -> list[str]:
    """Lists the fields that choose the kind of a projection that is there."""
    unused = config.unused_settings()
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.name.endswith("_projection") and field.name not in unused
    ]


def projections_of(model: keras.Model) -> list[layers.Projection]:
    """Lists the projections of a model, those of recurrent cells too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.RNN):
            layer = getattr(layer.cell, "recurrent_projection", layer)
        if isinstance(layer, layers.Projection):
            found.append(layer)
    return found


def places(name: str) -> list[str]:
    """Lists the fields that choose the kind of a model's projections."""
    return used_places(models.MODELS[name](**SMALL[name]))


def make_model(
    name: str, kinds: tuple[str, ...], **kwargs
) -> models.ModelConfig:
    """Makes a small config with the given kinds at its places."""
    return models.MODELS[name](
        **dict(zip(places(name), kinds, strict=True)),
        **{**SMALL[name], **kwargs},
    ).without_unused()

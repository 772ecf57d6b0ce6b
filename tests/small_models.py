"""Small settings of the models of frames, for tests.

Their layers are wider and narrower than the inputs, and nothing is random in
training.
"""

import dataclasses

import keras

from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures

# Every structure, by the text without arguments.
KINDS = (*structures.STRUCTURES, *structures.ALIASES)
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

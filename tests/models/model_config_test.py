"""Tests of the models' settings: each changes something, none may be wrong."""

import dataclasses
import random
import re

import numpy as np
import pytest

import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures

LOGISTIC = "LogisticModel"
# So that each setting is used.
COMPLETE = {
    "NetVladModel": {"gating": True},
    "NetFvModel": {"gating": True, "fv_couple_weights": True},
    "SoftDbofModel": {"gating": True},
    "GatedDbofModel": {"gating": True},
    "NeXtVladModel": {
        "video_level_classifier_model": "MoeModel",
        "iterations": 5,
    },
    "MixNeXtVladModel": {"iterations": 5},
    "TransformerModel": {"video_level_classifier_model": "MoeModel"},
}
SMALL = {
    "LogisticModel": {},
    "MoeModel": {},
    "MlpModel": small_models.SMALL["MlpModel"],
    "DeepCirculantModel": {"num_layers": 2},
    "DeepCombineChainModel": small_models.SMALL["DeepCombineChainModel"],
    "DbofModel": {"dbof_cluster_size": 14, "dbof_hidden_size": 5},
    **{
        name: {**values, **COMPLETE.get(name, {})}
        for name, values in small_models.FRAME_MODELS.items()
    },
    "PooledEmbeddingModel": {
        "embeddings": ("dbof", "netvlad", "netfv"),
        "dbof_clusters": 14,
        "netvlad_clusters": 4,
        "netfv_clusters": 4,
        "num_bags": 2,
        "frames_per_bag": 2,
        "fc_size": 5,
        "moe_num_mixtures": 2,
    },
}

# For each field another value, and what it changes. `batch_norm` is the moving
# statistics after one step of training, late in a run.
COMMON = {
    "classifier_projection": ("circulant", {"weights", "outputs", "losses"}),
    "l2_normalize": (False, {"outputs", "layers"}),
    "l2_penalty": (0.5, {"losses"}),
    "regularization_penalty": (0.5, {"losses"}),
}
MIXTURES = {"moe_num_mixtures": (3, {"weights", "outputs", "losses"})}
HIDDEN = {"weights", "outputs", "losses", "initial_weights"}
DEEP_CIRCULANT = {
    **COMMON,
    "num_layers": (3, HIDDEN | {"layers"}),
    "hidden_projection": ("dense", HIDDEN),
    "classifier_projection": ("dense", HIDDEN),
    "leaky_relu_slope": (0.25, {"outputs", "initial_weights"}),
    "activation_every": (2, {"outputs", "layers", "initial_weights"}),
    "initialization": ("paper", {"initial_weights"}),
}
DBOF = {
    "iterations": (0, {"num_sampled_frames"}),
    "sample_random_frames": (False, {"samples_random_frames"}),
    "dbof_add_batch_norm": (
        False,
        {"weights", "outputs", "batch_norm", "layers", "losses"},
    ),
    "dbof_cluster_size": (
        15,
        {"weights", "outputs", "batch_norm", "losses"},
    ),
    "dbof_hidden_size": (6, {"weights", "outputs", "batch_norm", "losses"}),
    "dbof_pooling_method": ("average", {"outputs", "batch_norm"}),
    "dbof_activation": ("sigmoid", {"outputs", "batch_norm"}),
    "batch_norm_momentum": (0.9, {"batch_norm"}),
    "video_level_classifier_model": (
        "LogisticModel",
        {"weights", "outputs", "layers", "losses"},
    ),
    "embedding_projection": (
        "circulant",
        {"weights", "outputs", "batch_norm", "losses"},
    ),
    "fc_projection": (
        "circulant",
        {"weights", "outputs", "batch_norm", "losses"},
    ),
}
# The moving statistics of DBoF start with its features.
DBOF_COMMON = {
    **COMMON,
    "l2_normalize": (False, {"outputs", "layers", "batch_norm"}),
}
POOLED = {
    **DBOF_COMMON,
    **MIXTURES,
    # Predictions, and what the gates normalise, follow from what precedes.
    "classifier_projection": (
        "circulant",
        {"weights", "outputs", "batch_norm", "losses"},
    ),
    "moe_num_mixtures": (3, {"weights", "outputs", "batch_norm", "losses"}),
    "embeddings": (
        ("dbof", "moments", "netfv"),
        {"weights", "outputs", "batch_norm", "layers", "losses"},
    ),
    "dbof_clusters": (15, {"weights", "outputs", "batch_norm", "losses"}),
    "netvlad_clusters": (5, {"weights", "outputs", "batch_norm", "losses"}),
    "netfv_clusters": (5, {"weights", "outputs", "batch_norm", "losses"}),
    "dbof_pooling_method": ("average", {"outputs", "batch_norm"}),
    "num_bags": (3, {"outputs", "batch_norm", "num_sampled_frames"}),
    "frames_per_bag": (1, {"outputs", "batch_norm", "num_sampled_frames"}),
    "fc_size": (6, {"weights", "outputs", "batch_norm", "losses"}),
    "classifier": (
        "logistic",
        {"weights", "outputs", "batch_norm", "layers", "losses"},
    ),
    "context_gating": (
        False,
        {"weights", "outputs", "batch_norm", "layers"},
    ),
    "batch_norm_momentum": (0.9, {"batch_norm"}),
    "embedding_projection": (
        "circulant",
        {"weights", "outputs", "batch_norm", "losses"},
    ),
    "fc_projection": (
        "circulant",
        {"weights", "outputs", "batch_norm", "losses"},
    ),
    "gating_projection": ("circulant", {"weights", "outputs", "batch_norm"}),
}
# What reshapes weights or moves them: the next ones are drawn differently.
RESHAPED = {"weights", "outputs", "losses"}
CLASSIFIED = {
    **MIXTURES,
    "video_level_classifier_model": ("LogisticModel", RESHAPED | {"layers"}),
}
RECURRENT = {
    **COMMON,
    **CLASSIFIED,
    "embedding_projection": ("circulant", RESHAPED),
    "recurrent_projection": ("circulant", RESHAPED),
}
NORMALIZED = RESHAPED | {"batch_norm"}
LATE_FUSION = {
    **COMMON,
    "classifier_projection": ("circulant", RESHAPED),
    "l2_normalize": (False, {"outputs", "layers", "batch_norm"}),
    "iterations": (7, {"num_sampled_frames"}),
    "sample_random_frames": (False, {"samples_random_frames"}),
    "batch_norm_momentum": (0.9, {"batch_norm"}),
    "moe_num_mixtures": (3, RESHAPED),
    "video_level_classifier_model": ("LogisticModel", RESHAPED | {"layers"}),
    "gating": (False, NORMALIZED | {"layers"}),
    "context_gating": (True, {"weights", "outputs", "batch_norm", "layers"}),
    "gating_remove_diag": (True, {"outputs", "batch_norm"}),
    "embedding_projection": ("circulant", NORMALIZED),
    "fc_projection": ("circulant", NORMALIZED),
    "gating_projection": ("circulant", NORMALIZED),
}
SOFT_DBOF = {
    **LATE_FUSION,
    "dbof_cluster_size": (17, NORMALIZED),
    "dbof_hidden_size": (6, NORMALIZED),
    "dbof_relu": (False, NORMALIZED | {"layers"}),
    "softdbof_maxpool": (True, NORMALIZED | {"layers"}),
    "fc_dimred": (False, NORMALIZED | {"layers"}),
}
NEXT_VLAD = {
    "classifier_projection": ("circulant", RESHAPED),
    "nextvlad_cluster_size": (6, NORMALIZED),
    "nextvlad_hidden_size": (7, NORMALIZED),
    "groups": (2, NORMALIZED),
    "expansion": (4, NORMALIZED),
    "gating_reduction": (3, NORMALIZED),
    "drop_rate": (0.5, {"batch_norm", "dropout"}),
    **{
        name: LATE_FUSION[name]
        for name in (
            "l2_normalize",
            "iterations",
            "sample_random_frames",
            "batch_norm_momentum",
            "embedding_projection",
            "fc_projection",
            "gating_projection",
        )
    },
    "l2_penalty": COMMON["l2_penalty"],
    "regularization_penalty": COMMON["regularization_penalty"],
}
SHARED_BY_FRAME_SETS = {
    *COMMON,
    "iterations",
    "sample_random_frames",
    "batch_norm_momentum",
    "drop_rate",
}
CHANGES = {
    "LogisticModel": COMMON,
    "MoeModel": {**COMMON, **MIXTURES},
    "MlpModel": {
        **COMMON,
        "l2_normalize": (False, {"outputs", "batch_norm"}),
        "mlp_input_sizes": (
            (3, 2),
            RESHAPED | {"layers", "batch_norm"},
        ),
        "mlp_hidden_size": (6, RESHAPED | {"batch_norm"}),
        "mlp_layers": (1, RESHAPED | {"layers", "batch_norm", "dropout"}),
        "drop_rate": (0.25, {"batch_norm", "dropout"}),
        "input_drop_rate": (0.25, {"layers", "batch_norm", "dropout"}),
        "batch_norm_momentum": (0.9, {"batch_norm"}),
        "hidden_projection": ("circulant", RESHAPED | {"batch_norm"}),
        "unit_penalty": (
            0.1,
            RESHAPED | {"layers", "batch_norm"},
        ),
    },
    "DeepCombineChainModel": {
        **COMMON,
        **MIXTURES,
        "deep_chain_layers": (3, RESHAPED | {"layers"}),
        "deep_chain_relu_cells": (9, RESHAPED),
        "deep_chain_relu_type": ("elu", {"outputs"}),
        "support_loss_percent": (0.5, {"share"}),
        "chain_projection": ("circulant", RESHAPED),
    },
    "DeepCirculantModel": DEEP_CIRCULANT,
    "FrameLevelLogisticModel": COMMON,
    "LstmModel": {
        **RECURRENT,
        "lstm_cells": (5, RESHAPED),
        "lstm_layers": (1, RESHAPED | {"layers"}),
    },
    "GruModel": {
        **RECURRENT,
        "gru_cells": (4, RESHAPED),
        "gru_layers": (1, RESHAPED | {"layers"}),
    },
    "DbofModel": {**DBOF_COMMON, **MIXTURES, **DBOF},
    "NetVladModel": {
        **LATE_FUSION,
        "netvlad_cluster_size": (5, NORMALIZED),
        "netvlad_hidden_size": (6, NORMALIZED),
        "netvlad_relu": (False, NORMALIZED | {"layers"}),
        "lightvlad": (True, NORMALIZED),
        "vlagd": (True, {"outputs", "layers", "batch_norm"}),
    },
    "NetFvModel": {
        **LATE_FUSION,
        "fv_cluster_size": (5, NORMALIZED),
        "fv_hidden_size": (6, NORMALIZED),
        "fv_relu": (False, NORMALIZED | {"layers"}),
        "fv_couple_weights": (False, NORMALIZED | {"layers"}),
        "fv_coupling_factor": (0.5, {"outputs", "batch_norm"}),
    },
    "SoftDbofModel": SOFT_DBOF,
    "GatedDbofModel": SOFT_DBOF,
    "NeXtVladModel": {
        **NEXT_VLAD,
        "moe_num_mixtures": (3, RESHAPED),
        "video_level_classifier_model": (
            "LogisticModel",
            RESHAPED | {"layers"},
        ),
    },
    "MixNeXtVladModel": {
        **{
            # How far the parts are from each other follows from everything.
            name: (value, changed | {"distillation"})
            if changed & {"outputs", "batch_norm"}
            else (value, changed)
            for name, (value, changed) in NEXT_VLAD.items()
        },
        "batch_norm_momentum": (0.9, {"batch_norm"}),
        "mix_number": (
            3,
            NORMALIZED | {"layers", "dropout", "distillation"},
        ),
        "cl_temperature": (1.5, {"distillation"}),
        "cl_lambda": (0.5, {"distillation"}),
    },
    "AttentionModel": {
        **{
            name: change
            for name, change in NEXT_VLAD.items()
            if name in SHARED_BY_FRAME_SETS
        },
        "attention_layers": (1, NORMALIZED | {"layers", "dropout"}),
        "attention_hidden_size": (6, NORMALIZED),
        "attention_heads": (1, RESHAPED),
        "attention_projection": ("circulant", RESHAPED),
        "embedding_projection": ("circulant", NORMALIZED),
    },
    "TransformerModel": {
        **COMMON,
        **CLASSIFIED,
        "drop_rate": (0.5, {"dropout"}),
        "transformer_layers": (2, RESHAPED | {"layers", "dropout"}),
        "transformer_heads": (3, RESHAPED),
        "transformer_head_size": (4, RESHAPED),
        "transformer_hidden_size": (9, RESHAPED),
        "embedding_projection": ("circulant", RESHAPED),
        "attention_projection": ("circulant", RESHAPED),
        "fc_projection": ("circulant", RESHAPED),
    },
    "PooledEmbeddingModel": POOLED,
}


def make_config(name, **values):
    return models.MODELS[name](**{"l2_penalty": 0.25, **SMALL[name], **values})


def make_changed(name, field, value):
    """Makes a config with another value, and nothing that it leaves unused."""
    return make_config(name, **{field: value}).without_unused()


def describe(config):
    """Builds a model and lists all that a setting could change."""
    model = numpy_models.build(config)
    batch = (
        numpy_models.make_frames()
        if config.frame_features
        else numpy_models.make_features()
    )
    description = {
        "weights": [weight.shape for weight in model.weights],
        "layers": [type(layer).__name__ for layer in model.layers],
        "outputs": model(batch, training=False).numpy().round(4).tolist(),
        "losses": [round(float(loss), 4) for loss in model.losses],
        "num_sampled_frames": config.num_sampled_frames,
        "samples_random_frames": config.samples_random_frames,
    }
    if hasattr(config, "initialization"):
        random.seed(0)  # See numpy_models.build.
        fresh = config.build(feature_sizes=[9], num_classes=20)
        description["initial_weights"] = [
            float(np.std(weight)) for weight in fresh.weights
        ]
    if hasattr(config, "support_loss_percent"):
        description["share"] = model.get_layer("predictions").branch_share
    if hasattr(config, "drop_rate"):
        description["dropout"] = [
            layer.rate
            for layer in model.layers
            if isinstance(layer, layers.RepeatableDropout)
        ]
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            # Late in a run, when the momentum counts.
            layer._statistics_steps.assign(10**6)
    model(batch, training=True)
    if hasattr(config, "cl_lambda"):
        description["distillation"] = round(
            float(sum(model.get_layer("predictions").losses)), 4
        )
    description["batch_norm"] = [
        weight.numpy().round(4).tolist()
        for weight in model.non_trainable_weights
    ]
    return description


@pytest.fixture(scope="module")
def descriptions():
    return {name: describe(make_config(name)) for name in models.MODELS}


@pytest.mark.parametrize("name", models.MODELS)
def test_every_field_is_in_the_table(name):
    fields = {field.name for field in dataclasses.fields(models.MODELS[name])}
    assert fields == {*CHANGES[name]}


def every_field():
    """Lists the fields of all models; slow where another model has it, too."""
    seen = set()
    for name, table in CHANGES.items():
        for field in table:
            marks = [pytest.mark.slow] if field in seen else []
            yield pytest.param(name, field, marks=marks)
            seen.add(field)


@pytest.mark.parametrize(("name", "field"), every_field())
def test_every_field_changes_something(name, field, descriptions):
    value, expected = CHANGES[name][field]
    assert value != getattr(make_config(name), field)
    before, after = (
        descriptions[name],
        describe(make_changed(name, field, value)),
    )
    changed = {key for key in before if before[key] != after[key]}
    # The names of the layers, which say their kind, may change too.
    assert changed - {"layers"} == expected - {"layers"}
    assert expected <= changed


def places_of(name):
    return [place for place in CHANGES[name] if place.endswith("_projection")]


@pytest.mark.parametrize("name", models.MODELS)
def test_every_place_has_a_structure_of_its_own(name):
    texts = {
        place: f"low_rank(rank={rank}) + circulant"
        for rank, place in enumerate(places_of(name), start=1)
    }
    config = make_config(name, **texts)
    found = {
        projection.structure
        for projection in small_models.projections_of(
            numpy_models.build(config)
        )
    }
    expected = {
        structures.LowRank(rank) + structures.Circulant()
        for rank in range(1, len(texts) + 1)
    }
    assert found == expected


@pytest.mark.parametrize("name", models.MODELS)
def test_a_place_takes_text_or_a_structure_and_holds_a_structure(name):
    for place in places_of(name):
        structure = structures.LowRank(3) + structures.DiagonalCirculant(2)
        text = "low_rank(rank=3) + diagonal_circulant(num_factors=2)"
        config = make_config(name, **{place: text})
        assert getattr(config, place) == structure
        assert config == make_config(name, **{place: structure})
        changed = dataclasses.replace(make_config(name), **{place: text})
        assert getattr(changed, place) == structure


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("low_ramk", "expected a structure, one of dense, circulant"),
        ("low_ramk", "structure='low_ramk'; did you mean low_rank?"),
        ("low_rank(ramk=3)", "expected arguments of low_rank: rank. Received: "
         "argument='ramk'; did you mean rank?"),
        ("dense(rank=3)", "expected arguments of dense: zero_diagonal."),
        ("low_rank(rank=0)", "expected a positive int. Received: rank=0"),
        ("", "expected the text of a structure, such as 'low_rank(rank=64)"),
        (None, "expected a structure or its text, such as 'low_rank(rank=64)"),
    ],
)  # fmt: skip
def test_a_place_refuses_what_is_no_structure(name, text, message):
    for place in places_of(name):
        cls = models.MODELS[name].__name__
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            make_config(name, **{place: text})
        assert str(caught.value).startswith(f"{cls}, {place}: expected")


# A setting, those that leave it unused, and what would use it.
NOT_USED = [
    (name, "moe_num_mixtures", 3, {"video_level_classifier_model": LOGISTIC},
     "video_level_classifier_model=MoeModel")
    for name in ("LstmModel", "DbofModel", "NetVladModel", "NeXtVladModel",
                 "TransformerModel")
] + [
    ("PooledEmbeddingModel", "moe_num_mixtures", 3, {"classifier": "logistic"},
     "classifier=moe"),
    ("PooledEmbeddingModel", "dbof_clusters", 3, {"embeddings": ("netfv",)},
     "embeddings=dbof"),
    ("PooledEmbeddingModel", "dbof_pooling_method", "average",
     {"embeddings": ("netvlad",)}, "embeddings=dbof"),
    ("PooledEmbeddingModel", "netvlad_clusters", 3, {}, "embeddings=netvlad"),
    ("PooledEmbeddingModel", "netfv_clusters", 3, {}, "embeddings=netfv"),
    ("PooledEmbeddingModel", "embedding_projection", "circulant",
     {"embeddings": ("moments",)}, "embeddings=dbof or netfv or netvlad"),
    ("PooledEmbeddingModel", "gating_projection", "circulant",
     {"context_gating": False}, "context_gating"),
    ("DbofModel", "sample_random_frames", False, {"iterations": 0},
     "iterations above 0"),
    ("DbofModel", "batch_norm_momentum", 0.9, {"dbof_add_batch_norm": False},
     "dbof_add_batch_norm"),
    ("NetVladModel", "gating_projection", "circulant", {},
     "gating=True or context_gating=True"),
    ("NetFvModel", "gating_remove_diag", True, {},
     "gating=True or context_gating=True"),
    ("GatedDbofModel", "gating_remove_diag", True, {},
     "gating=True or context_gating=True"),
    ("NetFvModel", "fv_coupling_factor", 0.5, {}, "fv_couple_weights"),
    ("SoftDbofModel", "dbof_hidden_size", 5, {"fc_dimred": False},
     "fc_dimred"),
    ("SoftDbofModel", "dbof_relu", False, {"fc_dimred": False}, "fc_dimred"),
    ("SoftDbofModel", "gating", True, {"fc_dimred": False}, "fc_dimred"),
    ("GatedDbofModel", "fc_projection", "circulant", {"fc_dimred": False},
     "fc_dimred"),
    ("MixNeXtVladModel", "cl_temperature", 2.0, {"mix_number": 1},
     "mix_number above 1"),
    ("MixNeXtVladModel", "cl_lambda", 2.0, {"mix_number": 1},
     "mix_number above 1"),
    ("MixNeXtVladModel", "cl_temperature", 2.0, {"cl_lambda": 0.0},
     "cl_lambda above 0"),
    ("DeepCirculantModel", "leaky_relu_slope", 0.25,
     {"num_layers": 2, "activation_every": 3},
     "activation_every up to num_layers"),
] + [
    ("AttentionModel", field, value, {"attention_layers": 0},
     "attention_layers above 0")
    for field, value in (("attention_hidden_size", 5), ("drop_rate", 0.25),
                         ("batch_norm_momentum", 0.9),
                         ("embedding_projection", "circulant"))
] + [
    ("TransformerModel", field, value, {"transformer_layers": 0},
     "transformer_layers above 0")
    for field, value in (("transformer_hidden_size", 5), ("drop_rate", 0.25),
                         ("fc_projection", "circulant"),
                         ("attention_projection", "circulant"))
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "field", "value", "others", "needs"), NOT_USED
)
def test_a_setting_that_others_leave_unused_is_refused(
    name, field, value, others, needs
):
    cls = models.MODELS[name]
    config = cls(**others, **{field: value})
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{cls.__name__}: expected {needs} with {field}, which is not used"
            f" otherwise. Received: {field}={value!r}"
        )
        + "$",
    ):
        numpy_models.build(config)
    default = dataclasses.replace(config, **{field: getattr(cls(), field)})
    default.check_options()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "NetVladModel",
            {"lightvlad": True, "vlagd": True},
            "expected lightvlad or vlagd, not both. Received: lightvlad=True, "
            "vlagd=True",
        ),
        (
            "SoftDbofModel",
            {
                "gating": True,
                "gating_remove_diag": True,
                "gating_projection": "circulant",
            },
            "expected gating_projection=dense with gating_remove_diag: the "
            "diagonal of a compact matrix is not made of weights of its own. "
            "Received: gating_projection=circulant, gating_remove_diag=True",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_refused(name, values, message):
    config = models.MODELS[name](**values)
    with pytest.raises(ValueError, match=re.escape(message)):
        numpy_models.build(config)


@pytest.mark.parametrize("name", models.MODELS)
def test_no_penalty_is_no_loss(name):
    for values in [{"l2_penalty": 0.0}, {"regularization_penalty": 0.0}]:
        assert numpy_models.build(make_config(name, **values)).losses == []


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("LogisticModel", {"l2_normalize": 1}, "true or false"),
        ("LogisticModel", {"l2_penalty": -1e-8}, "at least 0.0"),
        ("LogisticModel", {"l2_penalty": float("nan")}, "a finite number"),
        ("LogisticModel", {"regularization_penalty": "1"}, "a finite number"),
        ("LogisticModel", {"regularization_penalty": -1.0}, "at least 0.0"),
        ("MoeModel", {"moe_num_mixtures": 0}, "at least 1"),
        ("MoeModel", {"moe_num_mixtures": 2.0}, "a whole number"),
        ("DeepCombineChainModel", {"deep_chain_layers": 0}, "at least 1"),
        ("DeepCombineChainModel", {"deep_chain_relu_cells": 0}, "at least 1"),
        ("DeepCombineChainModel", {"deep_chain_relu_type": "relu6"},
         "one of relu, elu"),
        ("DeepCombineChainModel", {"support_loss_percent": 1.5},
         "at most 1.0"),
        ("DeepCombineChainModel", {"support_loss_percent": -0.5},
         "at least 0.0"),
        ("DbofModel", {"iterations": -1}, "at least 0"),
        ("DbofModel", {"iterations": True}, "a whole number"),
        ("DbofModel", {"sample_random_frames": None}, "true or false"),
        ("DbofModel", {"dbof_add_batch_norm": "no"}, "true or false"),
        ("DbofModel", {"dbof_cluster_size": 0}, "at least 1"),
        ("DbofModel", {"dbof_hidden_size": 0}, "at least 1"),
        ("DbofModel", {"dbof_pooling_method": "mean"}, "one of max, average"),
        ("DbofModel", {"dbof_activation": "tanh"},
         "one of relu6, sigmoid, relu"),
        ("DbofModel", {"batch_norm_momentum": 1.5}, "at most 1.0"),
        ("DbofModel", {"batch_norm_momentum": -0.5}, "at least 0.0"),
        ("DbofModel", {"video_level_classifier_model": "DbofModel"},
         "one of MoeModel, LogisticModel"),
        ("DbofModel", {"moe_num_mixtures": 0}, "at least 1"),
        ("LstmModel", {"lstm_cells": 0}, "at least 1"),
        ("LstmModel", {"lstm_layers": 0}, "at least 1"),
        ("GruModel", {"gru_cells": 0}, "at least 1"),
        ("GruModel", {"gru_layers": 0}, "at least 1"),
        ("NetVladModel", {"netvlad_cluster_size": 0}, "at least 1"),
        ("NetVladModel", {"netvlad_hidden_size": 0}, "at least 1"),
        ("NetVladModel", {"lightvlad": 1}, "true or false"),
        ("NetFvModel", {"fv_cluster_size": 0}, "at least 1"),
        ("NetFvModel", {"fv_hidden_size": 0}, "at least 1"),
        ("SoftDbofModel", {"dbof_cluster_size": 0}, "at least 1"),
        ("GatedDbofModel", {"dbof_hidden_size": 0}, "at least 1"),
        ("NeXtVladModel", {"groups": 0}, "at least 1"),
        ("NeXtVladModel", {"expansion": 0}, "at least 1"),
        ("NeXtVladModel", {"gating_reduction": 0}, "at least 1"),
        ("NeXtVladModel", {"drop_rate": 1.0}, "at most 0.99"),
        ("NeXtVladModel", {"drop_rate": -0.1}, "at least 0.0"),
        ("MixNeXtVladModel", {"mix_number": 0}, "at least 1"),
        ("MixNeXtVladModel", {"cl_temperature": 0.0}, "above 0.0"),
        ("MixNeXtVladModel", {"cl_lambda": -1.0}, "at least 0.0"),
        ("AttentionModel", {"attention_layers": -1}, "at least 0"),
        ("AttentionModel", {"attention_hidden_size": 0}, "at least 1"),
        ("AttentionModel", {"attention_heads": 0}, "at least 1"),
        ("TransformerModel", {"transformer_layers": -1}, "at least 0"),
        ("TransformerModel", {"transformer_head_size": 0}, "at least 1"),
        ("TransformerModel", {"transformer_heads": 0}, "at least 1"),
        ("TransformerModel", {"transformer_hidden_size": 0}, "at least 1"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(name, values, problem):
    ((field, value),) = values.items()
    cls = models.MODELS[name]
    with pytest.raises(
        ValueError,
        match=re.escape(f"{cls.__name__}: expected {field} to be {problem}")
        + rf".*\. Received: {field}={re.escape(repr(value))}$",
    ):
        cls(**values)


@pytest.mark.parametrize("name", models.MODELS)
def test_config_cannot_be_changed(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_config(name).l2_penalty = 1.0


@pytest.mark.parametrize("name", models.MODELS)
def test_inputs_and_outputs(name):
    config = make_config(name)
    model = config.build(feature_sizes=(6, 3), num_classes=7)
    inputs = {key: (x.shape, x.dtype) for key, x in model.input.items()}
    if config.frame_features:
        assert inputs == {
            "frames": ((None, None, 9), "uint8"),
            "num_frames": ((None,), "int32"),
        }
    else:
        assert inputs == {"features": ((None, 9), "float32")}
    assert (model.output.shape, model.output.dtype) == ((None, 7), "float32")
    assert model.name == name


def test_video_level_models_sample_no_frames():
    for name in ["LogisticModel", "MoeModel"]:
        assert make_config(name).num_sampled_frames is None


@pytest.mark.parametrize("name", models.MODELS)
def test_two_models_start_with_different_weights(name):
    config = make_config(name, classifier_projection="diagonal_circulant")
    pair = [config.build(feature_sizes=(6, 3), num_classes=7) for _ in range(2)]
    for one, other in zip(
        pair[0].trainable_weights, pair[1].trainable_weights, strict=True
    ):
        if one.name in ("kernel", "diagonal"):
            assert np.any(one.numpy() != other.numpy())
    # Nor do two layers of one model start alike.
    kernels = [
        w.numpy().ravel()[:5] for w in pair[0].weights if w.name == "kernel"
    ]
    assert len({tuple(kernel) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize("place", ["gating", "context_gating"])
def test_gates_without_a_diagonal_by_the_flag_or_by_the_structure(place):
    found = []
    for values in (
        {"gating_remove_diag": True},
        {"gating_projection": "dense(zero_diagonal=True)"},
        {
            "gating_remove_diag": True,
            "gating_projection": "dense(zero_diagonal=True)",
        },
    ):
        config = models.NetVladConfig(
            netvlad_cluster_size=4,
            netvlad_hidden_size=5,
            **{place: True},
            **values,
        )
        model = numpy_models.build(config)
        gates = model.get_layer("fc_gating" if place == "gating" else "gating")
        assert gates.structure == structures.Dense(zero_diagonal=True)
        kernel = gates.as_dense_kernel().numpy()
        np.testing.assert_array_equal(np.diag(kernel), 0)
        assert np.count_nonzero(kernel) == kernel.size - len(kernel)
        found.append(model(numpy_models.make_frames(), training=False))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])

"""Tests of what the weights of models are."""

import keras
import pytest

import small_models
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.training import weight_kinds


def build(name: str, **kwargs) -> keras.Model:
    config = models.MODELS[name](**{**small_models.SMALL[name], **kwargs})
    return config.without_unused().build(feature_sizes=(6, 3), num_classes=5)


def paths(variables) -> list[str]:
    return [variable.path for variable in variables]


# What does not decay, by model; the rest of the trained weights does.
NOT_KERNELS = {
    "LogisticModel": ["classifier/bias"],
    "MoeModel": ["experts/bias"],
    "MlpModel": [
        "hidden_0_bn/gamma",
        "hidden_0_bn/beta",
        "hidden_1_bn/gamma",
        "hidden_1_bn/beta",
        "classifier/bias",
    ],
    "DeepCirculantModel": [
        "hidden_0/diagonal",
        "hidden_0/bias",
        "hidden_1/diagonal",
        "hidden_1/bias",
        "classifier/diagonal",
        "classifier/bias",
    ],
    "DbofModel": [
        *(f"{n}_bn/{w}" for n in ("input", "embedding", "fc") for w in "gb"),
        "experts/bias",
    ],
    "FrameLevelLogisticModel": ["classifier/bias"],
    "LstmModel": [
        "layer_0/lstm_cell/bias",
        "layer_1/lstm_cell/bias",
        "experts/bias",
    ],
    "GruModel": [
        "layer_0/gru_cell/bias",
        "layer_1/gru_cell/bias",
        "experts/bias",
    ],
    **{
        name: [
            *(
                f"{n}_bn/{w}"
                for n in (
                    "input",
                    *places,
                    "clusters_1",
                )
                for w in "gb"
            ),
            *weights,
            *(f"{n}_bn/{w}" for n in ("fc", "fc_gating") for w in "gb"),
            "experts/bias",
            *(f"gating_bn/{w}" for w in "gb"),
        ]
        for name, places, weights in (
            (
                "NetVladModel",
                ["clusters_0"],
                ["netvlad_0/centers", "netvlad_1/centers"],
            ),
            (
                "NetFvModel",
                ["clusters_0"],
                ["netfv_0/root_deviations", "netfv_1/root_deviations"],
            ),
            ("SoftDbofModel", ["clusters_0"], []),
            ("GatedDbofModel", ["clusters_0", "bag_gates"], []),
        )
    },
    "AttentionModel": [
        *(f"embedding_{n}_bn/{w}" for n in (0, 1) for w in "gb"),
        "attention/bias",
        "classifier/bias",
    ],
    "PooledEmbeddingModel": [
        *(
            f"dbof_{n}_{place}_bn/{w}"
            for place in ("clusters", "fc")
            for n in (0, 1)
            for w in "gb"
        ),
        "experts/bias",
        *(f"gating_bn/{w}" for w in "gb"),
    ],
    "TransformerModel": [
        "embedding/bias",
        *(f"embedding_norm/{w}" for w in "gb"),
        *(f"layer_0_norm/{w}" for w in "gb"),
        "layer_0_queries/bias",
        "layer_0_keys/bias",
        "layer_0_values/bias",
        "layer_0_collected/bias",
        *(f"layer_0_hidden_norm/{w}" for w in "gb"),
        "layer_0_hidden/bias",
        "layer_0_narrow/bias",
        *(f"norm/{w}" for w in "gb"),
        "classifier/bias",
    ],
    "NeXtVladModel": [
        *(f"nextvlad_{n}_expansion/bias" for n in (0, 1)),
        *(
            name
            for n in (0, 1)
            for name in (
                f"nextvlad_{n}_clusters_bn/g",
                f"nextvlad_{n}_clusters_bn/b",
                f"nextvlad_{n}_attention/bias",
            )
        ),
        "nextvlad_0/centers",
        "nextvlad_1/centers",
        *(f"nextvlad_{n}_bn/{w}" for n in (0, 1) for w in "gb"),
        *(f"{n}_bn/{w}" for n in ("fc", "squeeze") for w in "gb"),
        "classifier/bias",
    ],
}
LONG = {"g": "gamma", "b": "beta"}


def written_out(name: str) -> str:
    layer, _, weight = name.rpartition("/")
    return f"{layer}/{LONG.get(weight, weight)}"


@pytest.mark.parametrize("name", NOT_KERNELS)
def test_what_decays(name):
    model = build(name)
    left_out = [written_out(n) for n in NOT_KERNELS[name]]
    trained = paths(model.trainable_variables)
    assert set(left_out) <= set(trained)
    kernels = paths(weight_kinds.kernels(model))
    assert sorted(kernels) == sorted(set(trained) - set(left_out))
    assert len(kernels) == len(set(kernels)) > 0


def test_parts_of_a_mixture_are_like_the_model_alone():
    kernels = set(paths(weight_kinds.kernels(build("MixNeXtVladModel"))))
    alone = paths(weight_kinds.kernels(build("NeXtVladModel")))
    branches = {f"branch_{n}_{name}" for n in (0, 1) for name in alone}
    assert kernels == branches | {"mixture_gates/kernel"}


# By structure at a place: what decays, and what is a matrix of it.
STRUCTURES = {
    "dense": (["kernel"], ["kernel"]),
    "circulant": (["kernel"], []),
    "diagonal_circulant": (["kernel"], []),
    "low_rank(rank=2)": (["left", "right"], ["left", "right"]),
    "kronecker": (["left", "right"], ["left", "right"]),
    "leading_columns": (["kernel"], ["kernel"]),
    "monarch": (["left", "right"], []),
    "acdc": (["kernel"], []),
    "fastfood": (["kernel"], []),
    "toeplitz": (["kernel"], []),
    "toeplitz_like": (["left", "right"], []),
    "hashed": (["kernel"], []),
    "sparse": (["kernel"], []),
    "block_circulant": (["kernel"], []),
    "low_rank(rank=2) + diagonal_circulant": (
        ["low_rank_left", "low_rank_right", "diagonal_circulant_kernel"],
        ["low_rank_left", "low_rank_right"],
    ),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(structure):
    model = build("DbofModel", fc_projection=structure)
    kernels, matrices = STRUCTURES[structure]
    found = [n for n in paths(weight_kinds.kernels(model)) if n[:3] == "fc/"]
    assert found == [f"fc/{name}" for name in kernels]
    found = paths(weight_kinds.hidden_matrices(model))
    assert found == ["embedding/kernel", *(f"fc/{n}" for n in matrices)]


def test_every_structure_is_here():
    named = {text.partition("(")[0] for text in STRUCTURES}
    assert named >= set(structures.STRUCTURES)


def test_fixed_diagonals_neither_decay_nor_are_matrices():
    model = build(
        "DbofModel", fc_projection="diagonal_circulant(learned=False)"
    )
    assert "fc/diagonal" not in paths(weight_kinds.kernels(model))


# The layers that classes come from are left to Adam, and what gates them.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LogisticModel", []),
        ("MoeModel", []),
        ("DbofModel", ["embedding/kernel", "fc/kernel"]),
        (
            "LstmModel",
            [
                f"layer_{n}/lstm_cell/{w}"
                for n in (0, 1)
                for w in ("kernel", "recurrent_kernel")
            ],
        ),
        (
            "NetVladModel",
            [
                "clusters_0/kernel",
                "clusters_1/kernel",
                "fc/kernel",
                "fc_gating/kernel",
            ],
        ),
        ("AttentionModel", ["embedding_0/kernel", "embedding_1/kernel"]),
    ],
)
def test_hidden_matrices(name, expected):
    assert paths(weight_kinds.hidden_matrices(build(name))) == expected


def test_recurrent_projections():
    model = build("GruModel", recurrent_projection="low_rank(rank=2)")
    found = paths(weight_kinds.kernels(model))
    assert [n for n in found if n.endswith(("left", "right"))]
    assert not [n for n in found if n.endswith("bias")]

"""Tests of the counts of weights."""

import dataclasses
import math

import keras
import pytest
import tensorflow as tf

import layer_conformance
import small_models
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.eval import weights

SIZES = (12, 4)
CLASSES = 10
CLUSTERS = 40
HIDDEN = 6
SMALL = {
    "LogisticModel": models.LogisticConfig(),
    "MoeModel": models.MoeConfig(),
    "MlpModel": models.MlpConfig(mlp_hidden_size=HIDDEN),
    "DeepCombineChainModel": models.DeepCombineChainConfig(),
    "DeepCirculantModel": models.DeepCirculantConfig(
        hidden_projection="dense", classifier_projection="dense"
    ),
    "FrameLevelLogisticModel": models.FrameLevelLogisticConfig(),
    "LstmModel": models.LstmConfig(lstm_cells=HIDDEN),
    "GruModel": models.GruConfig(gru_cells=HIDDEN),
    "DbofModel": models.DbofConfig(
        dbof_cluster_size=CLUSTERS, dbof_hidden_size=HIDDEN
    ),
    "NetVladModel": models.NetVladConfig(
        netvlad_cluster_size=14, netvlad_hidden_size=HIDDEN, gating=True
    ),
    "NetFvModel": models.NetFvConfig(fv_cluster_size=14, fv_hidden_size=HIDDEN),
    "SoftDbofModel": models.SoftDbofConfig(
        dbof_cluster_size=CLUSTERS, dbof_hidden_size=HIDDEN
    ),
    "GatedDbofModel": models.GatedDbofConfig(
        dbof_cluster_size=CLUSTERS, dbof_hidden_size=HIDDEN
    ),
    "NeXtVladModel": models.NextVladConfig(
        nextvlad_cluster_size=8, nextvlad_hidden_size=16
    ),
    "MixNeXtVladModel": models.MixNextVladConfig(
        nextvlad_cluster_size=8, nextvlad_hidden_size=16
    ),
    "AttentionModel": models.AttentionConfig(attention_hidden_size=CLUSTERS),
    "TransformerModel": models.TransformerConfig(transformer_head_size=4),
    "PooledEmbeddingModel": models.PooledEmbeddingConfig(
        embeddings=("netfv", "dbof", "moments", "netvlad"),
        dbof_clusters=CLUSTERS,
        netvlad_clusters=14,
        netfv_clusters=16,
        fc_size=HIDDEN,
    ),
}


def project(case: str, inputs: int, outputs: int) -> int:
    """Counts the weights of a projection without bias from its formula."""
    return layer_conformance.ORACLES[case].weight_count(inputs, outputs)


def fixed(case: str, inputs: int, outputs: int) -> int:
    """Counts those that are not trained: signs and permutations."""
    oracle = layer_conformance.ORACLES[case]
    shapes = oracle.weight_shapes(inputs, outputs)
    return sum(math.prod(shapes[name]) for name in oracle.fixed)


def structure_of(case: str) -> structures.Structure:
    return layer_conformance.ORACLES[case].structure


def count(config: models.ModelConfig) -> weights.ModelWeights:
    model = config.build(feature_sizes=SIZES, num_classes=CLASSES)
    return weights.count_weights(model)


def by_name(counted: weights.ModelWeights) -> dict[str, weights.LayerWeights]:
    assert len({layer.name for layer in counted.layers}) == len(counted.layers)
    return {layer.name: layer for layer in counted.layers}


@pytest.mark.parametrize("case", layer_conformance.CASES)
def test_logistic(case):
    counted = count(
        models.LogisticConfig(classifier_projection=structure_of(case))
    )
    total = project(case, 16, CLASSES) + CLASSES
    assert counted.layers == (
        weights.LayerWeights(
            name="classifier",
            kind=str(structure_of(case)),
            output_size=CLASSES,
            total=total,
            trainable=total - fixed(case, 16, CLASSES),
            dense_equivalent=16 * CLASSES + CLASSES,
            multiply_adds=structure_of(case).multiply_adds(16, CLASSES),
            per_frame=False,
            num_bytes=4 * total,
        ),
    )
    assert counted.total == total
    assert counted.trainable == total - fixed(case, 16, CLASSES)
    assert counted.dense_equivalent == 170
    assert counted.num_bytes == 4 * total
    assert counted.megabytes == pytest.approx(4 * total / 1048576)
    assert counted.percent_of_dense == pytest.approx(100 * total / 170)


@pytest.mark.parametrize("case", layer_conformance.CASES)
def test_moe(case):
    config = models.MoeConfig(
        classifier_projection=structure_of(case), moe_num_mixtures=3
    )
    found = by_name(count(config))
    assert set(found) == {"gates", "experts"}
    # A dummy expert on top of the gates, which have no bias.
    assert found["gates"].total == project(case, 16, 4 * CLASSES)
    assert found["gates"].dense_equivalent == 16 * 4 * CLASSES
    expected = project(case, 16, 3 * CLASSES) + 3 * CLASSES
    assert found["experts"].total == expected
    assert found["experts"].dense_equivalent == 16 * 30 + 30
    assert found["gates"].output_size == 40


@pytest.mark.parametrize("fc", layer_conformance.CASES)
@pytest.mark.parametrize("embedding", ["dense", "diagonal_circulant"])
def test_dbof(embedding, fc):
    config = models.DbofConfig(
        dbof_cluster_size=CLUSTERS,
        dbof_hidden_size=HIDDEN,
        embedding_projection=structure_of(embedding),
        fc_projection=structure_of(fc),
        video_level_classifier_model="LogisticModel",
    )
    counted = count(config)
    found = by_name(counted)
    assert list(found) == [
        "input_bn",
        "embedding",
        "embedding_bn",
        "fc",
        "fc_bn",
        "classifier",
    ]
    # 4 weights for each unit of batch norm, 2 of which training changes.
    for name, kind, units in (
        ("input_bn", "FrameNormalization", 16),
        ("embedding_bn", "FrameNormalization", CLUSTERS),
        ("fc_bn", "BatchNormalization", HIDDEN),
    ):
        assert found[name].kind == kind
        assert found[name].output_size == units
        assert found[name].total == 4 * units
        assert found[name].trainable == 2 * units
        assert found[name].dense_equivalent == 4 * units
    assert found["embedding"].kind == str(structure_of(embedding))
    assert found["embedding"].total == project(embedding, 16, CLUSTERS)
    assert found["fc"].kind == str(structure_of(fc))
    assert found["fc"].total == project(fc, CLUSTERS, HIDDEN)
    batch_norm = 4 * (16 + CLUSTERS + HIDDEN)
    assert counted.total == (
        batch_norm
        + project(embedding, 16, CLUSTERS)
        + project(fc, CLUSTERS, HIDDEN)
        + HIDDEN * CLASSES
        + CLASSES
    )
    not_trained = batch_norm // 2 + fixed(fc, CLUSTERS, HIDDEN)
    assert counted.total - counted.trainable == not_trained


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "diagonal_circulant") for name in models.MODELS),
        *(("MoeModel", kind) for kind in small_models.KINDS),
    ],
)
def test_counts_without_weights_are_those_of_the_model(name, kind):
    config = SMALL[name]
    config = dataclasses.replace(config, classifier_projection=kind)
    counted = weights.count_weights_of_config(
        config, feature_sizes=SIZES, num_classes=CLASSES
    )
    assert counted == count(config)


@pytest.mark.slow
def test_counting_draws_no_weights():
    # 2^54 weights are more than any memory holds.
    counted = weights.count_weights_of_config(
        models.LogisticConfig(), feature_sizes=[2**27], num_classes=2**27
    )
    assert counted.total == 2**54 + 2**27
    # The scope ended: what is built now has values.
    model = SMALL["MoeModel"].build(feature_sizes=SIZES, num_classes=CLASSES)
    assert model(tf.ones([1, 16])).shape == (1, CLASSES)
    # Nor are they drawn at the end of another such scope.
    with keras.StatelessScope():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
    assert layer.kernel.numpy().shape == (3, 2)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float16"])
def test_counts_are_under_the_policy_that_is_set(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        counted = weights.count_weights_of_config(
            SMALL["LogisticModel"], feature_sizes=SIZES, num_classes=CLASSES
        )
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)
    size = 2 if policy == "float16" else 4
    assert counted.num_bytes == size * counted.total


@pytest.mark.parametrize("name", models.MODELS)
def test_dense_equivalent_is_the_count_of_the_dense_model(name):
    dense = SMALL[name]
    compact = dataclasses.replace(
        dense,
        **{
            place: "diagonal_circulant"
            for place in small_models.used_places(dense)
        },
    )
    expected, found = count(dense), count(compact)
    assert expected.total == expected.dense_equivalent
    assert expected.percent_of_dense == 100.0
    assert found.total < expected.total
    assert found.dense_equivalent == expected.total
    if isinstance(dense, models.LstmConfig | models.GruConfig):
        return  # Keras has its two dense projections in one layer.
    for layer, other in zip(found.layers, expected.layers, strict=True):
        assert layer.dense_equivalent == other.total


def test_recurrent_projection_is_that_of_its_cell():
    config = models.LstmConfig(
        lstm_cells=5, lstm_layers=1, recurrent_projection="circulant"
    )
    found = by_name(count(config))
    assert (found["gates_0"].kind, found["gates_0"].total) == ("dense", 16 * 20)
    # Four circulants of 5, and 20 biases.
    layer = found["layer_0"]
    assert (layer.kind, layer.output_size) == ("circulant", 5)
    assert (layer.total, layer.dense_equivalent) == (40, 120)


def test_models_of_the_paper():
    # DBoF on video features, "Base model" and T2 of the paper's tables: a
    # cluster matrix of 1024 x 8192, its compact form of 8 pairs, and 4 weights
    # for each unit of batch norm.
    config = models.DbofConfig(
        dbof_cluster_size=8192,
        dbof_hidden_size=512,
        embedding_projection="diagonal_circulant",
        fc_projection="diagonal_circulant",
        classifier_projection="circulant",
        moe_num_mixtures=4,
    )
    model = config.build(feature_sizes=[1024], num_classes=3862)
    found = by_name(weights.count_weights(model))
    assert found["embedding"].dense_equivalent == 8_388_608
    assert found["embedding"].total == 16_384
    assert found["embedding_bn"].total == 4 * 8192
    assert found["fc"].dense_equivalent == 4_194_304
    assert found["fc"].total == 2 * 8192
    # 38 and 31 circulants of 512, and the biases of 15,448 experts.
    assert found["gates"].total == 38 * 512
    assert found["experts"].total == 31 * 512 + 15_448


def test_weights_of_half_the_bytes():
    keras.utils.clear_session()
    inputs = keras.Input((3,), dtype="float16")
    layer = keras.layers.Dense(2, dtype="float16", name="half")
    counted = weights.count_weights(keras.Model(inputs, layer(inputs)))
    (half,) = counted.layers
    assert (half.name, half.kind, half.output_size) == ("half", "Dense", 2)
    assert counted.total == counted.dense_equivalent == 8
    assert counted.num_bytes == 16


def test_to_dict():
    # A matrix of 16 x 10, each entry multiplied once, and 10 biases.
    counted = count(models.LogisticConfig())
    assert counted.to_dict() == {
        "total": 170,
        "trainable": 170,
        "dense_equivalent": 170,
        "percent_of_dense": pytest.approx(100.0),
        "megabytes": pytest.approx(680 / 2**20),
        "multiply_adds": 160,
        "multiply_adds_per_frame": 0,
        "multiply_adds_not_counted": [],
        "layers": [
            {
                "name": "classifier",
                "kind": "dense",
                "output_size": 10,
                "total": 170,
                "trainable": 170,
                "dense_equivalent": 170,
                "multiply_adds": 160,
                "per_frame": False,
                "num_bytes": 680,
            }
        ],
    }


def multiply_adds(counted):
    return {
        layer.name: (layer.multiply_adds, layer.per_frame)
        for layer in counted.layers
    }


def test_multiply_adds_of_a_bag_of_frames():
    counted = count(SMALL["DbofModel"])
    assert multiply_adds(counted) == {
        "input_bn": (16, True),
        "embedding": (16 * CLUSTERS, True),
        "embedding_bn": (CLUSTERS, True),
        "fc": (CLUSTERS * HIDDEN, False),
        "fc_bn": (HIDDEN, False),
        # Two mixtures, and the dummy expert among the gates.
        "gates": (HIDDEN * 3 * CLASSES, False),
        "experts": (HIDDEN * 2 * CLASSES, False),
    }
    assert counted.multiply_adds_per_frame == 16 + 16 * CLUSTERS + CLUSTERS
    assert counted.multiply_adds == 6 * CLUSTERS + 6 + 6 * 50
    assert counted.not_counted == []


def test_multiply_adds_of_recurrent_layers():
    config = dict(lstm_cells=5, lstm_layers=1)
    found = multiply_adds(count(models.LstmConfig(**config)))
    # Four gates of 5 units from 16 values and from the state.
    assert found["layer_0"] == (20 * 16 + 20 * 5, True)
    config["recurrent_projection"] = "low_rank(rank=2)"
    found = multiply_adds(count(models.LstmConfig(**config)))
    assert found["gates_0"] == (20 * 16, True)
    assert found["layer_0"] == (2 * 5 + 2 * 20, True)
    found = multiply_adds(count(models.GruConfig(gru_cells=5, gru_layers=1)))
    assert found["layer_0"] == (15 * 16 + 15 * 5, True)


def test_multiply_adds_that_are_not_counted():
    counted = count(SMALL["PooledEmbeddingModel"])
    assert counted.not_counted == [
        "netfv_0",
        "netvlad_0",
        "netfv_1",
        "netvlad_1",
    ]
    assert all(
        multiply_adds(counted)[name] == (None, False)
        for name in counted.not_counted
    )


@pytest.mark.parametrize("pooling", ["max", None])
@pytest.mark.parametrize("deferred", [True, False])
def test_projected_frames_count_as_frames(deferred, pooling):
    frames = keras.Input((None, 6))
    columns = {"units": 14, "structure": "low_rank(rank=2)"}
    x = layers.Projection(
        **columns, use_bias=False, deferred=deferred, name="clusters"
    )(frames)
    x = layers.FrameNormalization(
        "relu", pooling, name="bn", **(columns if deferred else {})
    )(x)
    x = layers.Projection(3, use_bias=False, name="fc")(x)
    counted = weights.count_weights(keras.Model(frames, x))
    assert multiply_adds(counted) == {
        "clusters": (2 * 6 + 2 * 14, True),
        "bn": (14, True),
        "fc": (14 * 3, pooling is None),
    }
    assert [layer.output_size for layer in counted.layers] == [14, 14, 3]


def test_multiply_adds_of_a_compact_projection_are_those_of_its_structure():
    counted = count(
        models.LogisticConfig(
            classifier_projection="low_rank(rank=3) + toeplitz"
        )
    )
    assert counted.multiply_adds == (
        3 * 16 + 3 * CLASSES + structures.Toeplitz().multiply_adds(16, CLASSES)
    )


def test_multiply_adds_of_keras_layers():
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(2, name="dense")(inputs)
    counted = weights.count_weights(keras.Model(inputs, outputs))
    assert multiply_adds(counted) == {"dense": (6, False)}

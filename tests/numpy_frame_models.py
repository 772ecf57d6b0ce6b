"""The models of frames in NumPy, video by video, from their equations.

Only real frames are seen here: nothing knows of batches, masks or padding.
"""

from collections.abc import Iterator
import math

import keras
import numpy as np
import scipy.stats

import numpy_models
import numpy_poolings
from yt8m_compact import models

SIGMOID = numpy_models.ACTIVATIONS["sigmoid"]
Batch = dict[str, np.ndarray]


def read(config: models.ModelConfig, batch: Batch) -> list[np.ndarray]:
    """Dequantises and normalises the frames of each video."""
    videos = []
    for frames, count in zip(batch["frames"], batch["num_frames"], strict=True):
        rows = frames[:count] * (4 / 255) + (4 / 512 - 2)
        if config.l2_normalize:
            rows = numpy_models.normalize(rows)
        videos.append(rows)
    return videos


def on_all_rows(function, videos: list[np.ndarray]) -> list[np.ndarray]:
    """Applies a function to the frames of all videos below one another."""
    ends = np.cumsum([len(rows) for rows in videos])[:-1]
    return np.split(function(np.concatenate(videos)), ends)


def split_features(videos: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Cuts the frames of each video into features."""
    sizes = numpy_models.FEATURE_SIZES
    ends = np.cumsum(sizes)[:-1]
    return list(
        zip(*(np.split(rows, ends, axis=1) for rows in videos), strict=True)
    )


def classify(
    config: models.ModelConfig, model: keras.Model, x: np.ndarray
) -> np.ndarray:
    """Computes the classifier that `video_level_classifier_model` names."""
    is_mixture = config.video_level_classifier_model == "MoeModel"
    mixtures = config.moe_num_mixtures if is_mixture else None
    return numpy_models.classify(model, x, mixtures)


def predict_frame_level_logistic(
    config: models.FrameLevelLogisticConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what FrameLevelLogisticModel should predict."""
    means = [rows.mean(axis=0) for rows in read(config, batch)]
    return numpy_models.classify(model, np.array(means), None)


def _recurrent_weights(
    model: keras.Model, index: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Reads the dense kernels from inputs and states, and the bias."""
    layer = model.get_layer(f"layer_{index}")
    if hasattr(layer.cell, "recurrent_projection"):
        kernels = [
            numpy_models.dense_kernel(model.get_layer(f"gates_{index}")),
            numpy_models.dense_kernel(layer.cell.recurrent_projection),
        ]
        return *kernels, layer.cell.bias.numpy()
    return tuple(weight.numpy() for weight in layer.weights)


def _lstm_step(x, state, kernel, recurrent_kernel, bias):
    h, c = state
    i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4)
    c = SIGMOID(f) * c + SIGMOID(i) * np.tanh(g)
    return SIGMOID(o) * np.tanh(c), c


def _gru_step(x, state, kernel, recurrent_kernel, bias):
    (h, _) = state
    x_z, x_r, x_g = np.split(x @ kernel + bias[0], 3)
    h_z, h_r, h_g = np.split(h @ recurrent_kernel + bias[1], 3)
    z = SIGMOID(x_z + h_z)
    g = np.tanh(x_g + SIGMOID(x_r + h_r) * h_g)
    return z * h + (1 - z) * g, None


def predict_recurrent(
    config: models.LstmConfig | models.GruConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what LstmModel or GruModel should predict."""
    if isinstance(config, models.LstmConfig):
        step, units = _lstm_step, config.lstm_cells
        num_layers = config.lstm_layers
    else:
        step, units = _gru_step, config.gru_cells
        num_layers = config.gru_layers
    states = []
    for rows in read(config, batch):
        for index in range(num_layers):
            weights = _recurrent_weights(model, index)
            state = (np.zeros(units), np.zeros(units))
            outputs = []
            for x in rows:
                state = step(x, state, *weights)
                outputs.append(state[0])
            rows = outputs
        states.append(state[0])
    return classify(config, model, np.array(states))


def _gate(
    config: models.ModelConfig,
    model: keras.Model,
    name: str,
    x: np.ndarray,
    statistics: dict | None,
) -> np.ndarray:
    if config.gating_remove_diag:
        matrix = model.get_layer(name).kernel.numpy().astype(np.float64)
        gates = x @ matrix - x * np.diag(matrix)
    else:
        gates = numpy_models.project(model, name, x)
    gates = numpy_models.batch_norm(model, f"{name}_bn", gates, statistics)
    return x * SIGMOID(gates)


def _net_vlad(config, model, number, rows, clusters):
    layer = model.get_layer(f"netvlad_{number}")
    if config.vlagd:
        return numpy_poolings.net_vlagd(rows, clusters, layer.gates.numpy())
    centers = None if config.lightvlad else layer.centers.numpy()
    return numpy_poolings.net_vlad(rows, clusters, centers)


def _net_fv(config, model, number, rows, clusters):
    layer = model.get_layer(f"netfv_{number}")
    weights = [weight.numpy() for weight in layer.weights]
    if config.fv_couple_weights:
        layer = model.get_layer(f"clusters_{number}")
        matrix = numpy_models.dense_kernel(layer)
        weights.insert(0, config.fv_coupling_factor * matrix)
    return numpy_poolings.net_fisher_vector(rows, clusters, *weights)


def _soft_bag(config, model, number, rows, clusters):
    shares = numpy_poolings.softmax(clusters)
    total, largest = sum(shares), shares.max(axis=0)
    if number == 0 and isinstance(config, models.GatedDbofConfig):
        # Gated with those of all videos, for batch normalisation.
        return np.concatenate([total, numpy_poolings.unit(largest)])
    if not config.softdbof_maxpool:
        return numpy_poolings.unit(total)
    return np.concatenate(
        [numpy_poolings.unit(total), numpy_poolings.unit(largest)]
    )


def _gate_bag(model, pooled, statistics):
    total, gates = np.split(pooled, 2, axis=1)
    gates = numpy_models.project(model, "bag_narrow", gates)
    gates = numpy_models.project(model, "bag_gates", gates)
    gates = numpy_models.batch_norm(model, "bag_gates_bn", gates, statistics)
    return np.array([numpy_poolings.unit(x) for x in total * SIGMOID(gates)])


def predict_late_fusion(
    config: models.ModelConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what a model of WILLOW should predict."""
    pool, relu = {
        "NetVladModel": (_net_vlad, "netvlad_relu"),
        "NetFvModel": (_net_fv, "fv_relu"),
        "SoftDbofModel": (_soft_bag, "dbof_relu"),
        "GatedDbofModel": (_soft_bag, "dbof_relu"),
    }[model.name]

    def norm(name, rows):
        return numpy_models.batch_norm(model, name, rows, statistics)

    videos = on_all_rows(
        lambda rows: norm("input_bn", rows), read(config, batch)
    )
    fused = []
    for number, feature in enumerate(split_features(videos)):
        clusters = on_all_rows(
            lambda rows, name=f"clusters_{number}": norm(
                f"{name}_bn", numpy_models.project(model, name, rows)
            ),
            feature,
        )
        pooled = np.array(
            [
                pool(config, model, number, *pair)
                for pair in zip(feature, clusters, strict=True)
            ]
        )
        if number == 0 and model.name == "GatedDbofModel":
            pooled = _gate_bag(model, pooled, statistics)
        fused.append(pooled)
    x = np.concatenate(fused, axis=1)
    if getattr(config, "fc_dimred", True):
        x = numpy_models.project(model, "fc", x)
        if getattr(config, relu):
            x = np.clip(norm("fc_bn", x), 0, 6)
    if config.gating:
        x = _gate(config, model, "fc_gating", x, statistics)
    x = classify(config, model, x)
    if config.context_gating:
        x = _gate(config, model, "gating", x, statistics)
    return x


def _next_vlad(config, model, videos, prefix, statistics):
    """Computes the gated hidden layer of a NeXtVLAD."""

    def norm(name, rows):
        rows = numpy_models.project(model, name, rows)
        return numpy_models.batch_norm(model, f"{name}_bn", rows, statistics)

    fused = []
    for number, feature in enumerate(split_features(videos)):
        name = f"{prefix}nextvlad_{number}"
        ends = np.cumsum([len(rows) for rows in feature])[:-1]
        rows = numpy_models.project(
            model, f"{name}_expansion", np.concatenate(feature)
        )
        attention = numpy_models.project(model, f"{name}_attention", rows)
        clusters = norm(f"{name}_clusters", rows)
        centers = model.get_layer(name).centers.numpy()
        pooled = [
            numpy_poolings.next_vlad(*parts, centers)
            for parts in zip(
                np.split(rows, ends),
                np.split(clusters, ends),
                np.split(attention, ends),
                strict=True,
            )
        ]
        fused.append(
            numpy_models.batch_norm(
                model, f"{name}_bn", np.array(pooled), statistics
            )
        )
    x = norm(f"{prefix}fc", np.concatenate(fused, axis=1))
    gates = np.maximum(norm(f"{prefix}squeeze", x), 0)
    gates = numpy_models.project(model, f"{prefix}excitation", gates)
    return x * SIGMOID(gates)


def predict_next_vlad(
    config: models.NextVladConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what NeXtVladModel should predict."""
    x = _next_vlad(config, model, read(config, batch), "", statistics)
    return classify(config, model, x)


def mixture_of_next_vlad(
    config: models.MixNextVladConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the logits of MixNeXtVladModel's mixture and of its parts."""
    videos = read(config, batch)
    mean = np.array([rows.mean(axis=0) for rows in videos])
    mean = numpy_models.batch_norm(model, "mean_bn", mean, statistics)
    gates = numpy_models.project(model, "mixture_gates", mean)
    shares = numpy_poolings.softmax(gates)
    logits = []
    for number in range(config.mix_number):
        prefix = f"branch_{number}_"
        x = _next_vlad(config, model, videos, prefix, statistics)
        logits.append(numpy_models.project(model, f"{prefix}classifier", x))
    mixed = sum(
        shares[:, [number]] * part for number, part in enumerate(logits)
    )
    return mixed, np.array(logits)


def predict_mixture(
    config: models.MixNextVladConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what MixNeXtVladModel should predict."""
    return SIGMOID(mixture_of_next_vlad(config, model, batch, statistics)[0])


def predict_attention(
    config: models.AttentionConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what AttentionModel should predict."""
    videos = read(config, batch)

    def layer(name, rows):
        rows = numpy_models.project(model, name, rows)
        rows = numpy_models.batch_norm(model, f"{name}_bn", rows, statistics)
        return np.maximum(rows, 0)

    for index in range(config.attention_layers):
        name = f"embedding_{index}"
        videos = on_all_rows(lambda rows, name=name: layer(name, rows), videos)
    result = []
    for rows in videos:
        weights = numpy_models.project(model, "attention", rows)
        weights = numpy_poolings.softmax(weights.T).T  # over the frames
        decisions = SIGMOID(numpy_models.project(model, "classifier", rows))
        sums = (weights * decisions).sum(axis=0)
        result.append(sums.reshape(-1, config.attention_heads).mean(axis=1))
    return np.array(result)


def _layer_norm(model: keras.Model, name: str, rows: np.ndarray) -> np.ndarray:
    gamma, beta = (w.numpy() for w in model.get_layer(name).weights)
    mean, variance = rows.mean(1, keepdims=True), rows.var(1, keepdims=True)
    return (rows - mean) / np.sqrt(variance + 1e-6) * gamma + beta


def _positions(num_frames: int, size: int) -> np.ndarray:
    half = math.ceil(size / 2)
    return np.array(
        [
            [
                math.sin(t / 10000 ** (j / half))
                if j < half
                else math.cos(t / 10000 ** ((j - half) / half))
                for j in range(size)
            ]
            for t in range(num_frames)
        ]
    )


def _attend(queries, keys, values, num_heads):
    head = queries.shape[1] // num_heads
    result = np.zeros_like(values)
    for start in range(0, queries.shape[1], head):
        part = slice(start, start + head)
        for i, query in enumerate(queries[:, part]):
            scores = np.array([query @ key for key in keys[:, part]])
            shares = numpy_poolings.softmax(scores / math.sqrt(head))
            result[i, part] = shares @ values[:, part]
    return result


def predict_transformer(
    config: models.TransformerConfig,
    model: keras.Model,
    batch: Batch,
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what TransformerModel should predict."""
    means = []
    for x in read(config, batch):
        x = numpy_models.project(model, "embedding", x)
        x = _layer_norm(model, "embedding_norm", x)
        x = x + _positions(*x.shape)
        for index in range(config.transformer_layers):
            name = f"layer_{index}"
            normal = _layer_norm(model, f"{name}_norm", x)
            parts = [
                numpy_models.project(model, f"{name}_{part}", normal)
                for part in ("queries", "keys", "values")
            ]
            collected = _attend(*parts, config.transformer_heads)
            x = x + numpy_models.project(model, f"{name}_collected", collected)
            hidden = numpy_models.project(
                model,
                f"{name}_hidden",
                _layer_norm(model, f"{name}_hidden_norm", x),
            )
            # gelu: x times the chance that a normal variable is below x.
            hidden = hidden * scipy.stats.norm.cdf(hidden)
            x = x + numpy_models.project(model, f"{name}_narrow", hidden)
        means.append(_layer_norm(model, "norm", x).mean(axis=0))
    return classify(config, model, np.array(means))


PREDICT = {
    "FrameLevelLogisticModel": predict_frame_level_logistic,
    "LstmModel": predict_recurrent,
    "GruModel": predict_recurrent,
    "NetVladModel": predict_late_fusion,
    "NetFvModel": predict_late_fusion,
    "SoftDbofModel": predict_late_fusion,
    "GatedDbofModel": predict_late_fusion,
    "NeXtVladModel": predict_next_vlad,
    "MixNeXtVladModel": predict_mixture,
    "AttentionModel": predict_attention,
    "TransformerModel": predict_transformer,
}
